//! All settings. Each stands once, with its type, default and documentation.

mod bots;
mod calls;
mod cluster;
mod ingress;
mod media;
mod operation;
mod worker;

pub use bots::{AppType, BotSection, Executor, Unreadable};
pub use calls::CallsSection;
pub use cluster::ClusterSection;
pub use ingress::{CloudPreset, CloudSection, IngressSection, Sources};
pub use media::{MediaSection, UdpPorts};
pub use operation::{AdminSection, DevSection, LogFilter, LogFormat, LogSection, OtlpSection};
pub use worker::{Engine, StoreSection, Sync, WorkerSection};

use super::section::{Section, Setting};

/// A section as `config explain`, the example and the masking of secrets know it.
#[derive(Clone, Copy, Debug)]
pub struct SectionFacts {
    /// As it stands in a file, with `NAME` where the operator chooses a name.
    pub path: &'static str,
    /// What it is for.
    pub doc: &'static [&'static str],
    /// Its settings.
    pub settings: &'static [Setting],
}

const fn facts<S: Section>(path: &'static str) -> SectionFacts {
    SectionFacts {
        path,
        doc: S::DOC,
        settings: S::SETTINGS,
    }
}

/// The path of a bot's section, with a place for the bot's name.
pub const BOT_PATH: &str = "bots.NAME";

/// All sections, in the order of the example file.
pub const SECTIONS: [SectionFacts; 12] = [
    facts::<BotSection>(BOT_PATH),
    facts::<CallsSection>("calls"),
    facts::<IngressSection>("ingress"),
    facts::<WorkerSection>("worker"),
    facts::<MediaSection>("media"),
    facts::<StoreSection>("store"),
    facts::<ClusterSection>("cluster"),
    facts::<CloudSection>("cloud"),
    facts::<AdminSection>("admin"),
    facts::<LogSection>("log"),
    facts::<OtlpSection>("otlp"),
    facts::<DevSection>("dev"),
];

/// Names at the top level of a file.
pub fn top_level() -> impl Iterator<Item = &'static str> + Clone {
    SECTIONS
        .iter()
        .map(|section| section.path.split('.').next().unwrap_or(section.path))
}

/// The section of this path: `ingress`, or `bots.echo` for the bots' one.
pub fn section(path: &str) -> Option<&'static SectionFacts> {
    let is_bot = path.strip_prefix("bots.").is_some_and(|name| !name.contains('.'));
    SECTIONS
        .iter()
        .find(|section| section.path == path || (is_bot && section.path == BOT_PATH))
}

/// The setting of this full name: `ingress.listen`, or `bots.echo.app_id`.
pub fn setting(name: &str) -> Option<(&'static SectionFacts, &'static Setting)> {
    let (path, key) = name.rsplit_once('.')?;
    let section = section(path)?;
    section
        .settings
        .iter()
        .find(|setting| setting.name == key)
        .map(|setting| (section, setting))
}

/// Whether the value of this key may be shown in messages.
pub fn is_open(path: &str, key: &str) -> bool {
    section(path).is_some_and(|section| {
        section
            .settings
            .iter()
            .any(|setting| setting.name == key && !setting.secret)
    })
}
