//! What a refusal says in its body: the API's error JSON, `{"message": …, "errors": {…}}`, and the body as text.

use std::{borrow::Cow, ops::Range};

use super::{
    json::{Broken, Json, RawText, trim_start},
    redact::{MAX_LEN, Secrets, clean, escape, is_fit_to_show},
};
use crate::key_ring::Keys;

/// A refusal is judged by this much of its body, so that a long one costs no more.
pub(super) const MAX_JUDGED: usize = 64 * 1024;
/// The most of a body that is kept for [`ApiError::body_text`](crate::ApiError::body_text).
pub(super) const MAX_BODY_TEXT: usize = 8 * 1024;
/// The most field errors that are kept.
const MAX_FIELD_ERRORS: usize = 256;
/// How deep in lists and objects a text is looked for; in all known shapes it is in the second.
const MAX_DEPTH: u8 = 8;

/// One thing that the API found wrong with one field of the call, from a 422.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldError<'a> {
    /// The field, as Cometly names it: `start_date`, `emails.0`. Empty if it named none.
    pub field: &'a str,
    /// What is wrong, in Cometly's words.
    pub message: &'a str,
}

/// What an error keeps of its body, fit to be shown.
#[derive(Clone)]
pub(super) struct ErrorBody {
    /// The beginning, with our keys masked.
    kept: Box<[u8]>,
    message: Option<Text>,
    /// Each with its field.
    errors: Vec<(Text, Text)>,
}

/// A text: a stretch of the kept body if it is shown as it was sent, else a copy.
#[derive(Clone)]
enum Text {
    Kept(Range<u16>),
    Copied(Box<str>),
}

impl ErrorBody {
    pub(super) fn message(&self) -> Option<&str> {
        self.message.as_ref().map(|text| self.get(text))
    }

    pub(super) fn field_errors(&self) -> Vec<FieldError<'_>> {
        let error = |(field, message)| FieldError { field: self.get(field), message: self.get(message) };
        self.errors.iter().map(|(field, message)| error((field, message))).collect()
    }

    pub(super) fn text(&self) -> Cow<'_, str> {
        match String::from_utf8_lossy(&self.kept) {
            Cow::Borrowed(text) => escape(text, MAX_BODY_TEXT),
            Cow::Owned(text) => escape(&text, MAX_BODY_TEXT).into_owned().into(),
        }
    }

    fn get<'a>(&'a self, text: &'a Text) -> &'a str {
        match text {
            Text::Kept(place) => {
                let bytes = self.kept.get(usize::from(place.start)..usize::from(place.end));
                std::str::from_utf8(bytes.unwrap_or_default()).unwrap_or_default()
            }
            Text::Copied(text) => text,
        }
    }
}

/// A body under examination: what is kept of it, and what it was found to say.
pub(super) struct Reader<'a> {
    body: &'a [u8],
    secrets: Secrets<'a>,
    /// Whether the beginning of the body is kept as it was sent.
    is_kept: bool,
    kept: Box<[u8]>,
}

/// What the JSON of a refusal says.
#[derive(Default)]
pub(super) struct Said<'a> {
    /// Whether it has a `message`, of any type.
    pub(super) has_message: bool,
    /// Whether it has `errors`, of any type.
    pub(super) has_errors: bool,
    /// The text of the message, as it was sent.
    pub(super) message: Option<Cow<'a, str>>,
    detail: Option<Cow<'a, str>>,
    errors: Vec<(Text, Text)>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8], keys: &'a Keys) -> Self {
        let secrets = Secrets::of(keys);
        // A key that the cut would tear is found first.
        let near = body.get(..MAX_BODY_TEXT.saturating_add(crate::ApiKey::MAX_LEN)).unwrap_or(body);
        let kept = near.get(..MAX_BODY_TEXT).unwrap_or(near);
        let is_kept = !secrets.are_in(near) && !secrets.have_backslash();
        let kept = if is_kept {
            // One byte more says that there is more.
            near.get(..MAX_BODY_TEXT.saturating_add(1)).unwrap_or(kept).into()
        } else {
            clean(&String::from_utf8_lossy(near), MAX_BODY_TEXT, &secrets).as_bytes().into()
        };
        Self { body, secrets, is_kept, kept }
    }

    /// Reads the error JSON; `None` if the body is anything else than an object. A body that goes on after
    /// [`MAX_JUDGED`] bytes counts with what it says within them.
    pub(super) fn read(&self) -> Option<Said<'a>> {
        let judged = self.body.get(..MAX_JUDGED).unwrap_or(self.body);
        // A page of HTML is told by its first byte.
        if trim_start(judged).first() != Some(&b'{') {
            return None;
        }
        let mut said = Said::default();
        match self.read_object(Json::new(judged), &mut said) {
            Ok(()) => Some(said),
            Err(Broken::End) if judged.len() < self.body.len() => Some(said),
            Err(_) => None,
        }
    }

    /// The body of an error, with what it was found to say.
    pub(super) fn finish(self, said: Option<Said<'_>>, takes_detail: bool) -> ErrorBody {
        let Said { message, detail, errors, .. } = said.unwrap_or_default();
        let message = message.or(detail.filter(|_| takes_detail)).map(|text| self.shown(&text));
        ErrorBody { kept: self.kept, message, errors }
    }

    fn read_object(&self, mut json: Json<'a>, said: &mut Said<'a>) -> Result<(), Broken> {
        json.expect(b'{')?;
        let mut is_first = true;
        while json.next_entry(b'}', &mut is_first)? {
            let name = json.name()?;
            if name.is("message") {
                said.has_message = true;
                let mut message = None;
                let read = first_text(&mut json, &mut message, MAX_DEPTH);
                said.message = message;
                read?;
            } else if name.is("errors") {
                said.has_errors = true;
                said.errors.clear();
                let mut walk = Walk { reader: self, errors: &mut said.errors, name: None, field: None };
                walk.value(&mut json, MAX_DEPTH)?;
            } else if name.is("detail") {
                first_text(&mut json, &mut said.detail, 0)?;
            } else {
                json.skip()?;
            }
        }
        // What comes behind must be nothing, unless it was cut off.
        json.end()
    }

    /// A text as it may be shown.
    fn shown(&self, text: &str) -> Text {
        if self.is_kept && is_fit_to_show(text, MAX_LEN) {
            if let Some(place) = self.place_of(text) {
                return Text::Kept(place);
            }
        }
        Text::Copied(clean(text, MAX_LEN, &self.secrets).into())
    }

    /// Where a text is in the kept part of the body, if it was sent as it is.
    fn place_of(&self, text: &str) -> Option<Range<u16>> {
        let start = text.as_ptr().addr().checked_sub(self.body.as_ptr().addr())?;
        let end = start.checked_add(text.len())?;
        let is_kept = end <= self.body.len().min(self.kept.len());
        if is_kept { Some(start.try_into().ok()?..end.try_into().ok()?) } else { None }
    }
}

/// Reads a value and takes the first string in it. Of a string that is cut off, the beginning counts.
fn first_text<'a>(json: &mut Json<'a>, found: &mut Option<Cow<'a, str>>, levels: u8) -> Result<(), Broken> {
    let close = match json.peek()? {
        b'"' => {
            let start = json.clone();
            let text = json.string();
            if found.is_none() {
                let cut = || start.cut_string();
                *found = text.as_ref().ok().copied().or_else(cut).map(RawText::text);
            }
            return text.map(drop);
        }
        b'{' => b'}',
        b'[' => b']',
        _ => return json.scalar().map(drop),
    };
    let Some(levels) = levels.checked_sub(1) else { return json.skip() };
    let bracket = json.peek()?;
    json.expect(bracket)?;
    let mut is_first = true;
    while json.next_entry(close, &mut is_first)? {
        if close == b'}' {
            json.name()?;
        }
        first_text(json, found, levels)?;
    }
    Ok(())
}

/// Collects the texts of a value with the outermost names above them.
struct Walk<'r, 'a> {
    reader: &'r Reader<'a>,
    errors: &'r mut Vec<(Text, Text)>,
    name: Option<RawText<'a>>,
    /// The name as shown: made when its first text comes, since most of a huge body may be names.
    field: Option<Text>,
}

impl<'a> Walk<'_, 'a> {
    fn value(&mut self, json: &mut Json<'a>, levels: u8) -> Result<(), Broken> {
        let close = match json.peek()? {
            b'"' => {
                let text = json.string()?;
                self.push(text);
                return Ok(());
            }
            b'{' => b'}',
            b'[' => b']',
            _ => return json.scalar().map(drop),
        };
        let Some(levels) = levels.checked_sub(1) else { return json.skip() };
        let bracket = json.peek()?;
        json.expect(bracket)?;
        let mut is_first = true;
        while json.next_entry(close, &mut is_first)? {
            if close == b']' {
                self.value(json, levels)?;
                continue;
            }
            let name = json.name()?;
            let is_outermost = self.name.is_none();
            if is_outermost {
                (self.name, self.field) = (Some(name), None);
            }
            self.value(json, levels)?;
            if is_outermost {
                (self.name, self.field) = (None, None);
            }
        }
        Ok(())
    }

    fn push(&mut self, text: RawText<'a>) {
        if self.errors.len() >= MAX_FIELD_ERRORS {
            return;
        }
        let (reader, name) = (self.reader, self.name);
        let field = self.field.get_or_insert_with(|| reader.shown(&name.map(RawText::text).unwrap_or_default()));
        self.errors.push((field.clone(), reader.shown(&text.text())));
    }
}
