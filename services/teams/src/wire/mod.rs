//! Reading JSON objects without losing anything: known members become typed fields, everything else stays as it came.
//!
//! `#[serde(flatten)]` would buffer every member of every object and read it a second time. [`wire_object!`] makes one pass
//! instead: each member goes straight into its field, or, when its name is unknown or its value has another shape than
//! documented (an explicit `null`, a number where text belongs, an empty array), into [`Extra`], from where it is written
//! back unchanged.

mod extra;
mod member;
mod tolerant;

pub use extra::Extra;
pub(crate) use member::{Member, Name};
pub(crate) use tolerant::{Read, Tolerant};

/// Defines an object of the wire: its typed members with their names in JSON, and `extra` for the rest.
///
/// With `as "name"` the object is one of several that are told apart by `type`: that member is written with this value
/// unless the object was read with another spelling.
macro_rules! wire_object {
    (
        $(#[$meta:meta])*
        pub struct $object:ident $(as $tag:literal)? {
            $( $(#[$field_meta:meta])* $field:ident: $type:ty => $name:literal, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $object {
            $( $(#[$field_meta])* pub $field: $type, )*
            /// Members that are not listed above, or whose value has another shape; written back unchanged.
            pub extra: $crate::wire::Extra,
        }

        impl $object {
            /// Whether the typed field behind a member's name is set, so that it is written and `extra` is not.
            fn is_typed(&self, name: &str) -> bool {
                match name {
                    $( $name => $crate::wire::Member::is_present(&self.$field), )*
                    _ => false,
                }
            }
        }

        impl $crate::wire::Tolerant for $object {
            fn from_object<'de, A: serde::de::MapAccess<'de>>(
                mut members: A,
            ) -> Result<$crate::wire::Read<Self>, A::Error> {
                use $crate::wire::{Member, Name, Read};
                let mut object = Self::default();
                while let Some(Name(name)) = members.next_key()? {
                    // A name that comes twice: the last one counts, as everywhere in JSON.
                    match name.as_ref() {
                        $( $name => match Member::read(&mut members)? {
                            Read::Known(value) => object.$field = value,
                            Read::Other(value) => {
                                object.$field = <$type as Default>::default();
                                object.extra.insert($name, value);
                            }
                        }, )*
                        unknown => {
                            let value = members.next_value()?;
                            object.extra.insert(unknown, value);
                        }
                    }
                }
                Ok(Read::Known(object))
            }
        }

        impl<'de> serde::Deserialize<'de> for $object {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                match serde::Deserialize::deserialize(deserializer)? {
                    $crate::wire::Read::Known(object) => Ok(object),
                    $crate::wire::Read::Other(_) => Err(serde::de::Error::custom("expected a JSON object")),
                }
            }
        }

        impl serde::Serialize for $object {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap;
                let mut members = serializer.serialize_map(None)?;
                $( if self.extra.get("type").is_none() { members.serialize_entry("type", $tag)?; } )?
                $( if $crate::wire::Member::is_present(&self.$field) {
                    members.serialize_entry($name, &self.$field)?;
                } )*
                for (name, value) in self.extra.iter().filter(|(name, _)| !self.is_typed(name)) {
                    members.serialize_entry(name, value)?;
                }
                members.end()
            }
        }
    };
}

pub(crate) use wire_object;
