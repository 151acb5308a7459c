//! Lays the environment and the flags over the file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::near::nearest;
use super::problem::{Code, ConfigurationError, Problem, SourceFile};
use super::read::{self, Findings};
use super::schema::{self, BotSection};
use super::tree::{self, Entry, Item, Origin, Table, Value};

/// Where to read from.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The file; `None` for none.
    pub file: Option<PathBuf>,
    /// The process environment: name and value.
    pub environment: Vec<(String, String)>,
    /// Full name of a setting, its value, and the flag that said so.
    pub flags: Vec<(String, String, String)>,
}

/// Where a file is looked for when nobody names one.
pub(super) const LOOKED_UP: [&str; 2] = ["trunkline.toml", "/etc/trunkline/trunkline.toml"];

/// The file to read: the named one, else the first that exists of `trunkline.toml` here and `/etc/trunkline/trunkline.toml`.
pub fn find_file(named: Option<&Path>) -> Option<PathBuf> {
    match named {
        Some(path) => Some(path.to_owned()),
        None => LOOKED_UP.iter().map(PathBuf::from).find(|path| path.is_file()),
    }
}

/// What begins the name of every variable.
const PREFIX: &str = "TRUNKLINE_";
/// What parts section and setting in the name of a variable.
const NESTING: &str = "__";

/// The joined tree, the file's text, and what was found on the way.
pub(super) fn join(inputs: &Inputs) -> Result<(Table, Option<SourceFile>, Findings), ConfigurationError> {
    let file = inputs
        .file
        .as_ref()
        .map(|path| match std::fs::read_to_string(path) {
            Ok(text) => Ok(SourceFile {
                path: path.clone(),
                text,
            }),
            Err(reason) => Err(ConfigurationError::unreadable(path, &reason)),
        })
        .transpose()?;
    let mut root = match &file {
        Some(file) => tree::parse(&file.text).map_err(|errors| syntax(&errors, file))?,
        None => Table::default(),
    };
    let mut found = Findings::default();
    for (name, value) in &inputs.environment {
        if let Some(path) = path_of_variable(name, &root, &mut found) {
            set(&mut root, &path, value, Origin::Environment(Arc::from(name.as_str())));
        }
    }
    for (path, value, flag) in &inputs.flags {
        set(&mut root, path, value, Origin::Flag(Arc::from(flag.as_str())));
    }
    Ok((root, file, found))
}

/// Reads `[bots.NAME]`.
pub(super) fn bot(entry: &Entry, found: &mut Findings) -> Option<BotSection> {
    let path = format!("bots.{}", entry.key);
    let is_name = !entry.key.is_empty()
        && entry
            .key
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-_".contains(letter));
    if !is_name {
        found.problems.push(Problem {
            code: Code::WrongValue,
            setting: path.clone(),
            message: format!("\"{}\" cannot be the name of a bot", entry.key),
            remedy: "name bots by small letters, digits, - and _".to_owned(),
            origin: entry.key_origin.clone(),
        });
    }
    found.origins.insert(path.clone(), entry.key_origin.clone());
    match &entry.item.value {
        Value::Table(table) => read::section(&path, table.clone(), found),
        other => {
            found.problems.push(Problem {
                code: Code::WrongValue,
                setting: path.clone(),
                message: format!("{path} is {}, not a section", other.kind()),
                remedy: format!("begin the section with [{path}] on a line of its own"),
                origin: entry.item.origin.clone(),
            });
            None
        }
    }
}

fn set(root: &mut Table, path: &str, value: &str, origin: Origin) {
    let parts: Vec<&str> = path.split('.').collect();
    root.set(
        &parts,
        Item {
            value: Value::Text(value.to_owned()),
            origin,
        },
    );
}

fn syntax(errors: &[tree::SyntaxError], file: &SourceFile) -> ConfigurationError {
    let problems = errors
        .iter()
        .map(|error| Problem {
            code: Code::Syntax,
            setting: String::new(),
            message: format!("not TOML: {}", error.message),
            remedy: "see https://toml.io; `trunkline config example` prints a complete file".to_owned(),
            origin: error.span.clone().map_or(Origin::Default, Origin::File),
        })
        .collect();
    ConfigurationError::new(problems, Some(file))
}

/// `TRUNKLINE_INGRESS__BODY_LIMIT` is `ingress.body_limit`. A variable of ours without `__` is none of the settings, unless it
/// would be one with it: that is a slip, and silence would hide it. (Kubernetes makes variables such as
/// `TRUNKLINE_WORKER_PORT` of its own.)
fn path_of_variable(name: &str, root: &Table, found: &mut Findings) -> Option<String> {
    let rest = name.strip_prefix(PREFIX)?;
    if !rest.contains(NESTING) {
        let (section, setting) = rest.split_once('_')?;
        let meant = format!("{}.{}", section.to_lowercase(), setting.to_lowercase());
        schema::setting(&meant)?;
        found.problems.push(Problem {
            code: Code::UnknownSetting,
            setting: meant,
            message: format!("the variable {name} sets nothing"),
            remedy: format!("did you mean {PREFIX}{section}{NESTING}{setting}?"),
            origin: Origin::Environment(Arc::from(name)),
        });
        return None;
    }
    let parts: Vec<String> = rest.split(NESTING).map(str::to_lowercase).collect();
    let known_sections = schema::top_level();
    if !known_sections.clone().any(|section| section == parts[0]) {
        let remedy = match nearest(&parts[0], known_sections.clone()) {
            Some(near) => format!("did you mean {PREFIX}{}{NESTING}...?", near.to_uppercase()),
            None => format!("sections: {}", known_sections.collect::<Vec<_>>().join(", ")),
        };
        found.problems.push(Problem {
            code: Code::UnknownSetting,
            setting: parts.join("."),
            message: format!("the variable {name} names no section"),
            remedy,
            origin: Origin::Environment(Arc::from(name)),
        });
        return None;
    }
    Some(with_written_bot(parts, root).join("."))
}

/// A variable cannot hold the `-` of a bot's name: `BOTS__FRONT_DESK` finds `[bots.front-desk]` when that is in the file.
fn with_written_bot(mut parts: Vec<String>, root: &Table) -> Vec<String> {
    if parts[0] == "bots"
        && let Some(name) = parts.get(1)
        && let Some(Entry {
            item: Item {
                value: Value::Table(bots),
                ..
            },
            ..
        }) = root.get("bots")
        && let Some(written) = bots.entries().iter().find(|entry| entry.key.replace('-', "_") == *name)
    {
        parts[1].clone_from(&written.key);
    }
    parts
}
