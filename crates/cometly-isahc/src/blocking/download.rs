//! The file of an export, from its own host.

use std::io::{self, Read};

use cometly_core::{Api, Download};
use futures_lite::future::block_on;

use super::Client;
use crate::Error;

impl Client {
    /// Reads the file of an export, piece by piece and still gzipped. Nothing is sent before the first read; a download that
    /// breaks off is resumed, and an expired URL replaced by a fresh one from the API. The host may be silent for
    /// [`attempt_timeout`](crate::ClientBuilder::attempt_timeout), 30 s if that is not set; the whole file has no time-out, and
    /// no size is refused as such. A read fails with an [`io::Error`] that holds the [`Error`];
    /// [`try_read`](FileReader::try_read) says when.
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
#[derive(Debug)]
#[must_use = "a file is fetched only as far as it is read"]
pub struct FileReader<'a> {
    reader: crate::FileReader<'a>,
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
        block_on(self.reader.read(buffer))
    }

    /// The download, to read its progress from, also after an error: [`position`](Download::position) has the bytes so far, and
    /// [`total`](Download::total) the length of the file once it is known.
    pub fn download(&self) -> &Download {
        self.reader.download()
    }

    /// Takes the download out, also after an error, at the position up to which the file was read: to go on with it in another
    /// reader, or to [restart](Download::restart) it.
    pub fn into_download(self) -> Download {
        self.reader.into_download()
    }
}

/// Reads as [`try_read`](Self::try_read) does, within the same time-out, and fails where that fails. The [`io::Error`] has the
/// [`Error`] within, which [`io::Error::downcast`] gives back.
impl Read for FileReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.try_read(buffer).map_err(io::Error::other)
    }
}
