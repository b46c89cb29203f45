//! The file of an export, from its own host.

use std::{
    fmt,
    io::{self, Read},
    thread::sleep,
};

use bytes::{Buf as _, Bytes};
use cometly_core::{Api, Download, Fetch, Moment};
use reqwest::Response;

use super::Client;
use crate::Error;

impl Client {
    /// Reads the file of an export, piece by piece; what [`download`](crate::Client::download) of the async client says of it
    /// holds here too.
    ///
    /// ```no_run
    /// # use cometly_reqwest::{blocking::Client, cometly_core::{Api, Download}};
    /// # fn save(client: &Client, api: &Api, download: Download) -> std::io::Result<()> {
    /// std::io::copy(&mut client.download(api, download), &mut std::fs::File::create("events.ndjson.gz")?)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn download<'a>(&'a self, api: &'a Api, download: Download) -> FileReader<'a> {
        FileReader { client: self, api, download, body: None, chunk: Bytes::new() }
    }
}

/// A reader of the file of an export; from [`Client::download`]. It keeps no more of the file in memory than a piece.
#[must_use = "a file is fetched only as far as it is read"]
pub struct FileReader<'a> {
    client: &'a Client,
    api: &'a Api,
    download: Download,
    body: Option<Response>,
    /// What came of the file and is not taken yet; the download does not count it.
    chunk: Bytes,
}

impl FileReader<'_> {
    /// Reads the next bytes of the file into `buffer` and gives their number; 0 at the end of the file. After an error, the
    /// next call goes on where the download was; but after [`FileChanged`](cometly_core::FlowError::FileChanged) or
    /// [`FileTooLong`](cometly_core::FlowError::FileTooLong) the download, taken out by [`into_download`](Self::into_download),
    /// has to be [restarted](Download::restart).
    ///
    /// # Errors
    /// As [`next_chunk`](crate::FileReader::next_chunk) of the async client.
    pub fn try_read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.download.next(self.api, Moment::now())? {
                Fetch::Open(request) => {
                    (self.body, self.chunk) = (None, Bytes::new());
                    match self.client.wait(self.client.inner.open(request)) {
                        Ok(file) => {
                            self.body = Some(file.body);
                            self.download.on_head(file.status, &file.headers, Moment::now())?;
                        }
                        Err(error) => self.download.on_failure(error, Moment::now())?,
                    }
                }
                Fetch::Read if !self.chunk.is_empty() => {
                    let len = self.chunk.len().min(buffer.len());
                    self.chunk.copy_to_slice(buffer.get_mut(..len).unwrap_or_default());
                    self.download.on_read(len, Moment::now())?;
                    return Ok(len);
                }
                Fetch::Read => self.fill()?,
                Fetch::Renew(call) => {
                    let reply = self.client.send(call)?.into_result()?;
                    self.download.on_renewed(&reply)?;
                }
                Fetch::Wait(pause) => sleep(pause),
                Fetch::End => return Ok(0),
            }
        }
    }

    /// Gets the next piece from the runtime.
    fn fill(&mut self) -> Result<(), Error> {
        let Some(body) = &mut self.body else {
            self.download.on_break(Moment::now());
            return Ok(());
        };
        match self.client.wait(self.client.inner.read(body)) {
            Ok(Some(chunk)) => self.chunk = chunk,
            Ok(None) => self.download.on_read(0, Moment::now())?,
            Err(error) => self.download.on_failure(error, Moment::now())?,
        }
        Ok(())
    }

    /// The download, to read its progress from.
    pub fn download(&self) -> &Download {
        &self.download
    }

    /// The download, to go on with it in another reader, or to [restart](Download::restart) it.
    pub fn into_download(self) -> Download {
        self.download
    }
}

/// Reads as [`try_read`](Self::try_read) does. The [`io::Error`] has the [`Error`] within, which [`io::Error::downcast`] gives
/// back.
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
