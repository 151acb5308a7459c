//! Reading the members of an object into typed fields.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::Serialize;
use serde_json::Value;

use super::{Read, Tolerant};

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
pub(crate) struct Name<'de>(pub(crate) Cow<'de, str>);

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
