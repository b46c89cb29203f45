//! A contact: what it holds, how it is written, and what a body may say of it.

use serde_json::{Map, Value, json};

use crate::laravel::input::Input;
use crate::laravel::refusal::FieldErrors;
use crate::laravel::rules::Rule;

/// The first item of each is the primary one.
const LISTS: &[(&str, Rule)] =
    &[("emails", Rule::Email), ("phones", Rule::TextOrNumber), ("names", Rule::Text), ("locations", Rule::Text)];
const CUSTOM_FIELDS: u8 = 30;

/// Which optional parts are asked for.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) comet_tokens: bool,
    pub(crate) all_emails: bool,
    pub(crate) custom_fields: Option<Named>,
}

/// What custom fields go by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Named {
    Keys,
    Labels,
}

/// A line of a list or of an export.
pub(crate) fn row(id: u64, contact: &Map<String, Value>, parts: &Parts) -> Value {
    let first = |list: &str| contact.get(list).and_then(|items| items.get(0)).cloned().unwrap_or_default();
    let mut row = json!({
        "id": id,
        "email": first("emails"),
        "name": first("names"),
        "phone": first("phones"),
        "location": first("locations"),
    });
    let optional = [
        (parts.comet_tokens, "comet_tokens", comet_tokens(id)),
        (parts.all_emails, "emails", contact.get("emails").cloned().unwrap_or_default()),
        (
            parts.custom_fields.is_some(),
            "custom_fields",
            custom_fields(contact, parts.custom_fields.unwrap_or(Named::Keys)),
        ),
    ];
    if let Value::Object(row) = &mut row {
        row.extend(optional.into_iter().filter(|(wanted, ..)| *wanted).map(|(_, field, value)| (field.into(), value)));
    }
    row
}

/// The contact itself.
pub(crate) fn whole(id: u64, contact: &Map<String, Value>, named: Named) -> Map<String, Value> {
    let list = |list: &str| contact.get(list).cloned().unwrap_or_else(|| json!([]));
    let lists = LISTS.iter().map(|(field, _)| ((*field).to_owned(), list(field)));
    let id = std::iter::once(("id".to_owned(), id.into()));
    id.chain(lists).chain([("custom_fields".to_owned(), custom_fields(contact, named))]).collect()
}

pub(crate) fn comet_tokens(id: u64) -> Value {
    json!([format!("comet-{id:08}")])
}

/// All thirty, null where nothing was said.
fn custom_fields(contact: &Map<String, Value>, named: Named) -> Value {
    let given = contact.get("custom_fields");
    let value = |field: &str| given.and_then(|fields| fields.get(field)).cloned().unwrap_or_default();
    let fields = (1..=CUSTOM_FIELDS).map(|number| {
        let field = custom_field(number);
        let name = match named {
            Named::Keys => field.clone(),
            Named::Labels => format!("Profile Field {number}"),
        };
        (name, value(&field))
    });
    fields.collect::<Map<_, _>>().into()
}

fn custom_field(number: u8) -> String {
    format!("profile_field_{number}")
}

/// What each custom field must be: text, numbers, and then dates.
fn custom_rule(number: u8) -> Rule {
    match number {
        ..16 => Rule::Text,
        16..26 => Rule::Number,
        26.. => Rule::Date,
    }
}

/// Reads what a body says, and only that. A list given replaces the whole list, and so do the custom fields.
pub(crate) fn read(input: &Input, errors: &mut FieldErrors) -> Map<String, Value> {
    let mut read = Map::new();
    for (field, rule) in LISTS.iter().filter(|(field, _)| input.has(field)) {
        let Some(items) = input.get(field).and_then(Value::as_array) else {
            errors.add(field, "The :attribute field must be an array.");
            continue;
        };
        for (index, item) in items.iter().enumerate() {
            let complaint =
                if item.is_null() { Some("The :attribute field is required.") } else { rule.broken_by(item) };
            if let Some(complaint) = complaint {
                errors.add(&format!("{field}.{index}"), complaint);
            }
        }
        read.insert((*field).to_owned(), items.clone().into());
    }
    if input.has("custom_fields") {
        read.insert("custom_fields".into(), read_custom_fields(input, errors));
    }
    read
}

/// What is no custom field is passed over, as Laravel passes over what no rule names.
fn read_custom_fields(input: &Input, errors: &mut FieldErrors) -> Value {
    let empty = Map::new();
    let given = match input.get("custom_fields") {
        Some(Value::Object(fields)) => fields,
        // PHP does not know an empty object from an empty list.
        Some(Value::Array(items)) if items.is_empty() => &empty,
        _ => {
            errors.add("custom_fields", "The :attribute field must be an array.");
            &empty
        }
    };
    let mut fields = Map::new();
    for number in 1..=CUSTOM_FIELDS {
        let field = custom_field(number);
        let Some(value) = given.get(&field).filter(|value| !value.is_null()) else { continue };
        if let Some(complaint) = custom_rule(number).broken_by(value) {
            errors.add(&format!("custom_fields.{field}"), complaint);
        }
        fields.insert(field, value.clone());
    }
    fields.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::laravel::refusal::Refusal;

    fn read_body(body: &str) -> Result<String, String> {
        let mut errors = FieldErrors::default();
        let read = read(&Input::of_body(body), &mut errors);
        errors.into_result().map(|()| Value::Object(read).to_string()).map_err(Refusal::told)
    }

    #[test]
    fn only_what_was_said_is_read() {
        for (body, expected) in [
            ("{}", "{}"),
            (r#"{"emails":[" a@x "],"other":1}"#, r#"{"emails":["a@x"]}"#),
            (r#"{"phones":[]}"#, r#"{"phones":[]}"#),
            (
                r#"{"custom_fields":{"profile_field_1":"","profile_field_16":"5","else":1}}"#,
                r#"{"custom_fields":{"profile_field_16":"5"}}"#,
            ),
            (r#"{"custom_fields":[]}"#, r#"{"custom_fields":{}}"#),
        ] {
            assert_eq!(read_body(body).as_deref(), Ok(expected), "{body}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_in_laravels_words() {
        for (body, expected) in [
            (r#"{"emails":"a@x"}"#, r#"{"emails":["The emails field must be an array."]}"#),
            (r#"{"emails":null}"#, r#"{"emails":["The emails field must be an array."]}"#),
            (r#"{"emails":["a@x",""]}"#, r#"{"emails.1":["The emails.1 field is required."]}"#),
            (r#"{"emails":["a"]}"#, r#"{"emails.0":["The emails.0 field must be a valid email address."]}"#),
            (r#"{"names":[["a"]]}"#, r#"{"names.0":["The names.0 field must be a string."]}"#),
            (r#"{"custom_fields":5}"#, r#"{"custom_fields":["The custom fields field must be an array."]}"#),
            (
                r#"{"custom_fields":{"profile_field_15":1,"profile_field_25":"x","profile_field_26":"x"}}"#,
                r#""custom_fields.profile_field_26":["The custom fields.profile field 26 field must be a valid date."]"#,
            ),
        ] {
            let told = read_body(body).unwrap_err();
            assert!(told.contains(expected), "{body}: {told}");
        }
    }
}
