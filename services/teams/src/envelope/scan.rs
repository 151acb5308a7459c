//! A pass over JSON that builds nothing and counts levels.
//!
//! `serde::de::IgnoredAny` would be shorter, but serde_json passes ignored values over without checking their depth or
//! their numbers, and what the ingress lets through must be readable for the worker.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::wire::Name;

/// Levels that may still be opened.
#[derive(Clone, Copy)]
pub(super) struct Depth<'c> {
    left: usize,
    exceeded: &'c Cell<bool>,
}

impl<'c> Depth<'c> {
    /// `exceeded` is set when the limit was the reason why reading failed.
    pub(super) fn new(limit: usize, exceeded: &'c Cell<bool>) -> Self {
        Self { left: limit, exceeded }
    }

    fn open_level<E: Error>(self) -> Result<Self, E> {
        let Some(left) = self.left.checked_sub(1) else {
            self.exceeded.set(true);
            return Err(E::custom("nested too deep"));
        };
        Ok(Self { left, ..self })
    }
}

/// serde_json takes an object with such a member for one of its own values and reads the text inside as JSON of its own, with
/// a depth of its own. Nobody sends that by accident.
fn refuse_reserved<E: Error>(name: &str) -> Result<(), E> {
    if name.starts_with("$serde_json::private::") {
        Err(E::custom("a reserved name of a member"))
    } else {
        Ok(())
    }
}

/// Numbers, truth values and null leave nothing behind.
macro_rules! scalars_leave {
    ($nothing:expr) => {
        fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
            Ok($nothing)
        }

        fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
            Ok($nothing)
        }

        fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
            Ok($nothing)
        }

        fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
            Ok($nothing)
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok($nothing)
        }

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("any JSON value")
        }
    };
}

/// Reads past a value.
pub(super) struct Skip<'c>(pub(super) Depth<'c>);

impl<'de> DeserializeSeed<'de> for Skip<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Skip<'_> {
    type Value = ();

    scalars_leave!(());

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.0.open_level()?;
        while items.next_element_seed(Skip(inner))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inner = self.0.open_level()?;
        while let Some(Name(name)) = members.next_key()? {
            refuse_reserved(&name)?;
            members.next_value_seed(Skip(inner))?;
        }
        Ok(())
    }
}

/// A text, borrowed unless it holds an escape; `None` for a value that is no text.
pub(super) struct Text<'c>(pub(super) Depth<'c>);

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = Option<Cow<'de, str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Text<'_> {
    type Value = Option<Cow<'de, str>>;

    scalars_leave!(None);

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        Skip(self.0).visit_seq(items).map(|()| None)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        Skip(self.0).visit_map(members).map(|()| None)
    }
}

/// The members of an object that somebody wants.
pub(super) trait Members<'de>: Default {
    /// Reads the value of the member with that name, or reads past it with [`Skip`].
    fn read<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A, depth: Depth<'_>) -> Result<(), A::Error>;
}

/// An object; `None` for a value that is none.
pub(super) struct Object<'c, M> {
    depth: Depth<'c>,
    members: PhantomData<M>,
}

impl<'c, M> Object<'c, M> {
    pub(super) fn new(depth: Depth<'c>) -> Self {
        Self {
            depth,
            members: PhantomData,
        }
    }
}

impl<'de, M: Members<'de>> DeserializeSeed<'de> for Object<'_, M> {
    type Value = Option<M>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<M>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, M: Members<'de>> Visitor<'de> for Object<'_, M> {
    type Value = Option<M>;

    scalars_leave!(None);

    fn visit_str<E: Error>(self, _: &str) -> Result<Option<M>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Option<M>, A::Error> {
        Skip(self.depth).visit_seq(items).map(|()| None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<M>, A::Error> {
        let inner = self.depth.open_level()?;
        let mut members = M::default();
        while let Some(Name(name)) = map.next_key()? {
            refuse_reserved(&name)?;
            members.read(&name, &mut map, inner)?;
        }
        Ok(Some(members))
    }
}
