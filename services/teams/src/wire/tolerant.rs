//! Reading one value of which only some shapes are wanted.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

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

impl Tolerant for f64 {
    fn from_scalar(scalar: Value) -> Read<Self> {
        match scalar.as_f64() {
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
