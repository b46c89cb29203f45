//! The file of an export, from its own host.

use std::io::{self, Read};

use cometly_core::{Api, Download};
use futures_lite::future::block_on;

use super::Client;
use crate::Error;

impl Client {
    /// Reads the file of an export, piece by piece; what [`download`](crate::Client::download) of the async client says of it
    /// holds here too.
    ///
    /// ```no_run
    /// # use cometly_isahc::{blocking::Client, cometly_core::{Api, Download}};
    /// # fn save(client: &Client, api: &Api, download: Download) -> std::io::Result<()> {
    /// std::io::copy(&mut client.download(api, download), &mut std::fs::File::create("events.ndjson.gz")?)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn download<'a>(&'a self, api: &'a Api, download: Download) -> FileReader<'a> {
        FileReader { reader: self.client.download(api, download) }
    }
}

/// A reader of the file of an export; from [`Client::download`]. It keeps no more of the file in memory than a read takes.
#[derive(Debug)]
#[must_use = "a file is fetched only as far as it is read"]
pub struct FileReader<'a> {
    reader: crate::FileReader<'a>,
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
        block_on(self.reader.read(buffer))
    }

    /// The download, to read its progress from.
    pub fn download(&self) -> &Download {
        self.reader.download()
    }

    /// The download, to go on with it in another reader, or to [restart](Download::restart) it.
    pub fn into_download(self) -> Download {
        self.reader.into_download()
    }
}

/// Reads as [`try_read`](Self::try_read) does. The [`io::Error`] has the [`Error`] within, which [`io::Error::downcast`] gives
/// back.
impl Read for FileReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.try_read(buffer).map_err(io::Error::other)
    }
}
