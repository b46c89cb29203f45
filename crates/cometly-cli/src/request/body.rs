//! The body of a call: fields of the command line as a JSON object, or a file.

use std::{io, path::Path};

use serde::{Serialize, Serializer, de::IgnoredAny};
use serde_json::value::RawValue;

use crate::{failure::Failure, input, pair};

/// PHP's own limit on a body.
const MAX_SIZE: u64 = 8 << 20;

/// A field of the body. Values stay as they were written: a number that is read may lose digits.
enum Field {
    One(Box<RawValue>),
    List(Vec<Box<RawValue>>),
}

/// `name=text`, `name:=json`, `name[]=text`.
pub(crate) fn from_fields(fields: &[String]) -> Result<Vec<u8>, Failure> {
    let mut object: Vec<(&str, Field)> = Vec::new();
    for field in fields {
        let (name, value) = pair::split(field, "--field")?;
        let (name, value) = match name.strip_suffix(':') {
            None => (name, text(value)?),
            Some(name) => (name, json(name, value)?),
        };
        let list = name.strip_suffix("[]");
        let name = list.unwrap_or(name);
        match (object.iter_mut().find(|(known, _)| *known == name), list) {
            (Some((_, Field::List(items))), Some(_)) => items.push(value),
            (Some(_), _) => return Err(twice(name)),
            (None, Some(_)) => object.push((name, Field::List(vec![value]))),
            (None, None) => object.push((name, Field::One(value))),
        }
    }
    write(&object).map_err(|_| Failure::usage("the fields cannot be written as JSON"))
}

fn write(object: &[(&str, Field)]) -> serde_json::Result<Vec<u8>> {
    let mut body = Vec::new();
    let mut map = serde_json::Serializer::new(&mut body);
    map.collect_map(object.iter().map(|(name, field)| (name, field)))?;
    Ok(body)
}

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(value) => value.serialize(serializer),
            Self::List(items) => items.serialize(serializer),
        }
    }
}

fn text(value: &str) -> Result<Box<RawValue>, Failure> {
    serde_json::value::to_raw_value(value).map_err(|_| Failure::usage("a text cannot be written as JSON"))
}

fn json(name: &str, value: &str) -> Result<Box<RawValue>, Failure> {
    serde_json::from_str(value).map_err(|error| {
        Failure::usage(format!("--field {name}:= is not JSON at column {}", error.column()))
            .advise(format!("quote it for the shell, or write {name}=… for a text"))
    })
}

fn twice(name: &str) -> Failure {
    Failure::usage(format!("--field {name} is given twice")).advise(format!("for a list write {name}[]=… each time"))
}

/// A file, or stdin for `-`; checked to be JSON, so that a mistake costs no call.
pub(crate) fn from_input(input: &Path) -> Result<Vec<u8>, Failure> {
    let is_stdin = input.as_os_str() == "-";
    let name = if is_stdin { Path::new("stdin") } else { input };
    let body = if is_stdin {
        input::read(&mut io::stdin().lock(), name, MAX_SIZE)?
    } else {
        input::read(&mut input::open(input)?, name, MAX_SIZE)?
    };
    match serde_json::from_slice::<IgnoredAny>(&body) {
        Ok(_) => Ok(body),
        Err(error) => Err(Failure::usage(format!(
            "{} is not JSON: see line {} column {}",
            name.display(),
            error.line(),
            error.column()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(fields: &[&str]) -> Result<String, String> {
        let fields: Vec<_> = fields.iter().map(ToString::to_string).collect();
        from_fields(&fields).map(|body| String::from_utf8(body).unwrap()).map_err(|failure| failure.to_string())
    }

    #[test]
    fn fields_are_texts_unless_they_say_that_they_are_json() {
        for (fields, expected) in [
            (&[][..], "{}"),
            (&["a=1", "b==x", "c="], r#"{"a":"1","b":"=x","c":""}"#),
            (&["a:=1.50", "b:=true", "c:={\"d\":null}"], r#"{"a":1.50,"b":true,"c":{"d":null}}"#),
            (
                &["a:= 12345678901234567890123 ", "b:=[1e400, 1.10]"],
                r#"{"a":12345678901234567890123,"b":[1e400, 1.10]}"#,
            ),
            (&["a[]=x", "b=1", "a[]=y", "c[]:=1"], r#"{"a":["x","y"],"b":"1","c":[1]}"#),
        ] {
            assert_eq!(body(fields).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_is_wrong_with_a_field_is_told_without_its_value() {
        for fields in [&["canary"][..], &["=canary"], &["a:=canary"], &["a=canary", "a=canary"], &["a=x", "a[]=canary"]]
        {
            let failure = body(fields).unwrap_err();
            assert!(!failure.contains("canary") && failure.contains("--field"), "{failure}");
        }
    }
}
