//! A list, page by page.

use std::{borrow::Cow, fmt, marker::PhantomData, str::FromStr};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

/// The place where a page begins, as the server named it: opaque, 1 to [`MAX_LEN`](Cursor::MAX_LEN) bytes.
///
/// `Display` and `FromStr` write it down and read it again, so that another process can go on with
/// [`Pages::resume`](crate::Pages::resume). `Debug` does not show it: a cursor can hold what a row holds.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cursor(Box<str>);

/// A text that is no [`Cursor`]: empty, or too long to be sent.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no cursor: expected 1 to {} bytes, found {found}", Cursor::MAX_LEN)]
pub struct InvalidCursor {
    found: usize,
}

crate::error::debug_as_display!(InvalidCursor);

impl Cursor {
    /// The longest cursor. Three times as long when percent-encoded, it still fits a request.
    pub const MAX_LEN: usize = 2048;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.len() {
            1..=Self::MAX_LEN => Ok(Self(text.into())),
            found => Err(InvalidCursor { found }),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Shows its length only.
impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({} bytes)", self.0.len())
    }
}

/// One page of a list: its rows, and where the next one begins.
///
/// Reads what Cometly's cursor pagination gives: `data`, `next_cursor` and `prev_cursor`. `next_page_url` is not read:
/// the key goes where the base URL says, whatever an answer says.
#[derive(Clone, Debug)]
pub struct Page<T> {
    rows: Vec<T>,
    next: NextPage,
    /// Whether the page says that there is none before it.
    is_first: bool,
}

/// What a page says of the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NextPage {
    /// Nothing, where the API always says something.
    Missing,
    /// There is none: the cursor is null or empty.
    None,
    At(Cursor),
    /// A cursor too long to be one.
    TooLong(usize),
}

impl<T> Page<T> {
    /// A page, for an endpoint whose lists have another form; `next` is `None` for the last one.
    #[must_use]
    pub fn new(rows: Vec<T>, next: Option<Cursor>) -> Self {
        Self { rows, next: next.map_or(NextPage::None, NextPage::At), is_first: false }
    }

    /// The rows, in order.
    #[must_use]
    pub fn rows(&self) -> &[T] {
        &self.rows
    }

    /// The rows, taken out.
    #[must_use]
    pub fn into_rows(self) -> Vec<T> {
        self.rows
    }

    /// Where the next page begins; `None` on the last page, and if the page does not say.
    #[must_use]
    pub fn next_cursor(&self) -> Option<&Cursor> {
        match &self.next {
            NextPage::At(cursor) => Some(cursor),
            NextPage::Missing | NextPage::None | NextPage::TooLong(_) => None,
        }
    }

    /// Whether the page says that there is none before it. A server that cannot read a cursor begins anew and says so.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.is_first
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Page<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("Page", &["data", "next_cursor", "prev_cursor"], Fields(PhantomData))
    }
}

struct Fields<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
    type Value = Page<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page of a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Page<T>, A::Error> {
        let mut rows = None;
        let (mut next, mut is_first) = (NextPage::Missing, false);
        while let Some(name) = map.next_key::<Text<'_>>()? {
            match &*name.0 {
                "data" => rows = Some(map.next_value()?),
                "next_cursor" => {
                    let cursor: Option<Text<'_>> = map.next_value()?;
                    next = match cursor.as_ref().map(|cursor| (cursor.0.len(), cursor.0.parse())) {
                        None | Some((0, _)) => NextPage::None,
                        Some((_, Ok(cursor))) => NextPage::At(cursor),
                        Some((len, Err(_))) => NextPage::TooLong(len),
                    };
                }
                "prev_cursor" => is_first = map.next_value::<Option<IgnoredAny>>()?.is_none(),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let rows = rows.ok_or_else(|| serde::de::Error::missing_field("data"))?;
        Ok(Page { rows, next, is_first })
    }
}

/// A text that is borrowed where it can be.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowed;
        impl<'de> Visitor<'de> for Borrowed {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Borrowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_where_the_next_one_begins() {
        let long = "x".repeat(Cursor::MAX_LEN + 1);
        let at = |text: &str| NextPage::At(text.parse().unwrap());
        for (json, next, is_first) in [
            (r#"{"data":[1],"next_cursor":"abc","prev_cursor":null}"#.to_owned(), at("abc"), true),
            (r#"{"data":[1],"next_cursor":"a\u0062c","prev_cursor":"x","new":{}}"#.to_owned(), at("abc"), false),
            (r#"{"data":[1],"next_cursor":null}"#.to_owned(), NextPage::None, false),
            (r#"{"data":[1],"next_cursor":""}"#.to_owned(), NextPage::None, false),
            (r#"{"data":[1]}"#.to_owned(), NextPage::Missing, false),
            (format!(r#"{{"data":[1],"next_cursor":"{long}"}}"#), NextPage::TooLong(2049), false),
        ] {
            let page: Page<u32> = serde_json::from_str(&json).unwrap();
            assert_eq!((page.rows(), &page.next, page.is_first()), (&[1][..], &next, is_first), "{json}");
        }
        for (json, expected) in [
            ("{}", "missing field `data`"),
            (r#"{"data":null}"#, "invalid type: null"),
            (r#"{"data":[],"next_cursor":7}"#, "expected a string"),
            ("[]", "expected a page of a list"),
        ] {
            let error = serde_json::from_str::<Page<u32>>(json).unwrap_err().to_string();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }

    #[test]
    fn a_cursor_is_written_down_and_in_no_debug() {
        let cursor: Cursor = "canary".parse().unwrap();
        assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
        assert_eq!(format!("{cursor:?}"), "Cursor(6 bytes)");
        assert!("".parse::<Cursor>().is_err() && "x".repeat(2049).parse::<Cursor>().is_err());
        let page = Page::new(Vec::<u32>::new(), Some(cursor));
        assert!(!format!("{page:?}").contains("canary"));
    }
}
