//! What the commands print: answers on standard output, problems on standard error.

use std::io::Write;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use std::io::IsTerminal as _;

/// Prints an answer. A reader that went away (`| head`) is no failure.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    if !text.ends_with('\n') {
        let _ = out.write_all(b"\n");
    }
    let _ = out.flush();
}

/// Prints a problem for people, with its place in the file.
pub fn report(problem: &dyn Diagnostic) {
    let is_terminal = std::io::stderr().is_terminal();
    let theme = if is_terminal && std::env::var_os("NO_COLOR").is_none() {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(120)
        .without_syntax_highlighting();
    if handler.render_report(&mut text, problem).is_err() {
        text = problem.to_string();
    }
    let mut out = std::io::stderr().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Prints why the process ends, with all causes.
pub fn report_failure(error: &anyhow::Error) {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    let mut text = String::new();
    for (depth, cause) in causes.iter().enumerate() {
        // An error that repeats its source's text says it once.
        if depth == 0 || !causes[depth - 1].contains(cause.as_str()) {
            text += if depth == 0 { "trunkline: " } else { "  because: " };
            text += cause;
            text.push('\n');
        }
    }
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
