//! Files as people have them: gzip is read, a byte order mark is passed over, and what is neither UTF-8 nor gzip is refused by
//! its name.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use flate2::read::MultiGzDecoder;

use crate::failure::Failure;

/// Some programs begin a file with it.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// As much of a file as tells what it is.
pub(crate) const HEAD_LEN: usize = 8;

/// How many seconds a named pipe may be without a writer.
#[cfg(unix)]
const PIPE_TIMEOUT: u8 = 5;

type Start = (&'static [u8], &'static str, &'static str);

const GZIP: &[u8] = b"\x1f\x8b";
const UTF16: Start = (b"\xff\xfe", "UTF-16", "convert it: iconv -f UTF-16 -t UTF-8");
/// How files begin that are refused, and what they are.
const REFUSED: [Start; 7] = [
    UTF16,
    (b"\xfe\xff", "UTF-16", "convert it: iconv -f UTF-16 -t UTF-8"),
    (b"\0\0\xfe\xff", "UTF-32", "convert it: iconv -f UTF-32 -t UTF-8"),
    (b"PK\x03\x04", "a zip archive, as spreadsheets are", "unpack it, or export the sheet as CSV"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "unpack it: zstd -d"),
    (b"BZh", "compressed with bzip2", "unpack it: bunzip2"),
    (b"\xfd7zXZ", "compressed with xz", "unpack it: unxz"),
];

/// What a file holds that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Text,
    Gzip,
}

/// Tells from its first bytes what a file is.
pub(crate) fn content(head: &[u8], name: &Path) -> Result<Content, Failure> {
    let is_wide = |head: &[u8]| matches!(head, [0, letter, 0, ..] | [letter, 0, _, 0, ..] if *letter != 0);
    let refused = REFUSED.iter().find(|(start, ..)| head.starts_with(start));
    let (_, what, todo) = match refused {
        Some(refused) => refused,
        // Without a byte order mark each second byte is a zero.
        None if is_wide(head) => &UTF16,
        None if head.starts_with(GZIP) => return Ok(Content::Gzip),
        None => return Ok(Content::Text),
    };
    Err(Failure::usage(format!("{} is {what}: expected UTF-8, plain or compressed with gzip", name.display()))
        .advise(*todo))
}

/// What gzip holds; half a file is an error, and so is something else behind it.
pub(crate) fn unpacked<R: Read>(reader: R) -> MultiGzDecoder<R> {
    MultiGzDecoder::new(reader)
}

pub(crate) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// Opens a file to be read. A named pipe that no program opens for writing is an error after [`PIPE_TIMEOUT`]; plain `open` would
/// wait for one for ever.
#[cfg(unix)]
pub(crate) fn open(path: &Path) -> Result<File, Failure> {
    use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};

    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        fs::{OFlags, fcntl_getfl, fcntl_setfl},
    };

    let failed = |error: io::Error| Failure::file("read", path, &error);
    if !path.metadata().map_err(failed)?.file_type().is_fifo() {
        return File::open(path).map_err(failed);
    }
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let pipe = File::options().read(true).custom_flags(nonblocking).open(path).map_err(failed)?;
    let timeout = Timespec { tv_sec: PIPE_TIMEOUT.into(), tv_nsec: 0 };
    loop {
        let ready = poll(&mut [PollFd::new(&pipe, PollFlags::IN)], Some(&timeout));
        match ready {
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(failed(error.into())),
            Ok(0) => {}
            Ok(_) => break,
        }
        // Without a writer it is at its end; with one that takes its time it would block.
        match (&pipe).read(&mut [0; 1]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => {
                return Err(Failure::local(format!(
                    "{} is a pipe that no program opened for writing within {PIPE_TIMEOUT} s",
                    path.display()
                ))
                .advise("start the program that writes to it first, or give a file"));
            }
        }
    }
    let flags = fcntl_getfl(&pipe).map_err(|error| failed(error.into()))?;
    fcntl_setfl(&pipe, flags.difference(OFlags::NONBLOCK)).map_err(|error| failed(error.into()))?;
    Ok(pipe)
}

#[cfg(not(unix))]
pub(crate) fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| Failure::file("read", path, &error))
}

/// All of a file of at most `max_size` bytes, unpacked and without a byte order mark.
pub(crate) fn read(reader: &mut dyn Read, name: &Path, max_size: u64) -> Result<Vec<u8>, Failure> {
    let mut text = bounded(reader, name, max_size)?;
    if content(head(&text), name)? == Content::Gzip {
        text = bounded(&mut unpacked(text.as_slice()), name, max_size)?;
        if content(head(&text), name)? == Content::Gzip {
            return Err(Failure::usage(format!("{} is compressed twice", name.display())).advise("unpack it: gunzip"));
        }
    }
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(text)
}

fn head(text: &[u8]) -> &[u8] {
    text.get(..HEAD_LEN).unwrap_or(text)
}

fn bounded(reader: &mut dyn Read, name: &Path, max_size: u64) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let read: io::Result<_> = reader.take(max_size.saturating_add(1)).read_to_end(&mut text);
    let length = read.map_err(|error| Failure::file("read", name, &error))?;
    if u64::try_from(length).is_ok_and(|length| length > max_size) {
        return Err(Failure::usage(format!(
            "{} is larger than the {} MiB that are expected",
            name.display(),
            max_size >> 20
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn read_all(mut file: &[u8]) -> Result<Vec<u8>, String> {
        read(&mut file, Path::new("f"), 1 << 20).map_err(|failure| failure.to_string())
    }

    #[test]
    fn text_is_read_with_a_mark_or_packed() {
        for file in [
            b"{}".to_vec(),
            b"\xef\xbb\xbf{}".to_vec(),
            gzip(b"{}"),
            gzip(b"\xef\xbb\xbf{}"),
            [gzip(b"{"), gzip(b"}")].concat(),
        ] {
            assert_eq!(read_all(&file).as_deref(), Ok(&b"{}"[..]));
        }
        for short in [&b""[..], b"\0", b"1", b"\xef"] {
            assert_eq!(read_all(short).as_deref(), Ok(short));
        }
    }

    #[test]
    fn what_is_something_else_is_refused_by_its_name() {
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        for (file, name) in [
            (utf16("\u{feff}{}"), "UTF-16"),
            (utf16("{\"a\":1}"), "UTF-16"),
            ("{\"a\":1}".encode_utf16().flat_map(u16::to_be_bytes).collect(), "UTF-16"),
            (gzip(&utf16("\u{feff}{}")), "UTF-16"),
            (gzip(&gzip(b"{}")), "twice"),
            (b"PK\x03\x04xxxx".to_vec(), "zip"),
            (b"\x28\xb5\x2f\xfdxxxx".to_vec(), "zstd"),
            (gzip(&vec![b' '; 2 << 20]), "larger than the 1 MiB"),
            (gzip(b"{\"a\": 1}")[..15].to_vec(), "cannot read f"),
        ] {
            assert!(read_all(&file).unwrap_err().contains(name), "{name}: {:?}", read_all(&file));
        }
    }
}
