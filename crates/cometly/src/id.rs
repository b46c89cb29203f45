//! Ids, which come as numbers and as texts.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};

use crate::InvalidRequest;

/// The id of an event, a contact or a company, as the API gave it: a number, or a text. `7` and `"7"` are equal; `7` and
/// `"007"` are not. From a `u64`, or from a text by [`new`](Self::new), which fails with [`InvalidRequest`] for an empty or
/// padded one, `.`, `..`, and one longer than 255 bytes. A text that the API gave is not checked.
#[derive(Clone)]
pub struct Id(Repr);

#[derive(Clone)]
enum Repr {
    Number(u64),
    Text(Box<str>),
}

impl Id {
    /// The id with this text. It is neither trimmed nor changed; in the path of a call it is percent-encoded.
    ///
    /// # Errors
    /// [`InvalidRequest`] if the text is empty, begins or ends with white space, is `.` or `..`, or is longer than 255 bytes:
    /// no resource has such an id.
    pub fn new(text: &str) -> Result<Self, InvalidRequest> {
        if text.is_empty() || text.trim() != text || matches!(text, "." | "..") || text.len() > 255 {
            return Err(InvalidRequest::new(
                "id",
                "expected 1 to 255 characters that are not padded, nor a dot or two",
            ));
        }
        Ok(Self(Repr::Text(text.into())))
    }

    /// The id as a number; `None` if it is a text that is no plain decimal number, as `abc` or `007`, or a number beyond a
    /// `u64`.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match &self.0 {
            Repr::Number(number) => Some(*number),
            Repr::Text(text) => text.parse().ok().filter(|number: &u64| number.to_string() == **text),
        }
    }

    fn text(&self) -> Option<&str> {
        match &self.0 {
            Repr::Number(_) => None,
            Repr::Text(text) => Some(text),
        }
    }
}

impl From<u64> for Id {
    fn from(number: u64) -> Self {
        Self(Repr::Number(number))
    }
}

impl From<&Id> for Id {
    fn from(id: &Id) -> Self {
        id.clone()
    }
}

impl TryFrom<&str> for Id {
    type Error = InvalidRequest;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        match (self.as_u64(), other.as_u64()) {
            (None, None) => self.text() == other.text(),
            (own, other) => own == other,
        }
    }
}

impl Eq for Id {}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.as_u64() {
            Some(number) => number.hash(state),
            None => self.text().hash(state),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Number(number) => number.fmt(f),
            Repr::Text(text) => text.fmt(f),
        }
    }
}

/// As `Display`, but for what steers a terminal or a log, which is escaped.
impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Number(number) => write!(f, "Id({number})"),
            Repr::Text(text) => write!(f, "Id({})", text.escape_debug()),
        }
    }
}

/// Written as it came: a number as a number, a text as a text.
impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Repr::Number(number) => serializer.serialize_u64(*number),
            Repr::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrText;
        impl Visitor<'_> for NumberOrText {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id: a whole number or a string")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Id, E> {
                Ok(Id(Repr::Number(number)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
                Ok(Id(Repr::Text(text.into())))
            }
        }
        deserializer.deserialize_any(NumberOrText)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn an_id_is_the_same_as_a_number_and_as_a_text() {
        let read = |json: &str| serde_json::from_str::<Id>(json).unwrap();
        assert_eq!(read("7"), read("\"7\""));
        assert_ne!(read("7"), read("\"07\""));
        assert_ne!(read("\"a\""), read("\"b\""));
        assert_eq!(HashSet::from([read("7"), read("\"7\""), read("\"a\"")]).len(), 2);
        for json in ["7", "\"7\"", "\"01HX\""] {
            assert_eq!(serde_json::to_string(&read(json)).unwrap(), json);
        }
        for json in ["-1", "1.5", "null", "[]"] {
            assert!(serde_json::from_str::<Id>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn debug_steers_no_terminal() {
        let read = |json: &str| format!("{:?}", serde_json::from_str::<Id>(json).unwrap());
        assert_eq!([read("7"), read("\"01HX\"")], ["Id(7)", "Id(01HX)"]);
        assert_eq!(read(r#""a\u001b[31m\u202e\nb""#), r"Id(a\u{1b}[31m\u{202e}\nb)");
    }

    #[test]
    fn what_no_resource_is_called_is_no_id() {
        for text in ["", " 7", "7\n", ".", ".."] {
            assert_eq!(Id::new(text).unwrap_err().field(), "id", "{text:?}");
        }
        assert!(Id::new("01HX-7").is_ok() && Id::new(&"x".repeat(256)).is_err());
    }
}
