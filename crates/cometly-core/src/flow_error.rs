//! Why a job of many calls cannot go on.

use std::fmt;

use http::StatusCode;

use crate::DecodeError;

/// The longest cursor, in bytes.
pub(crate) const MAX_CURSOR_LEN: usize = 2048;

/// Why a flow cannot go on, beside the failure of a call.
#[non_exhaustive]
pub enum FlowError {
    /// An answer could not be read. Asked for the next step, the flow sends the same call again.
    Decode(DecodeError),
    /// The server gave a cursor for the second time, so the list would never end. A page that came back by a new cursor was
    /// given twice: only the cursor after it shows that.
    RepeatedCursor,
    /// The server did not know the cursor and answered with the first page, which was not given.
    BackAtFirstPage,
    /// The page does not say where the next one begins, nor that it is the last.
    MissingCursor,
    /// The next cursor is longer than [`Cursor::MAX_LEN`](crate::Cursor::MAX_LEN).
    CursorTooLong {
        /// Its bytes.
        found: usize,
    },
    /// The list has more pages than any: 1,000,000.
    TooManyPages,
    /// The answer to the order of an export was lost: the export may have been ordered, so it is not ordered again.
    OrderLost,
    /// The API has no export with this id.
    UnknownExport,
    /// The API answered with another export than was asked for.
    OtherExport,
    /// The export failed.
    ExportFailed,
    /// The export is completed and has no URL.
    NoDownloadUrl,
    /// The export was not completed in the time that it was given.
    ExportTooSlow,
    /// The flow was not done in the time that it was given. Its place is kept.
    OutOfTime,
    /// The URL of the file is none that may be fetched.
    Url(UrlProblem),
    /// The server of the file answered with another status than 200 or 206.
    FileRefused {
        /// The status.
        status: StatusCode,
    },
    /// The download cannot be resumed where it stopped: the file has changed, or the server sends it from its beginning.
    /// [`Download::restart`](crate::Download::restart) begins anew.
    FileChanged,
    /// The server sent more of the file than it said.
    FileTooLong,
    /// The download broke off several times in a row without a byte of progress.
    FileBroken,
}

/// Why the `download_url` of an export is not fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UrlProblem {
    /// It is no URL that every client reads the same.
    Malformed,
    /// It is plain http to another machine, and not to the host of a base URL from
    /// [`BaseUrl::insecure_http`](crate::BaseUrl::insecure_http); or to this machine, from an API elsewhere.
    Insecure,
    /// It names the API itself, which has no files.
    Api,
    /// It names another host than the file had before.
    OtherHost,
}

debug_as_display!(FlowError);

impl fmt::Display for FlowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Decode(error) => return error.fmt(f),
            Self::RepeatedCursor => {
                "the server gave a cursor for the second time, so the list would never end; a page may have been given \
                 twice: tell Cometly"
            }
            Self::BackAtFirstPage => {
                "the server did not know the cursor and answered with the first page, none of which was given; begin \
                 without a cursor, or with one that a page gave"
            }
            Self::MissingCursor => {
                "the page does not say where the next one begins, nor that it is the last: expected next_cursor, a text \
                 or null"
            }
            Self::CursorTooLong { found } => {
                return write!(f, "the server gave a cursor of {found} bytes: expected at most {MAX_CURSOR_LEN}");
            }
            Self::TooManyPages => "the list has more than 1,000,000 pages: ask for a shorter time",
            Self::OrderLost => {
                "the answer to the order of the export was lost: it may have been ordered, so it is not ordered again by \
                 itself; call `order_again` if a second export does no harm"
            }
            Self::UnknownExport => "the API has no export with this id: check the id, and that the key is of its Space",
            Self::OtherExport => "the API answered with another export than was asked for",
            Self::ExportFailed => "the export failed: order it again",
            Self::NoDownloadUrl => "the export is completed, and the answer has no download_url",
            Self::ExportTooSlow => {
                "the export was not completed in the time that it was given; its id is still good: ask after it later"
            }
            Self::OutOfTime => {
                "the job was not done in the time that it was given; its place is kept: give it more time"
            }
            Self::Url(problem) => return problem.fmt(f),
            Self::FileRefused { status } => {
                return write!(f, "the server of the file answered with HTTP {}: expected 200 or 206", status.as_u16());
            }
            Self::FileChanged => {
                "the download cannot be resumed where it stopped: the file has changed, or is sent from its beginning only; \
                 call `restart` and drop what was written"
            }
            Self::FileTooLong => "the server sent more of the file than it said: what was written is not the file",
            Self::FileBroken => {
                "the download broke off several times in a row without a byte of progress: resume it later"
            }
        };
        f.write_str(text)
    }
}

impl fmt::Display for UrlProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the download_url is no plain URL: expected https://host/path",
            Self::Insecure => "the download_url is not https to another machine: the file was not fetched",
            Self::Api => "the download_url names the API itself: expected another host",
            Self::OtherHost => "the new download_url names another host than the one before: the file was not fetched",
        })
    }
}

impl std::error::Error for FlowError {}

impl From<DecodeError> for FlowError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}
