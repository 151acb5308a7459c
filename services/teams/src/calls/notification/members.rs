//! A few members of an object, none of them read, none of the others built: a roster may have a megabyte.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::wire::Name;

/// The members of these names as they stand in the JSON; of two with one name the last, as everywhere in JSON.
///
/// # Errors
/// It is no object of JSON.
pub(super) fn pick<'a, const N: usize>(
    json: &'a [u8],
    names: [&'static str; N],
) -> Result<[Option<&'a RawValue>; N], serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let found = Picker(names).deserialize(&mut reader)?;
    reader.end()?;
    Ok(found)
}

/// A member that is a text.
pub(super) fn text(member: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(member?.get()).ok()
}

/// A member that is an object.
pub(super) fn object(member: Option<&RawValue>) -> Option<&RawValue> {
    member.filter(|raw| raw.get().starts_with('{'))
}

/// A member that is a list.
pub(super) fn list(member: Option<&RawValue>) -> Option<&RawValue> {
    member.filter(|raw| raw.get().starts_with('['))
}

struct Picker<const N: usize>([&'static str; N]);

impl<'de, const N: usize> DeserializeSeed<'de> for Picker<N> {
    type Value = [Option<&'de RawValue>; N];

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Picker<N> {
    type Value = [Option<&'de RawValue>; N];

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        while let Some(Name(name)) = members.next_key()? {
            match self.0.iter().position(|wanted| *wanted == name) {
                Some(place) => found[place] = Some(members.next_value()?),
                None => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }
}
