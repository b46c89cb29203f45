//! The file of an export, from its own host.

use std::io::{self, Read};

use cometly_core::{Api, Download};
use futures_lite::future::block_on;

use super::Client;
use crate::Error;

impl Client {
    /// Reads the file of an export, piece by piece, as [`download`](crate::Client::download) of the async client.
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

/// The file of an export; from [`Client::download`]. Holds no more of it than a read takes.
#[derive(Debug)]
#[must_use = "a file is fetched only as far as it is read"]
pub struct FileReader<'a> {
    reader: crate::FileReader<'a>,
}

impl FileReader<'_> {
    /// Reads a piece of the file; 0 bytes are its end. After an error it goes on where it was.
    ///
    /// # Errors
    /// As [`next_chunk`](crate::FileReader::next_chunk) of the async client.
    pub fn try_read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        block_on(self.reader.read(buffer))
    }

    /// The download, to look at: how far it is.
    pub fn download(&self) -> &Download {
        self.reader.download()
    }

    /// The download, to be taken up again, or to begin anew.
    pub fn into_download(self) -> Download {
        self.reader.into_download()
    }
}

/// The error is an [`Error`] within an [`io::Error`].
impl Read for FileReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.try_read(buffer).map_err(io::Error::other)
    }
}
