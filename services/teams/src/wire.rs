//! Reading JSON objects without losing anything: known members become typed fields, everything else stays as it came.
//!
//! `#[serde(flatten)]` would buffer every member of every object and read it a second time. [`wire_object!`] makes one pass
//! instead: each member goes straight into its field, or, when its name is unknown or its value has another shape than
//! documented (an explicit `null`, a number where text belongs, an empty array), into [`Extra`], from where it is written
//! back unchanged.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::Serialize;
use serde_json::{Map, Value};

/// Members of an object that have no typed field, or whose value does not fit it.
///
/// Costs one pointer while it is empty, as it nearly always is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extra(Option<Box<Map<String, Value>>>);

impl Extra {
    /// The member of that name as it stands on the wire.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.as_ref()?.get(name)
    }

    /// Sets a member. A typed field that is set wins over a member of the same name.
    pub fn insert(&mut self, name: impl Into<String>, value: Value) {
        self.0.get_or_insert_default().insert(name.into(), value);
    }

    /// Takes a member out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.0.as_mut()?.remove(name)
    }

    /// Every member, in the order in which it came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0
            .iter()
            .flat_map(|members| members.iter())
            .map(|(name, value)| (name.as_str(), value))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|members| members.is_empty())
    }
}

/// A value that was read, or the JSON that stood in its place.
pub(crate) enum Read<T> {
    Known(T),
    Other(Value),
}

/// A type that can be read from some shapes of JSON and hands back the others.
///
/// Each method takes one shape; the shapes that a type does not take stay JSON. A reader that has begun with an object or an
/// array never fails because of what is inside.
pub(crate) trait Tolerant: Sized {
    fn from_text(text: &str) -> Read<Self> {
        Read::Other(Value::String(text.to_owned()))
    }

    fn from_owned_text(text: String) -> Read<Self> {
        Read::Other(Value::String(text))
    }

    fn from_scalar(scalar: Value) -> Read<Self> {
        Read::Other(scalar)
    }

    fn from_array<'de, A: SeqAccess<'de>>(items: A) -> Result<Read<Self>, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(items)).map(Read::Other)
    }

    fn from_object<'de, A: MapAccess<'de>>(members: A) -> Result<Read<Self>, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(members)).map(Read::Other)
    }
}

impl<'de, T: Tolerant> Deserialize<'de> for Read<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

struct Reader<T>(PhantomData<T>);

impl<'de, T: Tolerant> Visitor<'de> for Reader<T> {
    type Value = Read<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Read<T>, E> {
        Ok(T::from_text(text))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Read<T>, E> {
        Ok(T::from_owned_text(text))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Read<T>, E> {
        Ok(T::from_scalar(Value::Bool(value)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Read<T>, E> {
        Ok(T::from_scalar(Value::from(value)))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Read<T>, E> {
        Ok(T::from_scalar(Value::from(value)))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Read<T>, E> {
        Ok(T::from_scalar(Value::from(value)))
    }

    fn visit_unit<E: Error>(self) -> Result<Read<T>, E> {
        Ok(Read::Other(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Read<T>, A::Error> {
        T::from_array(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Read<T>, A::Error> {
        T::from_object(members)
    }
}

impl Tolerant for String {
    fn from_text(text: &str) -> Read<Self> {
        Read::Known(text.to_owned())
    }

    fn from_owned_text(text: String) -> Read<Self> {
        Read::Known(text)
    }
}

impl Tolerant for bool {
    fn from_scalar(scalar: Value) -> Read<Self> {
        match scalar {
            Value::Bool(value) => Read::Known(value),
            other => Read::Other(other),
        }
    }
}

impl Tolerant for u64 {
    fn from_scalar(scalar: Value) -> Read<Self> {
        match scalar.as_u64() {
            Some(value) => Read::Known(value),
            None => Read::Other(scalar),
        }
    }
}

/// Any JSON but `null`, which means the same as absent and is kept apart.
impl Tolerant for Value {
    fn from_text(text: &str) -> Read<Self> {
        Read::Known(Value::String(text.to_owned()))
    }

    fn from_owned_text(text: String) -> Read<Self> {
        Read::Known(Value::String(text))
    }

    fn from_scalar(scalar: Value) -> Read<Self> {
        Read::Known(scalar)
    }

    fn from_array<'de, A: SeqAccess<'de>>(items: A) -> Result<Read<Self>, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(items)).map(Read::Known)
    }

    fn from_object<'de, A: MapAccess<'de>>(members: A) -> Result<Read<Self>, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(members)).map(Read::Known)
    }
}

impl<T: Tolerant> Tolerant for Box<T> {
    fn from_text(text: &str) -> Read<Self> {
        T::from_text(text).boxed()
    }

    fn from_owned_text(text: String) -> Read<Self> {
        T::from_owned_text(text).boxed()
    }

    fn from_scalar(scalar: Value) -> Read<Self> {
        T::from_scalar(scalar).boxed()
    }

    fn from_array<'de, A: SeqAccess<'de>>(items: A) -> Result<Read<Self>, A::Error> {
        T::from_array(items).map(Read::boxed)
    }

    fn from_object<'de, A: MapAccess<'de>>(members: A) -> Result<Read<Self>, A::Error> {
        T::from_object(members).map(Read::boxed)
    }
}

impl<T> Read<T> {
    fn boxed(self) -> Read<Box<T>> {
        match self {
            Self::Known(value) => Read::Known(Box::new(value)),
            Self::Other(value) => Read::Other(value),
        }
    }
}

/// A typed field of a wire object: a value that may be absent, or a list that may be empty.
pub(crate) trait Member: Sized + Default {
    fn read<'de, A: MapAccess<'de>>(members: &mut A) -> Result<Read<Self>, A::Error>;

    fn is_present(&self) -> bool;
}

impl<T: Tolerant> Member for Option<T> {
    fn read<'de, A: MapAccess<'de>>(members: &mut A) -> Result<Read<Self>, A::Error> {
        Ok(match members.next_value::<Read<T>>()? {
            Read::Known(value) => Read::Known(Some(value)),
            Read::Other(value) => Read::Other(value),
        })
    }

    fn is_present(&self) -> bool {
        self.is_some()
    }
}

impl<T: Tolerant + Serialize> Member for Vec<T> {
    fn read<'de, A: MapAccess<'de>>(members: &mut A) -> Result<Read<Self>, A::Error> {
        Ok(match members.next_value::<Read<List<T>>>()? {
            Read::Known(List(items)) => Read::Known(items),
            Read::Other(value) => Read::Other(value),
        })
    }

    fn is_present(&self) -> bool {
        !self.is_empty()
    }
}

/// A list is typed only if it has items and all of them are: an empty list would be taken for an absent one.
struct List<T>(Vec<T>);

impl<T: Tolerant + Serialize> Tolerant for List<T> {
    fn from_array<'de, A: SeqAccess<'de>>(mut array: A) -> Result<Read<Self>, A::Error> {
        let mut items = Vec::new();
        while let Some(read) = array.next_element::<Read<T>>()? {
            match read {
                Read::Known(item) => items.push(item),
                Read::Other(stranger) => return untyped(items, stranger, array).map(Read::Other),
            }
        }
        Ok(if items.is_empty() {
            Read::Other(Value::Array(Vec::new()))
        } else {
            Read::Known(List(items))
        })
    }
}

/// Turns a list back to JSON whose next item is of another shape.
fn untyped<'de, T: Serialize, A: SeqAccess<'de>>(
    typed: Vec<T>,
    stranger: Value,
    mut rest: A,
) -> Result<Value, A::Error> {
    let mut items = Vec::with_capacity(typed.len() + 1);
    for item in typed {
        items.push(serde_json::to_value(item).map_err(A::Error::custom)?);
    }
    items.push(stranger);
    while let Some(item) = rest.next_element::<Value>()? {
        items.push(item);
    }
    Ok(Value::Array(items))
}

/// Name of a member, borrowed from the body unless it holds an escape.
pub(crate) struct Name<'de>(pub(crate) std::borrow::Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a member")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Name<'de>, E> {
        Ok(Name(name.into()))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Name<'de>, E> {
        Ok(Name(name.to_owned().into()))
    }
}

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
