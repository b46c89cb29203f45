//! The file of an export, from its own host.

use std::{fmt, pin::pin};

use cometly_core::{
    Api, Download, Fetch, Redirected,
    bytes::Bytes,
    http::{HeaderMap, Request, StatusCode},
};
use http_body_util::Full;

use crate::{Client, Error, Host, HttpService, clock::Clock, error::Failure, exchange::head, pieces::Pieces};

impl<S: HttpService, H: Host> Client<S, H> {
    /// Reads the file of an export, piece by piece and as it is: gzipped NDJSON, which `cometly::ExportLines` unpacks. The
    /// host of the file gets no key and no header of the [`Api`]; a redirect is not taken for the file. If the connection
    /// breaks off, the download is resumed where it was, and once its URL has expired, with a fresh one from the API. Nothing
    /// is sent before the first read.
    ///
    /// There is no time-out for the whole file: its host may be silent for [`attempt_timeout`](Client::attempt_timeout), 30 s
    /// if that is not set. The largest size of a body, [`max_body_size`](Client::max_body_size), does not count here.
    /// [`next_chunk`](FileReader::next_chunk) says when reading fails.
    ///
    /// ```
    /// # use cometly_tower::{Client, Host, HttpService, cometly_core::{Api, Download}};
    /// # use std::io::Write as _;
    /// # async fn save<S: HttpService, H: Host>(client: &Client<S, H>, api: &Api, download: Download) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut reader = client.download(api, download);
    /// let mut file = std::fs::File::create("events.ndjson.gz")?;
    /// while let Some(piece) = reader.next_chunk().await? {
    ///     file.write_all(&piece)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn download<'a>(&'a self, api: &'a Api, download: Download) -> FileReader<'a, S, H> {
        FileReader { client: self, clock: self.clock(), api, download, body: None }
    }
}

/// A reader of the file of an export, still compressed; from [`Client::download`]. It keeps no more of the file in memory than
/// a piece. A host that breaks off, or is silent for [`attempt_timeout`](Client::attempt_timeout), 30 s if
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
pub struct FileReader<'a, S: HttpService, H> {
    client: &'a Client<S, H>,
    clock: Clock<H>,
    api: &'a Api,
    download: Download,
    body: Option<Pieces<S::Body>>,
}

impl<S: HttpService, H: Host> FileReader<'_, S, H> {
    /// The next piece of the file, still compressed; `None` at its end. If the host is silent for
    /// [`attempt_timeout`](Client::attempt_timeout), 30 s if that is not set, that is a break, and the download is resumed; the
    /// whole file has no time-out, and no size is refused as such. An expired URL is replaced by a fresh one from the API. The
    /// future can be dropped: nothing is lost. After an error, the next call goes on where the download was. To go on after
    /// [`FileChanged`](cometly_core::FlowError::FileChanged) or [`FileTooLong`](cometly_core::FlowError::FileTooLong), take the
    /// download out by [`into_download`](Self::into_download) and [restart](Download::restart) it.
    ///
    /// # Errors
    /// [`CallError`](cometly_core::CallError): of the kind [`Flow`](cometly_core::CallErrorKind::Flow) if the file was refused,
    /// has changed, is longer than its host said, broke off six times in a row without a byte, or its fresh URL may not be
    /// fetched; of another kind if the call for a fresh URL failed or its answer cannot be read, or if the failure would come
    /// again (setup, certificate, proxy, headers too large).
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            match self.download.next(self.api, self.clock.now())? {
                Fetch::Open(request) => {
                    self.body = None;
                    match self.open(request).await {
                        Ok((status, headers)) => self.download.on_head(status, &headers, self.clock.now())?,
                        Err(error) => self.download.on_failure(error, self.clock.now())?,
                    }
                }
                Fetch::Read => match self.read().await {
                    Ok(piece) => {
                        self.download.on_read(piece.len(), self.clock.now())?;
                        if !piece.is_empty() {
                            return Ok(Some(piece));
                        }
                    }
                    Err(error) => self.download.on_failure(error, self.clock.now())?,
                },
                Fetch::Renew(call) => {
                    let reply = self.client.send(call).await?.into_result()?;
                    self.download.on_renewed(&reply)?;
                }
                Fetch::Wait(pause) => self.clock.sleep(pause).await,
                Fetch::End => return Ok(None),
            }
        }
    }

    /// One request for the file.
    async fn open(&mut self, request: Request<()>) -> Result<(StatusCode, HeaderMap), Failure> {
        let (mut service, limits, idle) = (self.client.service(), self.client.limits, self.client.idle());
        let end = self.clock.now().saturating_add(idle);
        let mut timer = self.clock.clone();
        let deadline = pin!(timer.sleep(idle));
        let request = request.map(|()| Full::default());
        let (head, body) = head(&mut service, &mut self.clock, end, deadline, request, &limits).await?.into_parts();
        let is_redirected = head.extensions.get::<Redirected>().is_some();
        self.body = Some(Pieces::new(body, limits, head.status));
        Ok((if is_redirected { StatusCode::FOUND } else { head.status }, head.headers))
    }

    /// The next piece of the file; an empty one at its end, or if there is none to be read.
    async fn read(&mut self) -> Result<Bytes, Failure> {
        let idle = self.client.idle();
        let end = self.clock.now().saturating_add(idle);
        let mut timer = self.clock.clone();
        let deadline = pin!(timer.sleep(idle));
        let mut piece = Vec::new();
        if let Some(body) = &mut self.body {
            body.next(&mut self.clock, end, deadline, &mut piece).await?;
        }
        Ok(piece.into())
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

impl<S: HttpService, H> fmt::Debug for FileReader<'_, S, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileReader").field("download", &self.download).finish_non_exhaustive()
    }
}
