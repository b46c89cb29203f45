//! The file of an export, from its own host.

use std::{fmt, time::Duration};

use async_io::Timer;
use bytes::{Buf as _, Bytes};
use cometly_core::{Api, Download, Fetch, Moment, TransportError, TransportLimits};
use futures_lite::AsyncReadExt as _;
use http::{Request, Response};
use isahc::AsyncBody;

use crate::{
    Client, Error,
    convert::{self, Length, ends_when_silent, forced, proxy_uri},
    failure::{failure, io_failure},
    stream::unless_silent,
};

/// How much of the file is read at once.
const PIECE: usize = 16_384;

type Failed = TransportError<isahc::Error>;

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
    /// # use cometly_isahc::{Client, cometly_core::{Api, Download}};
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
        FileReader { client: self, api, download, body: None, first: Bytes::new(), buffer: Vec::new() }
    }

    /// How long a host may be silent.
    pub(crate) fn idle(&self) -> Duration {
        self.limits.attempt_timeout.unwrap_or(TransportLimits::DEFAULT_ATTEMPT_TIMEOUT)
    }

    /// One request for the file, and its first piece: without it, a head that was cut looks like a whole one.
    async fn open(&self, request: Request<()>) -> Result<(Response<Bytes>, AsyncBody), Failed> {
        let proxy = self.proxies.proxy_for(request.uri());
        let uri = proxy.map(proxy_uri).transpose()?;
        let request = convert::request(request.map(|()| Bytes::new()), self.may_reuse, |settings| {
            let settings = forced(settings, TransportLimits::MAX_TIMEOUT, self.limits.connect_timeout, uri);
            ends_when_silent(settings, self.idle())
        })?;
        let http = self.clients.current(false);
        let way = self.way(proxy, self.idle());
        let sending = async { http.send_async(request).await.map_err(|error| failure(error, way)) };
        let (head, mut body) = unless_silent(self.idle(), sending).await?.into_parts();
        let head = convert::head(isahc::http::Response::from_parts(head, ()))?;
        self.limits.check_head(head.status(), head.headers())?;
        let length = Length::of(head.status(), head.headers())?;
        let mut first = vec![0; PIECE];
        let len = self.read(&mut body, &mut first).await?;
        if len == 0 {
            length.check(0)?;
        }
        first.truncate(len);
        Ok((head.map(|()| first.into()), body))
    }

    async fn read(&self, body: &mut AsyncBody, buffer: &mut [u8]) -> Result<usize, Failed> {
        unless_silent(self.idle(), async { body.read(buffer).await.map_err(io_failure) }).await
    }
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
    body: Option<AsyncBody>,
    /// What came with the head and is not taken yet; the download does not count it.
    first: Bytes,
    /// For [`next_chunk`](FileReader::next_chunk).
    buffer: Vec<u8>,
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
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(PIECE, 0);
        let read = self.read(&mut buffer).await;
        let chunk = Bytes::copy_from_slice(read.as_ref().ok().and_then(|len| buffer.get(..*len)).unwrap_or_default());
        self.buffer = buffer;
        read.map(|len| (len > 0).then_some(chunk))
    }

    /// Reads the next bytes of the file into `buffer` and gives their number; 0 at the end of the file, and for an empty `buffer`.
    /// Otherwise as [`next_chunk`](FileReader::next_chunk), with the same time-out and without a limit of size, but without a copy.
    ///
    /// # Errors
    /// As [`next_chunk`](FileReader::next_chunk): [`CallError`](cometly_core::CallError) if the file was refused, has changed,
    /// is longer than its host said, or broke off six times in a row without a byte; if no fresh URL was had; or if the failure
    /// would come again (setup, certificate, proxy, headers too large).
    pub async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.download.next(self.api, Moment::now())? {
                Fetch::Open(request) => {
                    (self.body, self.first) = (None, Bytes::new());
                    match self.client.open(request).await {
                        Ok((answer, body)) => {
                            let (head, first) = answer.into_parts();
                            (self.body, self.first) = (Some(body), first);
                            self.download.on_head(head.status, &head.headers, Moment::now())?;
                        }
                        Err(error) => self.download.on_failure(error, Moment::now())?,
                    }
                }
                Fetch::Read if !self.first.is_empty() => {
                    let len = self.first.len().min(buffer.len());
                    self.first.copy_to_slice(buffer.get_mut(..len).unwrap_or_default());
                    self.download.on_read(len, Moment::now())?;
                    return Ok(len);
                }
                Fetch::Read => {
                    let Some(body) = &mut self.body else {
                        self.download.on_break(Moment::now());
                        continue;
                    };
                    match self.client.read(body, buffer).await {
                        Ok(len) => {
                            self.download.on_read(len, Moment::now())?;
                            if len > 0 {
                                return Ok(len);
                            }
                        }
                        Err(error) => self.download.on_failure(error, Moment::now())?,
                    }
                }
                Fetch::Renew(call) => {
                    let reply = self.client.send(call).await?.into_result()?;
                    self.download.on_renewed(&reply)?;
                }
                Fetch::Wait(pause) => {
                    Timer::after(pause).await;
                }
                Fetch::End => return Ok(0),
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
