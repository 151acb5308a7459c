//! What holds: every setting with its value and where that came from.

use serde::Serialize;

use super::Configuration;
use super::section::Section;

/// One setting as it holds now.
#[derive(Debug, Serialize)]
pub struct Effective {
    /// Full name.
    pub setting: String,
    /// Its value in TOML; absent when it is not set. Secrets are dots.
    pub value: Option<String>,
    /// `file:line:column`, the variable, the flag, or `default`.
    pub from: String,
}

/// All settings in the order of the example file.
pub fn effective(configuration: &Configuration) -> Vec<Effective> {
    let mut settings = Vec::new();
    for (name, bot) in &configuration.bots {
        add(&mut settings, configuration, &format!("bots.{name}"), bot);
    }
    add(&mut settings, configuration, "calls", &configuration.calls);
    add(&mut settings, configuration, "ingress", &configuration.ingress);
    add(&mut settings, configuration, "worker", &configuration.worker);
    add(&mut settings, configuration, "store", &configuration.store);
    add(&mut settings, configuration, "cluster", &configuration.cluster);
    add(&mut settings, configuration, "cloud", &configuration.cloud);
    add(&mut settings, configuration, "admin", &configuration.admin);
    add(&mut settings, configuration, "log", &configuration.log);
    add(&mut settings, configuration, "otlp", &configuration.otlp);
    add(&mut settings, configuration, "dev", &configuration.dev);
    settings
}

fn add(settings: &mut Vec<Effective>, configuration: &Configuration, path: &str, section: &impl Section) {
    for (name, value) in section.shown() {
        let setting = format!("{path}.{name}");
        let from = configuration.place(&setting);
        settings.push(Effective { setting, value, from });
    }
}
