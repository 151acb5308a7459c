//! What is wrong with a configuration: the setting, the value, the place and the remedy, for people and for programs.

use std::fmt;
use std::path::{Path, PathBuf};

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use serde::Serialize;

use super::mask;
use super::tree::Origin;

/// Kinds of problems. The words are stable: scripts may look for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The file is not there or cannot be read.
    UnreadableFile,
    /// The file is not TOML.
    Syntax,
    /// No setting has this name.
    UnknownSetting,
    /// A setting that is demanded was not written.
    MissingSetting,
    /// A value that its setting does not take.
    WrongValue,
    /// Values that do not go together.
    Contradiction,
    /// Bots in the code and bots in the configuration differ.
    Bots,
}

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub struct Problem {
    /// What kind.
    pub code: Code,
    /// Full name of the setting, empty when it concerns the file.
    pub setting: String,
    /// What is wrong, with name and value (unless the value is secret).
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// Where it was written.
    pub origin: Origin,
}

/// The file that was read.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Its path, as given.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

impl SourceFile {
    /// Line and column of a byte, both from 1; columns count characters.
    pub fn position(&self, byte: usize) -> (usize, usize) {
        let before = self.text.get(..byte).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        )
    }

    /// Where an origin lies, for people.
    pub fn place(file: Option<&Self>, origin: &Origin) -> String {
        match (origin, file) {
            (Origin::Default, _) => "default".to_owned(),
            (Origin::File(span), Some(file)) => {
                let (line, column) = file.position(span.start);
                format!("{}:{line}:{column}", file.path.display())
            }
            (Origin::File(_), None) => "file".to_owned(),
            (Origin::Environment(name), _) => format!("environment {name}"),
            (Origin::Flag(name), _) => format!("flag {name}"),
        }
    }
}

/// All that is wrong with a configuration.
#[derive(Debug)]
pub struct ConfigurationError {
    reports: Vec<Report>,
}

/// A problem with its place, ready to be shown.
#[derive(Debug)]
struct Report {
    problem: Problem,
    place: String,
    source: Option<NamedSource<String>>,
    label: Option<LabeledSpan>,
}

impl ConfigurationError {
    /// Joins problems with the file that they lie in; they are told in its order.
    pub fn new(mut problems: Vec<Problem>, file: Option<&SourceFile>) -> Self {
        problems.sort_by_key(|problem| match &problem.origin {
            Origin::File(span) => span.start,
            _ => usize::MAX,
        });
        let masked = file.map(|file| mask::secrets(&file.text));
        let reports = problems
            .into_iter()
            .map(|problem| {
                let place = SourceFile::place(file, &problem.origin);
                let span = match &problem.origin {
                    Origin::File(span) => Some(span.clone()),
                    _ => None,
                };
                let source = span.as_ref().and(file).zip(masked.as_ref()).map(|(file, masked)| {
                    NamedSource::new(file.path.display().to_string(), masked.clone()).with_language("TOML")
                });
                let label = span.map(|span| LabeledSpan::at(span, label(problem.code)));
                Report {
                    problem,
                    place,
                    source,
                    label,
                }
            })
            .collect();
        Self { reports }
    }

    /// A problem that concerns a file as a whole.
    pub fn unreadable(path: &Path, reason: &std::io::Error) -> Self {
        let problem = Problem {
            code: Code::UnreadableFile,
            setting: String::new(),
            message: format!("the configuration file {} cannot be read: {reason}", path.display()),
            remedy: "name another file by --config FILE or the environment variable TRUNKLINE_CONFIG".to_owned(),
            origin: Origin::Default,
        };
        Self::new(vec![problem], None)
    }

    /// For programs.
    pub fn facts(&self) -> Vec<ProblemFacts<'_>> {
        self.reports
            .iter()
            .map(|report| ProblemFacts {
                code: report.problem.code,
                setting: &report.problem.setting,
                message: &report.problem.message,
                remedy: &report.problem.remedy,
                place: &report.place,
            })
            .collect()
    }
}

/// One problem for programs.
#[derive(Debug, Serialize)]
pub struct ProblemFacts<'a> {
    /// What kind.
    pub code: Code,
    /// Full name of the setting.
    pub setting: &'a str,
    /// What is wrong.
    pub message: &'a str,
    /// What to do.
    pub remedy: &'a str,
    /// `file:line:column`, the environment variable, or the flag.
    pub place: &'a str,
}

fn label(code: Code) -> &'static str {
    match code {
        Code::UnreadableFile | Code::Syntax => "here",
        Code::UnknownSetting => "unknown",
        Code::MissingSetting => "missing",
        Code::WrongValue => "wrong",
        Code::Contradiction | Code::Bots => "this",
    }
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reports.len() {
            1 => formatter.write_str("the configuration has a problem"),
            count => write!(formatter, "the configuration has {count} problems"),
        }
    }
}

impl std::error::Error for ConfigurationError {}

impl Diagnostic for ConfigurationError {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.reports.iter().map(|report| report as &dyn Diagnostic)))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.problem.message)?;
        match &self.problem.origin {
            Origin::Environment(_) | Origin::Flag(_) => write!(formatter, " ({})", self.place),
            Origin::Default | Origin::File(_) => Ok(()),
        }
    }
}

impl std::error::Error for Report {}

impl Diagnostic for Report {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.problem.remedy))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.label
            .clone()
            .map(|label| Box::new(std::iter::once(label)) as Box<_>)
    }
}
