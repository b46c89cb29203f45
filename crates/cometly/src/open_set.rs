//! Sets of names to which Cometly may add: a struct around the text, with a constant for each name that is documented.

/// Declares one. `documented` lists the constants; `fits` says which other texts [`FromStr`](std::str::FromStr) takes.
macro_rules! open_set {
    (
        $(#[$meta:meta])*
        $name:ident, $field:literal, $expected:literal, fits: $fits:expr,
        $($(#[$about:meta])* $constant:ident = $value:literal,)*
    ) => {
        $(#[$meta])*
        ///
        /// [`FromStr`](std::str::FromStr) fails with [`InvalidRequest`](crate::InvalidRequest) for any other text;
        /// [`other`](Self::other) and an answer of the API take any. A struct and no enum: a name that is newer than this crate is
        /// read like any other, and breaks nothing.
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(std::borrow::Cow<'static, str>);

        impl $name {
            $($(#[$about])* pub const $constant: Self = Self(std::borrow::Cow::Borrowed($value));)*

            /// All names for which there is a constant here, in the order of the constants.
            pub const DOCUMENTED: &'static [Self] = &[$(Self::$constant),*];

            /// Any other name, such as one that is newer than this crate. It is not checked here, even an empty one passes,
            /// and it is sent as it is.
            pub fn other(name: impl Into<std::borrow::Cow<'static, str>>) -> Self {
                Self(name.into())
            }

            /// The name as the API writes it; after [`other`](Self::other), the text that was given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::InvalidRequest;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                if let Some(known) = Self::DOCUMENTED.iter().find(|known| known.as_str() == text) {
                    return Ok(known.clone());
                }
                let fits: fn(&str) -> bool = $fits;
                if fits(text) {
                    return Ok(Self(text.to_owned().into()));
                }
                Err($crate::InvalidRequest::new($field, $expected))
            }
        }

        impl TryFrom<&str> for $name {
            type Error = $crate::InvalidRequest;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({:?})", stringify!($name), self.0)
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }

        /// Takes any text, also one that [`FromStr`](std::str::FromStr) would refuse: the API decides which names there are. A
        /// value that is no text is an error.
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("a string")
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        let known = $name::DOCUMENTED.iter().find(|known| known.as_str() == text);
                        Ok(known.cloned().unwrap_or_else(|| $name(text.to_owned().into())))
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}
pub(crate) use open_set;
