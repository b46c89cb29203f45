//! The file of an export, from its own host.

use std::fmt;

use bytes::Bytes;
use cometly_core::{Api, Delivery, Download, Fetch, TransportError, TransportLimits};
use http::{HeaderMap, Request, StatusCode};
use reqwest::Response;
use tokio::runtime::Handle;

use crate::{
    Client, ClientError, Error,
    clock::{sleep, timeout},
    failure::{Way, failure},
    now,
};

type Failed = TransportError<ClientError>;

impl Client {
    /// Reads the file of an export, piece by piece and as it is: gzipped NDJSON, which `cometly::ExportLines` unpacks. The
    /// host of the file gets no key and no header of the [`Api`]; no redirect is followed. If the connection breaks off, the
    /// download is resumed where it was, and once its URL has expired, with a fresh one from the API. Nothing is sent before
    /// the first read.
    ///
    /// There is no time-out for the whole file: its host may be silent for
    /// [`attempt_timeout`](crate::ClientBuilder::attempt_timeout), 30 s if that is not set. The largest size of a body,
    /// [`max_body_size`](crate::ClientBuilder::max_body_size), does not count here. [`next_chunk`](FileReader::next_chunk) says
    /// when reading fails.
    ///
    /// ```no_run
    /// # use cometly_reqwest::{Client, cometly_core::{Api, Download}};
    /// # use std::io::Write as _;
    /// # async fn save(client: &Client, api: &Api, download: Download) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut reader = client.download(api, download);
    /// let mut file = std::fs::File::create("events.ndjson.gz")?;
    /// while let Some(piece) = reader.next_chunk().await? {
    ///     file.write_all(&piece)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn download<'a>(&'a self, api: &'a Api, download: Download) -> FileReader<'a> {
        FileReader { client: self, api, download, body: None }
    }

    /// How long a host may be silent.
    pub(crate) fn idle(&self) -> std::time::Duration {
        self.limits.attempt_timeout.unwrap_or(TransportLimits::DEFAULT_ATTEMPT_TIMEOUT)
    }

    /// One request for the file.
    pub(crate) async fn open(&self, request: Request<()>) -> Result<File, Failed> {
        if Handle::try_current().is_err() {
            return Err(TransportError::setup(ClientError::NoRuntime));
        }
        let asked = self.last_url.url(request.uri())?;
        let way = self.clients.way_to(request.uri());
        let http = self.clients.get(&asked, None)?;
        let (head, ()) = request.into_parts();
        let mut request = reqwest::Request::new(head.method, asked.clone());
        *request.headers_mut() = head.headers;
        let answer = timeout(self.idle(), http.execute(request)).await;
        let mut response = answer.ok_or_else(silent)?.map_err(|error| failure(error, way))?;
        // A client that its user brought may have followed a redirect.
        let status = if *response.url() == asked { response.status() } else { StatusCode::FOUND };
        let headers = std::mem::take(response.headers_mut());
        self.limits.check_head(status, &headers)?;
        Ok(File { status, headers, body: response })
    }

    /// The next piece of the file; `None` at its end.
    pub(crate) async fn read(&self, body: &mut Response) -> Result<Option<Bytes>, Failed> {
        let chunk = timeout(self.idle(), body.chunk()).await;
        chunk.ok_or_else(silent)?.map_err(|error| failure(error, Way::default()))
    }
}

fn silent() -> Failed {
    TransportError::timed_out(Delivery::Unknown)
}

/// An answer whose body is still to be read.
pub(crate) struct File {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Response,
}

/// A reader of the file of an export, still compressed; from [`Client::download`]. It keeps no more of the file in memory than
/// a piece. A host that breaks off, or is silent for [`attempt_timeout`](crate::ClientBuilder::attempt_timeout), 30 s if
/// that is not set, is a break: the same read resumes the download by itself. The whole file has no time-out, and no size is
/// refused as such.
///
/// A read fails with [`FlowError::FileBroken`](cometly_core::FlowError::FileBroken) after six breaks in a row without a byte,
/// with [`FileTooLong`](cometly_core::FlowError::FileTooLong) if the host sends more bytes than it said, with
/// [`FileChanged`](cometly_core::FlowError::FileChanged) if the file is another one now, and for what else
/// [`next_chunk`](Self::next_chunk) names. The next read goes on where the download was; but after `FileTooLong` or
/// `FileChanged` each one fails with `FileChanged`, until the download is taken out by [`into_download`](Self::into_download)
/// and [restarted](Download::restart).
#[must_use = "a file is fetched only as far as it is read"]
pub struct FileReader<'a> {
    client: &'a Client,
    api: &'a Api,
    download: Download,
    body: Option<Response>,
}

impl FileReader<'_> {
    /// The next piece of the file, still compressed; `None` at its end. If the host is silent for
    /// [`attempt_timeout`](crate::ClientBuilder::attempt_timeout), 30 s if that is not set, that is a break, and the download
    /// is resumed; the whole file has no time-out, and no size is refused as such. An expired URL is replaced by a fresh one
    /// from the API. The future can be dropped: nothing is lost. After an error, the next call goes on where the download was.
    /// To go on after [`FileChanged`](cometly_core::FlowError::FileChanged) or
    /// [`FileTooLong`](cometly_core::FlowError::FileTooLong), take the download out by [`into_download`](Self::into_download)
    /// and [restart](Download::restart) it.
    ///
    /// # Errors
    /// [`CallError`](cometly_core::CallError): of the kind [`Flow`](cometly_core::CallErrorKind::Flow) if the file was refused,
    /// has changed, is longer than its host said, broke off six times in a row without a byte, or its fresh URL may not be
    /// fetched; of another kind if the call for a fresh URL failed or its answer cannot be read, or if the failure would come
    /// again (setup, certificate, proxy, headers too large).
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            match self.download.next(self.api, now())? {
                Fetch::Open(request) => {
                    self.body = None;
                    match self.client.open(request).await {
                        Ok(file) => {
                            self.body = Some(file.body);
                            self.download.on_head(file.status, &file.headers, now())?;
                        }
                        Err(error) => self.download.on_failure(error, now())?,
                    }
                }
                Fetch::Read => {
                    let Some(body) = &mut self.body else {
                        self.download.on_break(now());
                        continue;
                    };
                    match self.client.read(body).await {
                        Ok(Some(chunk)) if chunk.is_empty() => {}
                        Ok(chunk) => {
                            self.download.on_read(chunk.as_ref().map_or(0, Bytes::len), now())?;
                            if chunk.is_some() {
                                return Ok(chunk);
                            }
                        }
                        Err(error) => self.download.on_failure(error, now())?,
                    }
                }
                Fetch::Renew(call) => {
                    let reply = self.client.send(call).await?.into_result()?;
                    self.download.on_renewed(&reply)?;
                }
                Fetch::Wait(pause) => sleep(pause).await,
                Fetch::End => return Ok(None),
            }
        }
    }

    /// The download, to read its progress from, also after an error: [`position`](Download::position) has the bytes so far, and
    /// [`total`](Download::total) the length of the file once it is known.
    pub fn download(&self) -> &Download {
        &self.download
    }

    /// Takes the download out, also after an error, at the position up to which the file was read: to go on with it in another
    /// reader, or to [restart](Download::restart) it.
    pub fn into_download(self) -> Download {
        self.download
    }
}

impl fmt::Debug for FileReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileReader").field("download", &self.download).finish_non_exhaustive()
    }
}
