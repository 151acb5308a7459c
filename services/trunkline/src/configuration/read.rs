//! From what was written to typed sections. Every problem is noted and reading goes on, so that one start shows them all.

use std::collections::BTreeMap;

use super::near::nearest;
use super::problem::{Code, Problem};
use super::section::{Section, Setting};
use super::tree::{self, Entry, Item, Origin, Table, Value};
use super::value::SettingType;

/// Reads one section.
pub(super) struct SectionReader<'a> {
    path: String,
    settings: &'static [Setting],
    table: Table,
    found: &'a mut Findings,
}

/// What reading found beside the values: problems, and where each setting came from.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Everything that is wrong.
    pub problems: Vec<Problem>,
    /// Full name of a setting to the place where its value was written.
    pub origins: BTreeMap<String, Origin>,
}

/// Reads the section of this full name out of `table`; unknown keys are problems.
pub(super) fn section<S: Section>(path: &str, table: Table, found: &mut Findings) -> Option<S> {
    let mut reader = SectionReader {
        path: path.to_owned(),
        settings: S::SETTINGS,
        table,
        found,
    };
    let section = S::read(&mut reader);
    reader.refuse_unknown();
    section
}

/// Takes the table of this key out of `parent`: an absent one is empty, another kind of value is a problem.
pub(super) fn take_table(parent: &mut Table, key: &str, path: &str, found: &mut Findings) -> Table {
    match parent.take(key) {
        None => Table::default(),
        Some(Entry {
            item: Item {
                value: Value::Table(table),
                ..
            },
            ..
        }) => table,
        Some(entry) => {
            found.problems.push(Problem {
                code: Code::WrongValue,
                setting: path.to_owned(),
                message: format!("{path} is {}, not a section", entry.item.value.kind()),
                remedy: format!("begin the section with [{path}] on a line of its own"),
                origin: entry.item.origin,
            });
            Table::default()
        }
    }
}

/// The problem of a key that nobody knows.
pub(super) fn unknown<'a>(prefix: &str, entry: &Entry, known: impl Iterator<Item = &'a str> + Clone) -> Problem {
    let joined = |name: &str| {
        if prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{prefix}.{name}")
        }
    };
    let remedy = match nearest(&entry.key, known.clone()) {
        Some(near) => format!("did you mean {}?", joined(near)),
        None => format!("known here: {}", known.collect::<Vec<_>>().join(", ")),
    };
    Problem {
        code: Code::UnknownSetting,
        setting: joined(&entry.key),
        message: format!("there is no setting {}", joined(&entry.key)),
        remedy,
        origin: entry.key_origin.clone(),
    }
}

impl SectionReader<'_> {
    /// Reads one setting: what was written, else the default, else what stands for an absent one.
    pub(super) fn setting<T: SettingType>(&mut self, name: &str) -> Option<T> {
        let path = format!("{}.{name}", self.path);
        match self.table.take(name) {
            Some(entry) => {
                self.found.origins.insert(path.clone(), entry.item.origin.clone());
                self.written(&path, &entry.item)
            }
            None => self.unwritten(&path, name),
        }
    }

    fn written<T: SettingType>(&mut self, path: &str, item: &Item) -> Option<T> {
        let wrong = match T::read(item) {
            Ok(value) => return Some(value),
            Err(wrong) => wrong,
        };
        let shown = if T::SECRET {
            String::new()
        } else {
            format!(" = {}", item.value.shown())
        };
        self.found.problems.push(Problem {
            code: Code::WrongValue,
            setting: path.to_owned(),
            message: format!("{path}{shown}: the value {}", wrong.why),
            remedy: format!("write {}", T::WHAT),
            origin: wrong.part.unwrap_or_else(|| item.origin.clone()),
        });
        None
    }

    fn unwritten<T: SettingType>(&mut self, path: &str, name: &str) -> Option<T> {
        let default = self
            .settings
            .iter()
            .find(|setting| setting.name == name)
            .and_then(|setting| setting.default);
        if let Some(default) = default {
            return of_default(default);
        }
        let absent = T::absent();
        if absent.is_none() {
            self.found.problems.push(Problem {
                code: Code::MissingSetting,
                setting: path.to_owned(),
                message: format!("{path} is missing"),
                remedy: format!("write {}", T::WHAT),
                origin: Origin::Default,
            });
        }
        absent
    }

    fn refuse_unknown(self) {
        for entry in self.table.entries() {
            let known = self.settings.iter().map(|setting| setting.name);
            self.found.problems.push(unknown(&self.path, entry, known));
        }
    }
}

/// Reads the TOML text of a default. A test reads every default of every section.
fn of_default<T: SettingType>(text: &str) -> Option<T> {
    let table = tree::parse(&format!("value = {text}")).ok()?;
    T::read(&table.get("value")?.item).ok()
}
