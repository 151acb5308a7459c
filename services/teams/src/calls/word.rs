//! Words of an enumeration: read without regard to case, unknown ones kept.

/// Defines an enumeration of the wire: its variants with the word that Microsoft's metadata declares for each, and `Other`
/// for every word that is not listed, as it was spelled.
macro_rules! wire_word {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $( $(#[$variant_meta:meta])* $variant:ident => $word:literal, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $( $(#[$variant_meta])* $variant, )*
            /// A word that is not listed, as it was spelled.
            Other(String),
        }

        impl $name {
            /// The word as Microsoft's metadata declares it, or as it was spelled.
            pub fn as_str(&self) -> &str {
                match self {
                    $( Self::$variant => $word, )*
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                $( if word.eq_ignore_ascii_case($word) { return Self::$variant; } )*
                Self::Other(word.to_owned())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(self.as_str())
            }
        }

        impl $crate::wire::Tolerant for $name {
            fn from_text(text: &str) -> $crate::wire::Read<Self> {
                $crate::wire::Read::Known(Self::from(text))
            }

            fn from_owned_text(text: String) -> $crate::wire::Read<Self> {
                $crate::wire::Read::Known(Self::from(text.as_str()))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Ok(Self::from(word.as_ref()))
            }
        }
    };
}

pub(crate) use wire_word;
