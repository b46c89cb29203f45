//! The field that makes a POST safe to send again.

use std::fmt;

use serde::{
    Deserialize, Serialize,
    de::{Deserializer, IgnoredAny, MapAccess, Visitor},
};

use crate::RequestError;

const FIELD: &str = "idempotency_key";

/// `value` as a JSON object that has the field.
pub(crate) fn add<T: Serialize + ?Sized>(value: &T, key: &str) -> Result<Vec<u8>, RequestError> {
    // Cometly's backend trims texts and reads an empty one as null: such keys would not be what was meant.
    if key.is_empty() || key.trim() != key {
        return Err(RequestError::IdempotencyKey);
    }
    let mut json = serde_json::to_vec(value).map_err(|_| RequestError::Json)?;
    // Read again rather than built as a `Value`, which would change how some numbers are written.
    let present: Object = serde_json::from_slice(&json).map_err(|_| RequestError::IdempotencyKey)?;
    match present.key {
        Some(present) if present == key => return Ok(json),
        Some(_) => return Err(RequestError::IdempotencyKey),
        None => {}
    }
    json.pop();
    if !present.is_empty {
        json.push(b',');
    }
    json.extend_from_slice(b"\"idempotency_key\":");
    serde_json::to_writer(&mut json, key).map_err(|_| RequestError::Json)?;
    json.push(b'}');
    Ok(json)
}

/// What is known of the object's field, before ours is added.
struct Object {
    is_empty: bool,
    key: Option<serde_json::Value>,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut object = Object { is_empty: true, key: None };
                while let Some(name) = map.next_key::<String>()? {
                    object.is_empty = false;
                    if name == FIELD {
                        object.key = Some(map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(object)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Serialize)]
    struct Event {
        event_name: &'static str,
        amount: f32,
    }

    #[test]
    fn the_field_is_added_behind_the_others_and_numbers_stay_as_written() {
        let body = add(&Event { event_name: "purchase", amount: 0.1 }, "k\"1").unwrap();
        let expected = r#"{"event_name":"purchase","amount":0.1,"idempotency_key":"k\"1"}"#;
        assert_eq!(String::from_utf8(body).unwrap(), expected);
        assert_eq!(add(&json!({}), "k").unwrap(), br#"{"idempotency_key":"k"}"#);
    }

    #[test]
    fn a_field_that_is_there_must_be_the_same_key() {
        assert_eq!(add(&json!({"idempotency_key": "k"}), "k").unwrap(), br#"{"idempotency_key":"k"}"#);
        for other in [json!({"idempotency_key": "x"}), json!({"idempotency_key": null})] {
            assert_eq!(add(&other, "k"), Err(RequestError::IdempotencyKey));
        }
    }

    #[test]
    fn only_an_object_can_carry_it_and_only_a_plain_key_arrives() {
        for value in [json!([]), json!("text"), json!(null), json!(1)] {
            assert_eq!(add(&value, "k"), Err(RequestError::IdempotencyKey));
        }
        for key in ["", " k", "k\n"] {
            assert_eq!(add(&json!({}), key), Err(RequestError::IdempotencyKey), "{key:?}");
        }
    }
}
