//! A flat struct as pairs of a query.

use std::fmt::Display;

use serde::{
    Serialize,
    ser::{Error, Impossible, SerializeMap, SerializeStruct, Serializer},
};

use crate::{RequestError, call_name::name_to_show};

/// Takes one pair of a name and a value.
pub(super) type Add<'a> = dyn FnMut(&str, &dyn Display) -> Result<(), RequestError> + 'a;

/// Gives each field of `value` to `add`, in its order.
pub(super) fn pairs<T: Serialize + ?Sized>(value: &T, add: &mut Add<'_>) -> Result<(), RequestError> {
    value.serialize(Pairs { add }).map_err(|Fault(error)| error)
}

#[derive(Debug)]
struct Fault(RequestError);

impl Error for Fault {
    fn custom<T: Display>(_: T) -> Self {
        Self(RequestError::Value)
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Fault {}

macro_rules! refused {
    ($this:ident, $error:expr; $($method:ident($($type:ty),*) -> $ok:ty;)+) => {
        $(fn $method($this, $(_: $type),*) -> Result<$ok, Fault> {
            Err($error)
        })+
    };
}

/// The struct itself.
struct Pairs<'a, 'b> {
    add: &'a mut Add<'b>,
}

fn no_struct() -> Fault {
    Fault(RequestError::QueryShape)
}

impl<'a, 'b> Serializer for Pairs<'a, 'b> {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = Impossible<(), Fault>;
    type SerializeTuple = Impossible<(), Fault>;
    type SerializeTupleStruct = Impossible<(), Fault>;
    type SerializeTupleVariant = Impossible<(), Fault>;
    type SerializeMap = MapPairs<'a, 'b>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Impossible<(), Fault>;

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Fault> {
        Ok(self)
    }

    // A struct with a flattened field is written as a map.
    fn serialize_map(self, _: Option<usize>) -> Result<MapPairs<'a, 'b>, Fault> {
        Ok(MapPairs { add: self.add, name: String::new() })
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Fault> {
        value.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Fault> {
        value.serialize(self)
    }

    fn serialize_none(self) -> Result<(), Fault> {
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), Fault> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Fault> {
        Ok(())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Fault> {
        Err(no_struct())
    }

    refused! { self, no_struct();
        serialize_bool(bool) -> ();
        serialize_i8(i8) -> ();
        serialize_i16(i16) -> ();
        serialize_i32(i32) -> ();
        serialize_i64(i64) -> ();
        serialize_u8(u8) -> ();
        serialize_u16(u16) -> ();
        serialize_u32(u32) -> ();
        serialize_u64(u64) -> ();
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_char(char) -> ();
        serialize_str(&str) -> ();
        serialize_bytes(&[u8]) -> ();
        serialize_unit_variant(&'static str, u32, &'static str) -> ();
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }
}

impl SerializeStruct for Pairs<'_, '_> {
    type Ok = ();
    type Error = Fault;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Fault> {
        value.serialize(Value { add: self.add, name })
    }

    fn end(self) -> Result<(), Fault> {
        Ok(())
    }
}

/// A map, with the name of the pair that comes next.
struct MapPairs<'a, 'b> {
    add: &'a mut Add<'b>,
    name: String,
}

impl SerializeMap for MapPairs<'_, '_> {
    type Ok = ();
    type Error = Fault;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Fault> {
        let mut name = None;
        let mut take = |_: &str, key: &dyn Display| {
            name = Some(key.to_string());
            Ok(())
        };
        key.serialize(Value { add: &mut take, name: "" })?;
        // `None` is no name.
        self.name = name.ok_or_else(|| not_flat(""))?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        value.serialize(Value { add: self.add, name: &self.name })
    }

    fn end(self) -> Result<(), Fault> {
        Ok(())
    }
}

/// The value of one pair.
struct Value<'a, 'b> {
    add: &'a mut Add<'b>,
    name: &'a str,
}

impl Value<'_, '_> {
    fn add(self, value: &dyn Display) -> Result<(), Fault> {
        (self.add)(self.name, value).map_err(Fault)
    }

    fn not_flat(self) -> Fault {
        not_flat(self.name)
    }
}

fn not_flat(name: &str) -> Fault {
    Fault(RequestError::QueryField { field: name_to_show(name).into() })
}

macro_rules! written {
    ($($method:ident($type:ty);)+) => {
        $(fn $method(self, value: $type) -> Result<(), Fault> {
            self.add(&value)
        })+
    };
}

impl Serializer for Value<'_, '_> {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = Impossible<(), Fault>;
    type SerializeTuple = Impossible<(), Fault>;
    type SerializeTupleStruct = Impossible<(), Fault>;
    type SerializeTupleVariant = Impossible<(), Fault>;
    type SerializeMap = Impossible<(), Fault>;
    type SerializeStruct = Impossible<(), Fault>;
    type SerializeStructVariant = Impossible<(), Fault>;

    written! {
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_char(char);
        serialize_str(&str);
    }

    // The backend's flags are `1` and `0`; its rule for a flag does not take the words `true` and `false` in a query.
    fn serialize_bool(self, value: bool) -> Result<(), Fault> {
        self.add(&u8::from(value))
    }

    fn serialize_f32(self, value: f32) -> Result<(), Fault> {
        if value.is_finite() { self.add(&value) } else { Err(self.not_flat()) }
    }

    fn serialize_f64(self, value: f64) -> Result<(), Fault> {
        if value.is_finite() { self.add(&value) } else { Err(self.not_flat()) }
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Fault> {
        self.add(&variant)
    }

    fn serialize_none(self) -> Result<(), Fault> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Fault> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Fault> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Fault> {
        Err(self.not_flat())
    }

    fn serialize_unit(self) -> Result<(), Fault> {
        Ok(())
    }

    refused! { self, self.not_flat();
        serialize_bytes(&[u8]) -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct(&'static str, usize) -> Self::SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fmt::Write as _};

    use super::*;

    fn query(value: &impl Serialize) -> Result<String, RequestError> {
        let mut query = String::new();
        pairs(value, &mut |name, value| {
            write!(query, "{name}={value}&").unwrap();
            Ok(())
        })?;
        Ok(query)
    }

    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        Company,
        Other(u8),
    }

    #[derive(Serialize)]
    struct Id(u64);

    #[derive(Serialize)]
    struct Filter {
        start_date: &'static str,
        per_page: Option<u32>,
        cursor: Option<String>,
        include_events: bool,
        hide: Option<bool>,
        query_mode: Mode,
        id: Id,
        amount: f64,
        initial: char,
        large: i128,
    }

    fn filter() -> Filter {
        Filter {
            start_date: "2026-11-01",
            per_page: Some(50),
            cursor: None,
            include_events: true,
            hide: Some(false),
            query_mode: Mode::Company,
            id: Id(7),
            amount: -0.5,
            initial: 'x',
            large: i128::MIN,
        }
    }

    #[test]
    fn each_field_is_a_pair_and_none_is_left_out_and_a_flag_is_1_or_0() {
        let expected = format!(
            "start_date=2026-11-01&per_page=50&include_events=1&hide=0&query_mode=company&id=7&amount=-0.5&initial=x&large={}&",
            i128::MIN
        );
        assert_eq!(query(&filter()).unwrap(), expected);
        assert_eq!(query(&Some(filter())).unwrap(), expected);
        assert_eq!(query(&BTreeMap::from([("a", 1), ("b", 2)])).unwrap(), "a=1&b=2&");
        assert_eq!(query(&BTreeMap::from([(1, "x")])).unwrap(), "1=x&");
        for nothing in [query(&()), query(&None::<Filter>)] {
            assert_eq!(nothing.unwrap(), "");
        }
    }

    #[test]
    fn a_flattened_struct_is_flat() {
        #[derive(Serialize)]
        struct Page {
            per_page: u32,
            cursor: Option<String>,
        }
        #[derive(Serialize)]
        struct List {
            start_date: &'static str,
            #[serde(flatten)]
            page: Page,
        }
        let list = List { start_date: "x", page: Page { per_page: 5, cursor: None } };
        assert_eq!(query(&list).unwrap(), "start_date=x&per_page=5&");
    }

    #[test]
    fn a_field_that_is_not_one_value_is_refused_by_name_and_its_value_is_not_shown() {
        #[derive(Serialize)]
        struct With<T> {
            per_page: u32,
            event_names: T,
        }
        fn refused(event_names: impl Serialize) {
            let error = query(&With { per_page: 1, event_names }).unwrap_err();
            assert_eq!(error, RequestError::QueryField { field: "event_names".into() });
            let text = error.to_string();
            assert!(text.contains("`event_names`") && text.contains("query_all") && !text.contains("canary"), "{text}");
        }
        refused(["canary"]);
        refused(Vec::<u8>::new());
        refused(("canary", 1));
        refused(BTreeMap::from([("canary", 1)]));
        refused(With { per_page: 1, event_names: "canary" });
        refused(Some(["canary"]));
        refused(Mode::Other(1));
        refused(f64::NAN);
        refused(f32::INFINITY);
        let map = query(&BTreeMap::from([("a", [1])])).unwrap_err();
        assert_eq!(map, RequestError::QueryField { field: "a".into() });
        assert!(query(&BTreeMap::from([((1, 2), 3)])).is_err());
    }

    #[test]
    fn only_a_struct_or_a_map_has_names() {
        for error in [query(&["canary"]), query(&"canary"), query(&1), query(&("canary", 1)), query(&Mode::Company)] {
            assert_eq!(error.unwrap_err(), RequestError::QueryShape);
        }
        assert_eq!(query(&filter().id).unwrap_err(), RequestError::QueryShape);
        assert_eq!(query(&Mode::Other(1)).unwrap_err(), RequestError::QueryShape);
    }

    #[test]
    fn a_failing_serialize_is_an_error() {
        struct Failing;
        impl Serialize for Failing {
            fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(S::Error::custom("canary"))
            }
        }
        assert_eq!(query(&Some(Failing)).unwrap_err(), RequestError::Value);
        assert_eq!(Fault::custom("canary").to_string(), RequestError::Value.to_string());
    }
}
