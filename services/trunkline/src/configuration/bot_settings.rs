//! Reads `[bots.NAME.settings]` as the type that the bot's code asks for, with the places and near names of all other settings.
//!
//! A deserializer of our own, because the type is the author's: a struct's field names are what a misspelt key is compared
//! with, and they are seen only here.

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::{Deserializer, forward_to_deserialize_any};

use super::problem::{Code, Problem};
use super::read;
use super::tree::{Entry, Item, Origin, Table, Value};

/// Reads the settings of a bot. `None` stands for an empty table.
pub(super) fn read<T: DeserializeOwned>(bot: &str, item: Option<&Item>) -> Result<T, Problem> {
    let empty = Item {
        value: Value::Table(Table::default()),
        origin: Origin::Default,
    };
    let path = format!("bots.{bot}.settings");
    T::deserialize(Reader {
        path: &path,
        item: item.unwrap_or(&empty),
    })
    .map_err(|wrong| wrong.0)
}

/// A problem on its way through serde.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message)]
struct Mistake(Problem);

impl serde::de::Error for Mistake {
    fn custom<M: std::fmt::Display>(message: M) -> Self {
        Self(Problem {
            code: Code::WrongValue,
            setting: String::new(),
            message: message.to_string(),
            remedy: String::new(),
            origin: Origin::Default,
        })
    }
}

impl Mistake {
    /// Fills in the place, where the mistake was made and nobody has said so yet.
    fn at(mut self, path: &str, origin: &Origin) -> Self {
        if self.0.setting.is_empty() {
            path.clone_into(&mut self.0.setting);
            self.0.message = format!("{path}: {}", self.0.message);
            "write what the bot's code asks for".clone_into(&mut self.0.remedy);
            self.0.origin = origin.clone();
        }
        self
    }
}

struct Reader<'a> {
    path: &'a str,
    item: &'a Item,
}

impl<'a> Reader<'a> {
    fn place(&self) -> (&'a str, &'a Origin) {
        (self.path, &self.item.origin)
    }

    fn table<'de, V: Visitor<'de>>(&self, table: &'a Table, visitor: V) -> Result<V::Value, Mistake> {
        let entries = Entries {
            path: self.path,
            rest: table.entries().iter(),
            current: None,
        };
        visitor.visit_map(entries)
    }
}

/// Numbers and truth values in the environment are text; a typed target reads them.
macro_rules! from_text {
    ($($method:ident)+) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
                let Value::Text(text) = &self.item.value else { return self.deserialize_any(visitor) };
                let (path, origin) = self.place();
                let read = if let Ok(number) = text.parse::<i64>() {
                    visitor.visit_i64(number)
                } else if let Ok(number) = text.parse::<f64>() {
                    visitor.visit_f64(number)
                } else if let Ok(truth) = text.parse::<bool>() {
                    visitor.visit_bool(truth)
                } else {
                    visitor.visit_str(text)
                };
                read.map_err(|mistake: Mistake| mistake.at(path, origin))
            }
        )+
    };
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let (path, origin) = self.place();
        match &self.item.value {
            Value::Text(text) | Value::String(text) | Value::Date(text) => visitor.visit_str(text),
            Value::Integer(number) => match i64::try_from(*number) {
                Ok(number) => visitor.visit_i64(number),
                Err(_) => visitor.visit_i128(*number),
            },
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Boolean(truth) => visitor.visit_bool(*truth),
            Value::Array(items) => visitor.visit_seq(Items {
                path,
                items: items.iter(),
            }),
            Value::Table(table) => self.table(table, visitor),
        }
        .map_err(|mistake: Mistake| mistake.at(path, origin))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        if let Value::Table(table) = &self.item.value
            && let Some(entry) = table
                .entries()
                .iter()
                .find(|entry| !fields.contains(&entry.key.as_str()))
        {
            return Err(Mistake(read::unknown(self.path, entry, fields.iter().copied())));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let (path, origin) = self.place();
        match &self.item.value {
            Value::Text(word) | Value::String(word) => {
                let word: StrDeserializer<'_, Mistake> = word.as_str().into_deserializer();
                visitor.visit_enum(word)
            }
            Value::Table(table) => match table.entries() {
                [only] => visitor.visit_enum(Variant { path, only }),
                _ => Err(serde::de::Error::custom("a table with one key is expected")),
            },
            other => Err(serde::de::Error::custom(format_args!(
                "{} is not expected here",
                other.kind()
            ))),
        }
        .map_err(|mistake: Mistake| mistake.at(path, origin))
    }

    from_text! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

struct Entries<'a> {
    path: &'a str,
    rest: std::slice::Iter<'a, Entry>,
    current: Option<&'a Entry>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Mistake> {
        self.current = self.rest.next();
        let Some(entry) = self.current else { return Ok(None) };
        let key: StrDeserializer<'_, Mistake> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mistake> {
        let Some(entry) = self.current else {
            return Err(serde::de::Error::custom("a value without a key"));
        };
        let path = format!("{}.{}", self.path, entry.key);
        seed.deserialize(Reader {
            path: &path,
            item: &entry.item,
        })
    }
}

struct Items<'a> {
    path: &'a str,
    items: std::slice::Iter<'a, Item>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Mistake> {
        let Some(item) = self.items.next() else { return Ok(None) };
        seed.deserialize(Reader { path: self.path, item }).map(Some)
    }
}

struct Variant<'a> {
    path: &'a str,
    only: &'a Entry,
}

impl<'a, 'de> EnumAccess<'de> for Variant<'a> {
    type Error = Mistake;
    type Variant = Reader<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Reader<'a>), Mistake> {
        let name: StrDeserializer<'_, Mistake> = self.only.key.as_str().into_deserializer();
        Ok((
            seed.deserialize(name)?,
            Reader {
                path: self.path,
                item: &self.only.item,
            },
        ))
    }
}

impl<'de> VariantAccess<'de> for Reader<'_> {
    type Error = Mistake;

    fn unit_variant(self) -> Result<(), Mistake> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Mistake> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Mistake> {
        self.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Mistake> {
        self.deserialize_struct("", fields, visitor)
    }
}
