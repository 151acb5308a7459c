//! What was written, before anybody knows what it means: a tree of values that remember where each came from.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Where a value was written. Later layers win over earlier ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody wrote it.
    Default,
    /// In the file, at these bytes.
    File(Range<usize>),
    /// In the environment variable of this name.
    Environment(Arc<str>),
    /// By the flag of this name on the command line.
    Flag(Arc<str>),
}

/// A value with the place where it was written.
#[derive(Clone, Debug)]
pub struct Item {
    /// What was written.
    pub value: Value,
    /// Where.
    pub origin: Origin,
}

/// A written value.
#[derive(Clone, Debug)]
pub enum Value {
    /// From the environment or a flag: it has no type of its own, each setting reads it in its own way.
    Text(String),
    /// A TOML string.
    String(String),
    /// A TOML integer.
    Integer(i128),
    /// A TOML float.
    Float(f64),
    /// A TOML boolean.
    Boolean(bool),
    /// A TOML date or time, as written: no setting takes one.
    Date(String),
    /// A TOML array.
    Array(Vec<Item>),
    /// A TOML table.
    Table(Table),
}

impl Value {
    /// What kind of value this is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::String(_) => "text",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number with a fraction",
            Self::Boolean(_) => "true or false",
            Self::Date(_) => "a date",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
        }
    }

    /// As it would stand in a TOML file.
    pub fn shown(&self) -> String {
        match self {
            Self::Text(text) | Self::String(text) => quoted(text),
            Self::Integer(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Boolean(truth) => truth.to_string(),
            Self::Date(date) => date.clone(),
            Self::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| item.value.shown()).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Table(_) => "{ .. }".to_owned(),
        }
    }
}

/// Text as a TOML string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Keys and values in the order in which they were written.
#[derive(Clone, Debug, Default)]
pub struct Table {
    entries: Vec<Entry>,
}

/// One key of a table.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key itself stands.
    pub key_origin: Origin,
    /// What it is set to.
    pub item: Item,
}

impl Table {
    /// All entries.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of this key.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Removes and returns the entry of this key.
    pub fn take(&mut self, key: &str) -> Option<Entry> {
        let place = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(place))
    }

    /// Sets the value at the end of a path, over what an earlier layer said; makes the tables on the way.
    pub fn set(&mut self, path: &[&str], item: Item) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let origin = item.origin.clone();
        let found = self.entries.iter().position(|entry| entry.key == *first);
        let place = found.unwrap_or_else(|| {
            self.entries.push(Entry {
                key: (*first).to_owned(),
                key_origin: origin.clone(),
                item: Item {
                    value: Value::Table(Self::default()),
                    origin: origin.clone(),
                },
            });
            self.entries.len() - 1
        });
        let entry = &mut self.entries[place];
        if rest.is_empty() {
            entry.key_origin = origin;
            entry.item = item;
            return;
        }
        if !matches!(entry.item.value, Value::Table(_)) {
            entry.item = Item {
                value: Value::Table(Self::default()),
                origin,
            };
        }
        if let Value::Table(table) = &mut entry.item.value {
            table.set(rest, item);
        }
    }
}

/// A mistake in the form of a file.
#[derive(Clone, Debug)]
pub(super) struct SyntaxError {
    /// What is wrong.
    pub message: String,
    /// Where, if the parser knows.
    pub span: Option<Range<usize>>,
}

/// Reads a TOML text. All mistakes of form are found, not only the first.
pub(super) fn parse(text: &str) -> Result<Table, Vec<SyntaxError>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(table(document.get_ref()));
    }
    Err(errors
        .iter()
        .map(|error| SyntaxError {
            message: error.message().to_owned(),
            span: error.span(),
        })
        .collect())
}

fn table(parsed: &DeTable<'_>) -> Table {
    let mut entries: Vec<Entry> = parsed
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            key_origin: Origin::File(key.span()),
            item: item(value),
        })
        .collect();
    entries.sort_by_key(|entry| match &entry.key_origin {
        Origin::File(span) => span.start,
        _ => 0,
    });
    Table { entries }
}

fn item(parsed: &Spanned<DeValue<'_>>) -> Item {
    let value = match parsed.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(integer) => i128::from_str_radix(integer.as_str(), integer.radix())
            .map_or_else(|_| Value::Text(integer.to_string()), Value::Integer),
        DeValue::Float(float) => float
            .as_str()
            .parse()
            .map_or_else(|_| Value::Text(float.as_str().to_owned()), Value::Float),
        DeValue::Boolean(truth) => Value::Boolean(*truth),
        DeValue::Datetime(date) => Value::Date(date.to_string()),
        DeValue::Array(items) => Value::Array(items.iter().map(item).collect()),
        DeValue::Table(inner) => Value::Table(table(inner)),
    };
    Item {
        value,
        origin: Origin::File(parsed.span()),
    }
}
