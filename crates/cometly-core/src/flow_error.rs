//! Why a job of many calls cannot go on.

use std::fmt;

use http::StatusCode;

use crate::DecodeError;

/// The longest cursor, in bytes.
pub(crate) const MAX_CURSOR_LEN: usize = 2048;

/// Why a [`Flow`](crate::Flow) or a [`Download`](crate::Download) cannot go on, beside the failure of a call. In a loop of your
/// own it comes from [`Flow::next`](crate::Flow::next), [`Download::next`](crate::Download::next) and the steps that take an
/// answer; a client gives it in [`CallError::flow_error`](crate::CallError::flow_error), but for `Decode`.
#[non_exhaustive]
pub enum FlowError {
    /// An answer could not be read. A later step sends the same call again. As a [`CallError`](crate::CallError) it is of the
    /// kind [`Decode`](crate::CallErrorKind::Decode).
    Decode(DecodeError),
    /// The server gave a cursor of the list for the second time, so the list would never end. If it led back to a page that was
    /// given before, that page was given twice.
    RepeatedCursor,
    /// The server answered with the first page of the list in place of the one at the cursor, as one does that does not know the
    /// cursor. That answer was not given. A server that leads back by cursors it did not give before has given pages twice by then.
    BackAtFirstPage,
    /// A page of a list does not say where the next one begins, nor that it is the last. That page was given.
    MissingCursor,
    /// The server gave a next cursor that is longer than [`Cursor::MAX_LEN`](crate::Cursor::MAX_LEN), 2048 bytes. The page that
    /// has it was given.
    CursorTooLong {
        /// The length of that cursor in bytes.
        found: usize,
    },
    /// 1,000,000 pages of one list were given, and the list has more.
    TooManyPages,
    /// The answer to the order of an export was lost, or could not be read: the export may have been ordered, so it is not
    /// ordered again until [`ExportJob::order_again`](crate::ExportJob::order_again).
    OrderLost,
    /// The API has no export with this id (404), as when the key is of another Space. A later step asks again.
    UnknownExport,
    /// The API answered with another export than the one that was asked for. A later step asks again.
    OtherExport,
    /// The API says that the export failed: there will be no file, and each later step fails in the same way. Order a new
    /// export.
    ExportFailed,
    /// There is no URL of the file: the export is not completed, or it is and the answer does not have the URL.
    NoDownloadUrl,
    /// The export was not completed in the time of [`ExportJob::within`](crate::ExportJob::within), a day by default. Its id
    /// stays valid.
    ExportTooSlow,
    /// The flow was not done in the time that `within` of its run allows ([`Running::within`](crate::Running::within)), or its
    /// next wait does not fit into what is left. It keeps its place.
    OutOfTime,
    /// The URL of the export's file may not be fetched, for this reason; nothing was sent to it.
    Url(UrlProblem),
    /// The server of the file answered with a status that does not give the file: 400, 401, 403, 404 or 410 to a URL and to two
    /// fresh ones after it, or at once a status that [`Download::on_head`](crate::Download::on_head) does not name, such as a
    /// redirect. A later step tries again.
    FileRefused {
        /// The HTTP status of that answer.
        status: StatusCode,
    },
    /// The download cannot be resumed where it stopped: the file has changed, or the server sends it from its beginning only.
    /// [`Download::restart`](crate::Download::restart) begins again at the first byte.
    FileChanged,
    /// The server sent more bytes of the file than it said that it has. What was written is not the file, and later steps fail
    /// with [`FileChanged`](Self::FileChanged) until [`Download::restart`](crate::Download::restart).
    FileTooLong,
    /// The download broke off six times in a row without a byte of progress. A later step tries again, at the byte where the
    /// download stopped.
    FileBroken,
}

/// Why the `download_url` of an export is not fetched; from [`FlowError::Url`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UrlProblem {
    /// The text is no URL with a plain host that every client reads the same, or it is longer than 8000 bytes.
    Malformed,
    /// The URL is plain `http` to another machine, and not to the host of a base URL from
    /// [`BaseUrl::insecure_http`](crate::BaseUrl::insecure_http); or it leads to this machine while the API is elsewhere.
    Insecure,
    /// The URL has the scheme, host and port of the API itself, which has no files.
    Api,
    /// A fresh URL has another scheme, host or port than the first one of the file.
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
                "the server answered with the first page of the list and not with the one at the cursor, so nothing of it is \
                 given: it does not know the cursor, or leads in a circle; begin without a cursor, or with one that a page gave"
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
