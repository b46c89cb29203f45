//! A body as JSON that loses nothing.
//!
//! `serde_json` writes NaN and the infinities as `null`, and a purchase would arrive without its amount. So a value is
//! not given to its serialiser directly, but through [`Finite`], which passes everything on and refuses such a number.
//! The compiler removes the layer; no second pass over the value is made.

use serde::{
    Serialize,
    ser::{
        Error, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant, Serializer,
    },
};

use super::request_error::EncodeError;

/// `value` as compact JSON.
pub(super) fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, EncodeError> {
    // An event fits, and need not grow.
    let mut json = Vec::with_capacity(256);
    Checked { value, field: "" }.serialize(&mut serde_json::Serializer::new(&mut json)).map_err(EncodeError::new)?;
    Ok(json)
}

/// A value below the top; `field` is the nearest struct field that holds it, or empty.
struct Checked<'a, T: ?Sized> {
    value: &'a T,
    field: &'static str,
}

impl<T: Serialize + ?Sized> Serialize for Checked<'_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Finite { inner: serializer, field: self.field })
    }
}

/// A serialiser, or a list, map or struct that is being written by one.
struct Finite<S> {
    inner: S,
    field: &'static str,
}

impl<S> Finite<S> {
    fn refuse<E: Error>(&self) -> E {
        match self.field {
            "" => E::custom("a number is NaN or infinite, which JSON does not have"),
            field => E::custom(format_args!("field `{field}`: a number is NaN or infinite, which JSON does not have")),
        }
    }

    fn wrap<C, E>(field: &'static str, compound: Result<C, E>) -> Result<Finite<C>, E> {
        compound.map(|inner| Finite { inner, field })
    }
}

macro_rules! pass_on {
    ($($method:ident($($argument:ident: $type:ty),*);)+) => {
        $(#[inline]
        fn $method(self, $($argument: $type),*) -> Result<S::Ok, S::Error> {
            self.inner.$method($($argument),*)
        })+
    };
}

impl<S: Serializer> Serializer for Finite<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Finite<S::SerializeSeq>;
    type SerializeTuple = Finite<S::SerializeTuple>;
    type SerializeTupleStruct = Finite<S::SerializeTupleStruct>;
    type SerializeTupleVariant = Finite<S::SerializeTupleVariant>;
    type SerializeMap = Finite<S::SerializeMap>;
    type SerializeStruct = Finite<S::SerializeStruct>;
    type SerializeStructVariant = Finite<S::SerializeStructVariant>;

    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        if value.is_finite() { self.inner.serialize_f32(value) } else { Err(self.refuse()) }
    }

    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        if value.is_finite() { self.inner.serialize_f64(value) } else { Err(self.refuse()) }
    }

    pass_on! {
        serialize_bool(value: bool);
        serialize_i8(value: i8);
        serialize_i16(value: i16);
        serialize_i32(value: i32);
        serialize_i64(value: i64);
        serialize_i128(value: i128);
        serialize_u8(value: u8);
        serialize_u16(value: u16);
        serialize_u32(value: u32);
        serialize_u64(value: u64);
        serialize_u128(value: u128);
        serialize_char(value: char);
        serialize_str(value: &str);
        serialize_bytes(value: &[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(name: &'static str);
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str);
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.serialize_some(&Checked { value, field: self.field })
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.serialize_newtype_struct(name, &Checked { value, field: self.field })
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_newtype_variant(name, index, variant, &Checked { value, field: self.field })
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        Self::wrap(self.field, self.inner.serialize_seq(len))
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        Self::wrap(self.field, self.inner.serialize_tuple(len))
    }

    #[inline]
    fn serialize_tuple_struct(self, name: &'static str, len: usize) -> Result<Self::SerializeTupleStruct, S::Error> {
        Self::wrap(self.field, self.inner.serialize_tuple_struct(name, len))
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        Self::wrap(self.field, self.inner.serialize_tuple_variant(name, index, variant, len))
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        Self::wrap(self.field, self.inner.serialize_map(len))
    }

    #[inline]
    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Self::SerializeStruct, S::Error> {
        Self::wrap(self.field, self.inner.serialize_struct(name, len))
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        Self::wrap(self.field, self.inner.serialize_struct_variant(name, index, variant, len))
    }

    fn collect_str<T: std::fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }
}

macro_rules! list {
    ($($list:ident::$method:ident),+) => {
        $(impl<S: $list> $list for Finite<S> {
            type Ok = S::Ok;
            type Error = S::Error;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
                self.inner.$method(&Checked { value, field: self.field })
            }

            #[inline]
            fn end(self) -> Result<S::Ok, S::Error> {
                self.inner.end()
            }
        })+
    };
}

list! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
}

macro_rules! fields {
    ($($fields:ident),+) => {
        $(impl<S: $fields> $fields for Finite<S> {
            type Ok = S::Ok;
            type Error = S::Error;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), S::Error> {
                self.inner.serialize_field(key, &Checked { value, field: key })
            }

            #[inline]
            fn end(self) -> Result<S::Ok, S::Error> {
                self.inner.end()
            }
        })+
    };
}

fields! { SerializeStruct, SerializeStructVariant }

/// A key of a map may be an address, so an error names the field that holds the map and not the key.
impl<S: SerializeMap> SerializeMap for Finite<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), S::Error> {
        self.inner.serialize_key(&Checked { value: key, field: self.field })
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        self.inner.serialize_value(&Checked { value, field: self.field })
    }

    #[inline]
    fn serialize_entry<K: Serialize + ?Sized, V: Serialize + ?Sized>(
        &mut self,
        key: &K,
        value: &V,
    ) -> Result<(), S::Error> {
        let field = self.field;
        self.inner.serialize_entry(&Checked { value: key, field }, &Checked { value, field })
    }

    #[inline]
    fn end(self) -> Result<S::Ok, S::Error> {
        self.inner.end()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Serialize, Default)]
    struct Purchase {
        event_name: &'static str,
        amount: f64,
        single: f32,
        list: Vec<f64>,
        pair: (f64, f32),
        option: Option<f64>,
        map: BTreeMap<&'static str, f64>,
        newtype: Newtype,
        tuple: Tuple,
        variants: Vec<Variants>,
        nested: Option<Box<Purchase>>,
    }

    #[derive(Serialize, Default)]
    struct Newtype(f64);

    #[derive(Serialize, Default)]
    struct Tuple(f64, f64);

    #[derive(Serialize)]
    enum Variants {
        Unit,
        Newtype(f64),
        Tuple(f64, f64),
        Struct { within: f64 },
    }

    /// A key and a value on their own, not as an entry.
    struct Halves(f64);

    impl Serialize for Halves {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            map.serialize_key("half")?;
            map.serialize_value(&self.0)?;
            map.end()
        }
    }

    /// A map whose keys are numbers, which std's maps do not allow for floats.
    struct Keyed(f64);

    impl Serialize for Keyed {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([(self.0, 1)])
        }
    }

    fn error(value: &impl Serialize) -> String {
        to_vec(value).unwrap_err().to_string()
    }

    // `docs/faults.md` 93.
    #[test]
    fn nan_and_the_infinities_are_refused_wherever_they_are_and_the_field_is_named() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            #[allow(clippy::cast_possible_truncation, reason = "they stay what they are")]
            let single = bad as f32;
            let purchase = Purchase::default;
            for (value, field) in [
                (Purchase { amount: bad, ..purchase() }, "amount"),
                (Purchase { single, ..purchase() }, "single"),
                (Purchase { list: vec![1.0, bad], ..purchase() }, "list"),
                (Purchase { pair: (bad, 1.0), ..purchase() }, "pair"),
                (Purchase { pair: (1.0, single), ..purchase() }, "pair"),
                (Purchase { option: Some(bad), ..purchase() }, "option"),
                (Purchase { map: [("canary@example.com", bad)].into(), ..purchase() }, "map"),
                (Purchase { newtype: Newtype(bad), ..purchase() }, "newtype"),
                (Purchase { tuple: Tuple(1.0, bad), ..purchase() }, "tuple"),
                (Purchase { variants: vec![Variants::Unit, Variants::Newtype(bad)], ..purchase() }, "variants"),
                (Purchase { variants: vec![Variants::Tuple(1.0, bad)], ..purchase() }, "variants"),
                (Purchase { variants: vec![Variants::Struct { within: bad }], ..purchase() }, "within"),
                (Purchase { nested: Some(Box::new(Purchase { amount: bad, ..purchase() })), ..purchase() }, "amount"),
            ] {
                let error = error(&value);
                assert!(error.contains(&format!("field `{field}`")) && error.contains("NaN or infinite"), "{error}");
                assert!(!error.contains("canary"), "{error}");
            }
            assert!(error(&bad).starts_with("a number is NaN or infinite"));
            assert!(to_vec(&Keyed(bad)).is_err() && to_vec(&Halves(bad)).is_err());
            assert!(to_vec(&BTreeMap::from([("a", [bad])])).is_err());
        }
    }

    #[test]
    fn everything_else_is_written_as_serde_json_writes_it() {
        let value = Purchase {
            event_name: "purchase",
            amount: 19.9,
            single: 0.1,
            list: vec![f64::MIN_POSITIVE, f64::MAX, -0.0, 1e300],
            option: Some(1.0),
            map: [("a", 1.5)].into(),
            variants: vec![
                Variants::Unit,
                Variants::Newtype(1.0),
                Variants::Tuple(1.0, 2.0),
                Variants::Struct { within: 3.0 },
            ],
            nested: Some(Box::default()),
            ..Purchase::default()
        };
        assert_eq!(to_vec(&value).unwrap(), serde_json::to_vec(&value).unwrap());
        let numbers = (u64::MAX, i64::MIN, u128::MAX, i128::MIN, 1_u8, 'c', "\u{0}é\"", b"bytes", (), None::<u8>, true);
        assert_eq!(to_vec(&numbers).unwrap(), serde_json::to_vec(&numbers).unwrap());
        let map = BTreeMap::from([(1, "a"), (2, "b")]);
        assert_eq!(to_vec(&map).unwrap(), br#"{"1":"a","2":"b"}"#);
        assert_eq!(to_vec(&Keyed(1.5)).ok(), serde_json::to_vec(&Keyed(1.5)).ok());
        assert_eq!(to_vec(&Halves(1.5)).unwrap(), br#"{"half":1.5}"#);
        let texts = (std::net::Ipv4Addr::LOCALHOST, format_args!("{}-{}", 1, 2));
        assert_eq!(to_vec(&texts).unwrap(), br#"["127.0.0.1","1-2"]"#, "as a person reads them");
        let json = serde_json::json!({"a": [1, 2.5, null, "x", {"b": {}}]});
        assert_eq!(to_vec(&json).unwrap(), serde_json::to_vec(&json).unwrap());
    }

    #[test]
    fn an_error_of_the_value_itself_keeps_its_words() {
        struct Failing;
        impl Serialize for Failing {
            fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(S::Error::custom("no such currency"))
            }
        }
        assert_eq!(error(&Failing), "no such currency");
        assert_eq!(error(&BTreeMap::from([((1, 2), 3)])), "key must be a string");
    }
}
