//! Where and why JSON does not fit a type: a second reading, after the first one failed, whose error keeps the path and no
//! value. `serde_json`'s own error has values in its text, and no path.

use std::{borrow::Cow, fmt, marker::PhantomData, str::FromStr};

use serde::{
    Deserialize,
    de::{
        DeserializeSeed, Deserializer, EnumAccess, Error, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
        VariantAccess, Visitor,
    },
};

use crate::answer::{
    json::{Broken, Json},
    redact::escape,
};

/// As deep as `serde_json` goes.
const MAX_DEPTH: u8 = 128;
/// The longest words of a type about what it expects, in bytes.
const MAX_EXPECTED: usize = 100;
/// What is found.
const AN_OBJECT: &str = "an object";
const ENTRIES: &str = "a number of entries";
const MORE: &str = "more";

/// What does not fit, and where.
#[derive(Debug)]
pub(super) struct Mismatch {
    problem: Problem,
    /// From the inside out.
    path: Vec<Step>,
    place: Place,
}

/// Where a problem is, seen from the end of its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    There,
    /// In a key of the map there.
    Key,
    /// Further in: behind `flatten`, `tag` and `untagged`, serde reads a copy of its own.
    Within,
}

#[derive(Debug)]
enum Problem {
    Type {
        expected: String,
        found: &'static str,
    },
    Value {
        expected: String,
        found: &'static str,
    },
    Missing(&'static str),
    Duplicate(&'static str),
    UnknownField(&'static [&'static str]),
    UnknownVariant(&'static [&'static str]),
    /// The type refuses it in words of its own, which may quote a value.
    Refused,
    /// The input is not JSON, or is too deep: `serde_json` has said so already.
    Unreadable,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A field or variant by the name in the caller's type.
    Name(&'static str),
    /// A key of a map, or a field that the type does not name.
    Key,
    Index(usize),
}

impl Mismatch {
    /// Reads `body` as a `T` again. `None` if this reading has no word on what is wrong.
    pub(super) fn find<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Option<Self> {
        let mut json = Json::new(body);
        let mismatch = Reading { json: &mut json, levels: MAX_DEPTH }.read(PhantomData::<T>).err()?;
        (!matches!(mismatch.problem, Problem::Unreadable)).then_some(mismatch)
    }

    /// `data[3].amount`.
    pub(super) fn path(&self) -> String {
        let mut path = String::new();
        for step in self.path.iter().rev() {
            match step {
                Step::Index(index) => path.extend(["[", &index.to_string(), "]"]),
                name => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(if let Step::Name(name) = name { name } else { "*" });
                }
            }
        }
        path
    }

    fn new(problem: Problem) -> Self {
        Self { problem, path: Vec::new(), place: Place::There }
    }

    /// The same, of a key. Of a name that is not known, the words say so themselves.
    fn in_key(mut self) -> Self {
        if matches!(self.problem, Problem::Type { .. } | Problem::Value { .. }) {
            self.place = Place::Key;
        }
        self
    }

    /// The same, of an object: what is said of another type is said of something in it.
    fn in_object(mut self) -> Self {
        let is_other = match self.problem {
            Problem::Type { found, .. } | Problem::Value { found, .. } => ![AN_OBJECT, ENTRIES, MORE].contains(&found),
            _ => false,
        };
        if self.path.is_empty() && self.place == Place::There && is_other {
            self.place = Place::Within;
        }
        self
    }

    /// The same, of an item of the list that is the field `list`.
    pub(super) fn in_list(self, (list, index): (&'static str, usize)) -> Self {
        self.at(Step::Index(index)).at(Step::Name(list))
    }

    fn at(mut self, step: Step) -> Self {
        self.path.push(step);
        self
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path();
        match (self.place, path.as_str()) {
            (Place::There, "") => {}
            (Place::There, path) => write!(f, "{path}: ")?,
            (Place::Key, "") => write!(f, "in a key: ")?,
            (Place::Key, path) => write!(f, "in a key of {path}: ")?,
            (Place::Within, "") => write!(f, "within it: ")?,
            (Place::Within, path) => write!(f, "within {path}: ")?,
        }
        match &self.problem {
            Problem::Type { expected, found } => write!(f, "expected {expected}, found {found}"),
            Problem::Value { expected, found } => write!(f, "expected {expected}, found {found} that does not fit"),
            Problem::Missing(name) => write!(f, "missing field {name:?}"),
            Problem::Duplicate(name) => write!(f, "field {name:?} comes twice"),
            Problem::UnknownField(known) => write_known(f, "unknown field", known),
            Problem::UnknownVariant(known) => write_known(f, "unknown variant", known),
            Problem::Refused => f.write_str("a value that its type refuses"),
            Problem::Unreadable => f.write_str("not JSON"),
        }
    }
}

fn write_known(f: &mut fmt::Formatter<'_>, what: &str, known: &[&str]) -> fmt::Result {
    f.write_str(what)?;
    for (at, name) in known.iter().enumerate() {
        write!(f, "{} {name:?}", if at == 0 { ", expected one of" } else { "," })?;
    }
    Ok(())
}

/// What a type expects, in the words of JSON where it speaks of one of its types.
fn expected(expected: &dyn Expected) -> String {
    let words = expected.to_string();
    match words.as_str() {
        "f32" | "f64" => "a number".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => {
            format!("a whole number ({words})")
        }
        "a borrowed string" => "a string without escapes".to_owned(),
        "a sequence" => "an array".to_owned(),
        "a map" => "an object".to_owned(),
        "unit" => "null".to_owned(),
        words if words.starts_with("struct ") => "an object".to_owned(),
        words if words.starts_with("enum ") => "a string or an object".to_owned(),
        words => escape(words, MAX_EXPECTED).into_owned(),
    }
}

fn found(found: &Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
        Unexpected::Char(_) | Unexpected::Str(_) => "a string",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq | Unexpected::TupleVariant => "an array",
        Unexpected::Map | Unexpected::StructVariant => AN_OBJECT,
        _ => "something else",
    }
}

impl Error for Mismatch {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::new(Problem::Refused)
    }

    fn invalid_type(unexpected: Unexpected<'_>, exp: &dyn Expected) -> Self {
        Self::new(Problem::Type { expected: expected(exp), found: found(&unexpected) })
    }

    fn invalid_value(unexpected: Unexpected<'_>, exp: &dyn Expected) -> Self {
        Self::new(Problem::Value { expected: expected(exp), found: found(&unexpected) })
    }

    fn invalid_length(_: usize, exp: &dyn Expected) -> Self {
        Self::new(Problem::Value { expected: expected(exp), found: ENTRIES })
    }

    fn unknown_variant(_: &str, known: &'static [&'static str]) -> Self {
        Self::new(Problem::UnknownVariant(known))
    }

    fn unknown_field(_: &str, known: &'static [&'static str]) -> Self {
        Self::new(Problem::UnknownField(known))
    }

    fn missing_field(name: &'static str) -> Self {
        Self::new(Problem::Missing(name))
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::new(Problem::Duplicate(name))
    }
}

impl From<Broken> for Mismatch {
    fn from(_: Broken) -> Self {
        Self::new(Problem::Unreadable)
    }
}

impl std::error::Error for Mismatch {}

/// Reads one value.
struct Reading<'r, 'de> {
    json: &'r mut Json<'de>,
    levels: u8,
}

impl<'de> Reading<'_, 'de> {
    /// Reads a value as `seed` says.
    fn read<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Mismatch> {
        let is_object = matches!(self.json.peek(), Ok(b'{'));
        seed.deserialize(self).map_err(|error| if is_object { error.in_object() } else { error })
    }

    /// Reads a value of any type; `names` are those of the fields, if the type has told them.
    fn value<V: Visitor<'de>>(mut self, names: &'static [&'static str], visitor: V) -> Result<V::Value, Mismatch> {
        match self.json.peek()? {
            b'"' => match self.json.string()?.text() {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            },
            b'[' => {
                let mut list = self.open(b'[')?;
                let value = visitor.visit_seq(&mut list)?;
                list.end().map(|()| value)
            }
            b'{' => {
                let mut map = Object { list: self.open(b'{')?, names, step: Step::Key };
                let value = visitor.visit_map(&mut map)?;
                map.list.end().map(|()| value)
            }
            _ => number_or_word(self.json.scalar()?, visitor),
        }
    }

    fn open(&mut self, bracket: u8) -> Result<List<'_, 'de>, Mismatch> {
        let levels = self.levels.checked_sub(1).ok_or(Broken::Syntax)?;
        self.json.expect(bracket)?;
        let close = if bracket == b'{' { b'}' } else { b']' };
        Ok(List { json: &mut *self.json, levels, close, is_first: true, is_closed: false, index: 0 })
    }
}

fn number_or_word<'de, V: Visitor<'de>>(scalar: &[u8], visitor: V) -> Result<V::Value, Mismatch> {
    let text = std::str::from_utf8(scalar).unwrap_or_default();
    match text {
        "true" => return visitor.visit_bool(true),
        "false" => return visitor.visit_bool(false),
        "null" => return visitor.visit_unit(),
        _ => {}
    }
    if let Ok(number) = text.parse::<u64>() {
        return visitor.visit_u64(number);
    }
    // serde_json reads `-0` as a float.
    match text.parse::<i64>() {
        Ok(number) if number != 0 => visitor.visit_i64(number),
        _ => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => visitor.visit_f64(number),
            // As 1e999.
            _ => Err(Error::invalid_value(Unexpected::Float(0.0), &visitor)),
        },
    }
}

/// Reads a whole number as a `T`, if it is one.
fn whole<T: FromStr>(json: &mut Json<'_>) -> Option<T> {
    let mut ahead = json.clone();
    let number = std::str::from_utf8(ahead.scalar().ok()?).ok()?.parse().ok()?;
    *json = ahead;
    Some(number)
}

/// The entries of an array or an object.
struct List<'r, 'de> {
    json: &'r mut Json<'de>,
    levels: u8,
    close: u8,
    is_first: bool,
    is_closed: bool,
    index: usize,
}

impl<'de> List<'_, 'de> {
    fn next(&mut self) -> Result<bool, Mismatch> {
        let has_entry = self.json.next_entry(self.close, &mut self.is_first)?;
        self.is_closed = !has_entry;
        Ok(has_entry)
    }

    fn item(&mut self) -> Reading<'_, 'de> {
        Reading { json: &mut *self.json, levels: self.levels }
    }

    /// A tuple stops after its last entry, before the bracket.
    fn end(&mut self) -> Result<(), Mismatch> {
        if !self.is_closed && self.next()? {
            let expected = match self.close {
                b'}' => "an object with one entry".to_owned(),
                _ => format!("an array of at most {} entries", self.index),
            };
            return Err(Mismatch::new(Problem::Type { expected, found: MORE }));
        }
        Ok(())
    }
}

impl<'de> SeqAccess<'de> for &mut List<'_, 'de> {
    type Error = Mismatch;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Mismatch> {
        if !self.next()? {
            return Ok(None);
        }
        let index = self.index;
        self.index = index.saturating_add(1);
        self.item().read(seed).map(Some).map_err(|error| error.at(Step::Index(index)))
    }
}

struct Object<'r, 'de> {
    list: List<'r, 'de>,
    names: &'static [&'static str],
    /// The step to the value of the key that was read last.
    step: Step,
}

impl<'de> MapAccess<'de> for &mut Object<'_, 'de> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Mismatch> {
        if !self.list.next()? {
            return Ok(None);
        }
        let key = self.list.json.name()?.text();
        self.step = step(&key, self.names);
        seed.deserialize(Key(key)).map(Some).map_err(Mismatch::in_key)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mismatch> {
        self.list.item().read(seed).map_err(|error| error.at(self.step))
    }
}

fn step(key: &str, names: &'static [&'static str]) -> Step {
    names.iter().find(|name| **name == key).map_or(Step::Key, |name| Step::Name(name))
}

/// As `serde_json` names the types that it treats in its own way, such as raw values; this reading has no word on them.
fn is_private(name: &str) -> bool {
    name.starts_with('$')
}

impl<'de> Deserializer<'de> for Reading<'_, 'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.value(&[], visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        if is_private(name) { Err(Broken::Syntax.into()) } else { self.value(fields, visitor) }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.json.peek()? == b'n' {
            self.json.scalar()?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Mismatch> {
        if is_private(name) { Err(Broken::Syntax.into()) } else { visitor.visit_newtype_struct(self) }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.json.peek()? == b'"' {
            return match self.json.string()?.text() {
                Cow::Borrowed(text) => visitor.visit_borrowed_bytes(text.as_bytes()),
                Cow::Owned(text) => visitor.visit_byte_buf(text.into_bytes()),
            };
        }
        self.value(&[], visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.json.peek()? {
            b'"' => visitor.visit_enum(self.json.string()?.text().into_deserializer()),
            b'{' => {
                let mut list = self.open(b'{')?;
                if !list.next()? {
                    return Err(Error::invalid_value(Unexpected::Map, &visitor));
                }
                let name = list.json.name()?.text();
                let step = step(&name, variants);
                let value = visitor.visit_enum(Variant { name, content: list.item() }).map_err(|error| {
                    match (step, &error) {
                        // The name itself is wrong.
                        (Step::Key, Mismatch { problem: Problem::UnknownVariant(_), .. }) => error,
                        _ => error.at(step),
                    }
                })?;
                list.end().map(|()| value)
            }
            _ => self.value(&[], visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.json.skip()?;
        visitor.visit_unit()
    }

    // `visit_u64` and `visit_i64` take all that fits them; these two hold more.
    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match whole(self.json) {
            Some(number) => visitor.visit_i128(number),
            None => self.value(&[], visitor),
        }
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match whole(self.json) {
            Some(number) => visitor.visit_u128(number),
            None => self.value(&[], visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string unit unit_struct seq tuple tuple_struct map
        identifier
    }
}

/// A variant that is written as an object with one entry.
struct Variant<'r, 'de> {
    name: Cow<'de, str>,
    content: Reading<'r, 'de>,
}

impl<'r, 'de> EnumAccess<'de> for Variant<'r, 'de> {
    type Error = Mismatch;
    type Variant = Reading<'r, 'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self::Variant), Mismatch> {
        Ok((seed.deserialize(Key(self.name))?, self.content))
    }
}

impl<'de> VariantAccess<'de> for Reading<'_, 'de> {
    type Error = Mismatch;

    fn unit_variant(self) -> Result<(), Mismatch> {
        Deserialize::deserialize(self)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Mismatch> {
        self.read(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Mismatch> {
        self.value(&[], visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.value(fields, visitor)
    }
}

/// The key of an object, which a type may read as a number.
struct Key<'de>(Cow<'de, str>);

impl<'de> Key<'de> {
    fn text<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0 {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    /// A number or `true` in quotation marks.
    fn scalar<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let mut json = Json::new(self.0.as_bytes());
        match json.scalar() {
            Ok(scalar) if json.end().is_ok() => number_or_word(scalar, visitor),
            _ => Err(Error::invalid_type(Unexpected::Str(""), &visitor)),
        }
    }
}

/// The methods that read a key as a number or a boolean.
macro_rules! key_scalars {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            self.scalar(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.text(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    key_scalars! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
    }

    serde::forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
