//! Whole numbers that come as numbers or as text.

use serde_json::Value;

use crate::wire::{Read, Tolerant};

/// Graph's metadata declares numbers where some pages and logs show text (`"code": "200"`).
impl Tolerant for i64 {
    fn from_text(text: &str) -> Read<Self> {
        match text.parse() {
            Ok(value) => Read::Known(value),
            Err(_) => Read::Other(Value::String(text.to_owned())),
        }
    }

    fn from_owned_text(text: String) -> Read<Self> {
        Self::from_text(&text)
    }

    fn from_scalar(scalar: Value) -> Read<Self> {
        match scalar.as_i64() {
            Some(value) => Read::Known(value),
            None => Read::Other(scalar),
        }
    }
}
