//! Rows: structs with public fields that keep what they do not know.

use std::fmt;

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, Visitor},
};

/// Declares a row. A `required` field must be there; an `optional` one is its default if it is missing or null.
///
/// `Deserialize` is written out rather than derived with `flatten`: that would buffer each row, and an error would not
/// know in which field it is.
macro_rules! row {
    (
        $(#[$meta:meta])*
        $name:ident {
            required: { $($(#[$about:meta])* $required:ident: $required_type:ty,)* }
            optional: { $($(#[$note:meta])* $optional:ident: $optional_type:ty,)* }
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$about])* pub $required: $required_type,)*
            $($(#[$note])* #[serde(skip_serializing_if = "crate::row::is_default")] pub $optional: $optional_type,)*
            /// All further fields that the API sent, as JSON by their names: those that are newer than this crate. Empty if
            /// there are none.
            #[serde(flatten)]
            pub extra: serde_json::Map<String, serde_json::Value>,
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                const FIELDS: &[&str] = &[$(stringify!($required),)* $(stringify!($optional),)*];

                struct Fields;
                impl<'de> serde::de::Visitor<'de> for Fields {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        $(let mut $required: Option<$required_type> = None;)*
                        $(let mut $optional: Option<$optional_type> = None;)*
                        let mut extra = serde_json::Map::new();
                        while let Some(key) = map.next_key_seed($crate::row::Keys(FIELDS))? {
                            match key {
                                $($crate::row::Key::Known(name) if name == stringify!($required) => {
                                    $required = Some(map.next_value()?);
                                })*
                                // Null is the same as missing.
                                $($crate::row::Key::Known(name) if name == stringify!($optional) => {
                                    $optional = map.next_value()?;
                                })*
                                $crate::row::Key::Known(name) => drop(extra.insert(name.to_owned(), map.next_value()?)),
                                $crate::row::Key::Unknown(name) => drop(extra.insert(name, map.next_value()?)),
                            }
                        }
                        $(let $required = $required.ok_or_else(|| serde::de::Error::missing_field(stringify!($required)))?;)*
                        Ok($name { $($required,)* $($optional: $optional.unwrap_or_default(),)* extra })
                    }
                }
                deserializer.deserialize_struct(stringify!($name), FIELDS, Fields)
            }
        }
    };
}
pub(crate) use row;

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A key of a row, which is copied only if it is not known.
pub(crate) enum Key {
    Known(&'static str),
    Unknown(String),
}

pub(crate) struct Keys(pub(crate) &'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Keys {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Keys {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Key, E> {
        let known = self.0.iter().find(|known| **known == name);
        Ok(known.map_or_else(|| Key::Unknown(name.to_owned()), |known| Key::Known(known)))
    }
}

#[cfg(test)]
#[expect(unreachable_pub, reason = "rows are public")]
mod tests {
    row! {
        /// A row.
        Sample {
            required: {
                /// An id.
                id: crate::Id,
            }
            optional: {
                /// A name.
                name: Option<String>,
                /// Some texts.
                texts: Vec<String>,
            }
        }
    }

    #[test]
    fn a_row_keeps_what_it_does_not_know_and_misses_nothing_that_is_optional() {
        let row: Sample = serde_json::from_str(r#"{"new": [1], "id": 7, "name": null, "texts": null}"#).unwrap();
        assert_eq!((row.id.as_u64(), &row.name, row.texts.len()), (Some(7), &None, 0));
        assert_eq!(row.extra["new"], serde_json::json!([1]));
        assert_eq!(serde_json::to_string(&row).unwrap(), r#"{"id":7,"new":[1]}"#);

        let row: Sample = serde_json::from_str(r#"{"id": "a", "name": "n", "texts": ["t"]}"#).unwrap();
        assert_eq!(serde_json::to_string(&row).unwrap(), r#"{"id":"a","name":"n","texts":["t"]}"#);
    }

    #[test]
    fn a_required_field_is_missed_by_name() {
        for json in [r#"{"name": "n"}"#, "{}"] {
            let error = serde_json::from_str::<Sample>(json).unwrap_err().to_string();
            assert!(error.contains("missing field `id`"), "{error}");
        }
        for json in [r#"{"id": null}"#, r#"{"id": 1, "name": 7}"#, r#"{"id": 1, "texts": "t"}"#, "[]", "1"] {
            assert!(serde_json::from_str::<Sample>(json).is_err(), "{json}");
        }
    }
}
