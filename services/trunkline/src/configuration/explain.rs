//! The documentation of the settings, from the one place where each is declared.

use std::fmt::Write as _;

use super::near::nearest;
use super::schema::{self, BOT_PATH, SECTIONS, SectionFacts};
use super::section::Setting;

/// What a setting or a section means; without a name, the list of all. `Err` names what was probably meant.
pub fn explain(name: Option<&str>) -> Result<String, String> {
    let Some(name) = name else { return Ok(overview()) };
    if let Some((section, setting)) = schema::setting(name) {
        return Ok(one_setting(section, setting));
    }
    if let Some(section) = schema::section(name) {
        return Ok(one_section(section));
    }
    if name == "bots" {
        return schema::section(BOT_PATH).map(one_section).ok_or_else(String::new);
    }
    let names: Vec<String> = SECTIONS
        .iter()
        .flat_map(|section| {
            section
                .settings
                .iter()
                .map(move |setting| format!("{}.{}", section.path, setting.name))
        })
        .chain(SECTIONS.iter().map(|section| section.path.to_owned()))
        .collect();
    Err(match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => format!("there is no setting {name}; did you mean {near}?"),
        None => format!("there is no setting {name}; `trunkline config explain` lists all"),
    })
}

fn overview() -> String {
    let mut text = String::new();
    for section in &SECTIONS {
        let _ = writeln!(text, "[{}]\n  {}", section.path, paragraph(section.doc));
        for setting in section.settings {
            let _ = writeln!(text, "    {}", setting.name);
        }
        text.push('\n');
    }
    text.push_str("`trunkline config explain ingress.listen` explains one setting, `... explain ingress` a section.\n");
    text
}

fn one_section(section: &SectionFacts) -> String {
    let mut text = format!("[{}]\n{}\n", section.path, paragraph(section.doc));
    for setting in section.settings {
        let _ = write!(text, "\n{}", one_setting(section, setting));
    }
    text
}

fn one_setting(section: &SectionFacts, setting: &Setting) -> String {
    let name = format!("{}.{}", section.path, setting.name);
    let mut text = format!("{name}\n  {}\n  Write {}.\n", paragraph(setting.doc), setting.what);
    match (setting.default, setting.optional) {
        (Some(default), _) => {
            let _ = writeln!(text, "  Default: {default}");
        }
        (None, true) => text.push_str("  Default: not set\n"),
        (None, false) => text.push_str("  Demanded.\n"),
    }
    if let Some(example) = setting.example {
        let _ = writeln!(text, "  Example: {example}");
    }
    let _ = writeln!(
        text,
        "  Environment: TRUNKLINE_{}",
        name.to_uppercase().replace('.', "__").replace('-', "_")
    );
    text
}

fn paragraph(doc: &[&str]) -> String {
    doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// A complete file with every setting, its documentation and its default, all commented out.
pub fn example() -> String {
    let mut text = String::from(
        "# Trunkline: every setting with its default, as printed by `trunkline config example`.\n\
         # Lines that begin with `#` and a space are text; lines that begin with `#` and a name are settings to uncomment.\n\
         # Order of precedence, low to high: this file, the environment (TRUNKLINE_INGRESS__LISTEN), flags\n\
         # (--set ingress.listen=...).\n",
    );
    for section in &SECTIONS {
        text.push('\n');
        for line in section.doc {
            let _ = writeln!(text, "# {}", line.trim());
        }
        let path = section.path.replace("NAME", "echo");
        let is_table = |setting: &Setting| setting.name == "settings";
        let _ = writeln!(text, "#[{path}]");
        for setting in section.settings.iter().filter(|setting| !is_table(setting)) {
            text.push('\n');
            add_setting(&mut text, setting);
        }
        for setting in section.settings.iter().filter(|setting| is_table(setting)) {
            text.push('\n');
            for line in setting.doc {
                let _ = writeln!(text, "# {}", line.trim());
            }
            let _ = writeln!(text, "#[{path}.{}]", setting.name);
        }
    }
    text
}

fn add_setting(text: &mut String, setting: &Setting) {
    for line in setting.doc {
        let _ = writeln!(text, "# {}", line.trim());
    }
    let value = match (setting.default, setting.example) {
        (Some(default), Some(example)) => {
            let _ = writeln!(text, "# Example: {example}");
            default
        }
        (Some(default), None) => default,
        (None, Some(example)) => {
            text.push_str("# Not set unless written.\n");
            example
        }
        (None, None) => return,
    };
    let _ = writeln!(text, "#{} = {value}", setting.name);
}
