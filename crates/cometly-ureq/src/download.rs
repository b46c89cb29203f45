//! The file of an export, from its own host.

use std::{
    fmt,
    io::{self, Read},
    thread::sleep,
    time::{Duration, Instant},
};

use cometly_core::{Api, Download, Fetch, Moment, TransportError, TransportLimits};
use http::{Request, response::Parts};
use ureq::BodyReader;

use crate::{
    Client, Error,
    agents::{forced, ureqs_proxy},
    connect::until,
    failure::{failure, failure_through},
};

impl Client {
    /// Reads the file of an export, piece by piece and as it is: gzipped NDJSON, which `cometly::ExportLines` unpacks. The
    /// host of the file gets no key and no header of the [`Api`]; no redirect is followed. If the connection breaks off, the
    /// download is resumed where it was, and once its URL has expired, with a fresh one from the API. Nothing is sent before
    /// the first read.
    ///
    /// There is no time-out for the whole file: its host may be silent for
    /// [`attempt_timeout`](crate::ClientBuilder::attempt_timeout), 30 s if that is not set. The largest size of a body,
    /// [`max_body_size`](crate::ClientBuilder::max_body_size), does not count here. A read fails with an [`io::Error`] that
    /// holds the [`Error`]; [`try_read`](FileReader::try_read) says when.
    ///
    /// ```no_run
    /// # use cometly_ureq::{Client, cometly_core::{Api, Download}};
    /// # fn save(client: &Client, api: &Api, download: Download) -> std::io::Result<()> {
    /// std::io::copy(&mut client.download(api, download), &mut std::fs::File::create("events.ndjson.gz")?)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn download<'a>(&'a self, api: &'a Api, download: Download) -> FileReader<'a> {
        FileReader { client: self, api, download, body: None }
    }

    /// How long a host may be silent.
    pub(crate) fn idle(&self) -> Duration {
        self.limits.attempt_timeout.unwrap_or(TransportLimits::DEFAULT_ATTEMPT_TIMEOUT)
    }

    /// When a piece that is asked for now has to be there.
    pub(crate) fn piece_end(&self) -> Option<Instant> {
        Instant::now().checked_add(self.idle())
    }

    /// One request for the file.
    fn open(&self, request: Request<()>) -> Result<(Parts, BodyReader<'static>), TransportError<ureq::Error>> {
        let idle = self.idle();
        let agent = self.agents.current();
        let proxy = self.agents.proxy_on_request(request.uri());
        let ureqs = proxy.map(ureqs_proxy).transpose().map_err(failure)?;
        let request = forced!(agent.configure_request(request), self.limits, ureqs, idle)
            .timeout_global(None)
            .timeout_recv_response(Some(idle))
            .timeout_per_read(Some(idle))
            .build();
        let answer = until(self.piece_end(), || agent.run(request));
        let (head, body) =
            answer.map_err(|error| failure_through(error, proxy, self.limits.connect_timeout))?.into_parts();
        self.limits.check_head(head.status, &head.headers)?;
        Ok((head, body.into_with_config().limit(u64::MAX).reader()))
    }
}

/// A reader of the file of an export, still compressed; from [`Client::download`]. It keeps no more of the file in memory than
/// a read takes. A host that breaks off, or is silent for [`attempt_timeout`](crate::ClientBuilder::attempt_timeout), 30 s if
/// that is not set, is a break: the same read resumes the download by itself. The whole file has no time-out, and no size is
/// refused as such.
///
/// A read fails with [`FlowError::FileBroken`](cometly_core::FlowError::FileBroken) after six breaks in a row without a byte,
/// with [`FileTooLong`](cometly_core::FlowError::FileTooLong) if the host sends more bytes than it said, with
/// [`FileChanged`](cometly_core::FlowError::FileChanged) if the file is another one now, and for what else
/// [`try_read`](Self::try_read) names. The next read goes on where the download was; but after `FileTooLong` or `FileChanged`
/// each one fails with `FileChanged`, until the download is taken out by [`into_download`](Self::into_download) and
/// [restarted](Download::restart).
#[must_use = "a file is fetched only as far as it is read"]
pub struct FileReader<'a> {
    client: &'a Client,
    api: &'a Api,
    download: Download,
    body: Option<BodyReader<'static>>,
}

impl FileReader<'_> {
    /// Blocks until bytes of the file have come, reads them into `buffer`, still compressed, and gives their number; 0 at the
    /// end of the file, and for an empty `buffer`. If the host is silent for
    /// [`attempt_timeout`](crate::ClientBuilder::attempt_timeout), 30 s if that is not set, that is a break, and the download
    /// is resumed; the whole file has no time-out, and no size is refused as such. An expired URL is replaced by a fresh one
    /// from the API. After an error, the next call goes on where the download was. To go on after
    /// [`FileChanged`](cometly_core::FlowError::FileChanged) or [`FileTooLong`](cometly_core::FlowError::FileTooLong), take the
    /// download out by [`into_download`](Self::into_download) and [restart](Download::restart) it.
    ///
    /// # Errors
    /// [`CallError`](cometly_core::CallError): of the kind [`Flow`](cometly_core::CallErrorKind::Flow) if the file was refused,
    /// has changed, is longer than its host said, broke off six times in a row without a byte, or its fresh URL may not be
    /// fetched; of another kind if the call for a fresh URL failed or its answer cannot be read, or if the failure would come
    /// again (setup, certificate, proxy, headers too large).
    pub fn try_read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.download.next(self.api, Moment::now())? {
                Fetch::Open(request) => {
                    self.body = None;
                    match self.client.open(request) {
                        Ok((head, body)) => {
                            self.body = Some(body);
                            self.download.on_head(head.status, &head.headers, Moment::now())?;
                        }
                        Err(error) => self.download.on_failure(error, Moment::now())?,
                    }
                }
                Fetch::Read => {
                    match self.body.as_mut().map(|body| until(self.client.piece_end(), || body.read(buffer))) {
                        Some(Ok(len)) => {
                            self.download.on_read(len, Moment::now())?;
                            if len > 0 {
                                return Ok(len);
                            }
                        }
                        Some(Err(error)) => self.download.on_failure(failure(error.into()), Moment::now())?,
                        None => self.download.on_break(Moment::now()),
                    }
                }
                Fetch::Renew(call) => {
                    let reply = self.client.send(call)?.into_result()?;
                    self.download.on_renewed(&reply)?;
                }
                Fetch::Wait(pause) => sleep(pause),
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

/// Reads as [`try_read`](Self::try_read) does, within the same time-out, and fails where that fails. The [`io::Error`] has the
/// [`Error`] within, which [`io::Error::downcast`] gives back.
impl Read for FileReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.try_read(buffer).map_err(io::Error::other)
    }
}

impl fmt::Debug for FileReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileReader").field("download", &self.download).finish_non_exhaustive()
    }
}
