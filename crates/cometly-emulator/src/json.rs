//! Small help with JSON values.

use serde_json::{Map, Value};

/// The fields of an object literal.
pub(crate) fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
