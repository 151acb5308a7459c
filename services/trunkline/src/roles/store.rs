//! Opens the configured store.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use trunkline_store::SharedStore;
use trunkline_store::embedded::{EmbeddedConfig, EmbeddedStore, SyncPolicy};
use trunkline_store::redis::{ClientCertificate, RedisConfig, RedisStore};

use crate::configuration::schema::{Engine, StoreSection, Sync};

/// The store of a role: opened by it, or by the process for several roles.
pub(super) enum StoreSource {
    /// To be opened.
    Configured(Box<StoreSection>),
    /// Open.
    Shared(SharedStore),
    /// To be opened, and seen through something.
    Seen(Box<StoreSection>, fn(SharedStore) -> SharedStore),
}

impl From<&StoreSection> for StoreSource {
    fn from(section: &StoreSection) -> Self {
        Self::Configured(Box::new(section.clone()))
    }
}

/// The store of a role that calls it from so many threads.
pub(super) async fn of(source: StoreSource, threads: usize) -> anyhow::Result<SharedStore> {
    match source {
        StoreSource::Configured(section) => open(&section, threads).await,
        StoreSource::Shared(store) => Ok(store),
        StoreSource::Seen(section, lens) => open(&section, threads).await.map(lens),
    }
}

/// Opens a store in a file of this machine.
pub(super) fn open_embedded(section: &StoreSection) -> anyhow::Result<SharedStore> {
    let config = EmbeddedConfig {
        shards: section.shards,
        sync: match section.sync {
            Sync::Always => SyncPolicy::EveryCommit,
            Sync::Interval(interval) => SyncPolicy::Interval(interval),
        },
        ..EmbeddedConfig::in_directory(&section.directory)
    };
    let store = EmbeddedStore::open(config)
        .with_context(|| format!("the store in {} cannot be opened", section.directory.display()))?;
    Ok(Arc::new(store))
}

/// The file that a setting names, if it names one: it must be readable from the start on.
fn readable(setting: &str, file: Option<&PathBuf>) -> anyhow::Result<Option<PathBuf>> {
    if let Some(file) = file {
        fs::read(file).with_context(|| format!("{setting}: {} cannot be read", file.display()))?;
    }
    Ok(file.cloned())
}

/// Opens the store. `arbiters` is the number of threads that will call it.
async fn open(section: &StoreSection, arbiters: usize) -> anyhow::Result<SharedStore> {
    match section.engine {
        Engine::Embedded => open_embedded(section),
        Engine::Redis => {
            let url = section.url.as_ref().context("store.url is missing")?;
            let root_certificates = readable("store.root_certificates", section.root_certificates.as_ref())?;
            let certificate = readable("store.client_certificate", section.client_certificate.as_ref())?;
            let key = readable("store.client_key", section.client_key.as_ref())?;
            let client_certificate = certificate
                .zip(key)
                .map(|(certificate, key)| ClientCertificate { certificate, key });
            let connections = match usize::try_from(section.connections)? {
                0 => arbiters,
                connections => connections,
            };
            let config = RedisConfig {
                sentinel_password: section
                    .sentinel_password
                    .as_ref()
                    .map(|secret| secret.expose().to_owned()),
                root_certificates,
                client_certificate,
                shards: section.shards,
                connections,
                response_timeout: section.response_timeout,
                wait_replicas: section.wait_replicas,
                wait_timeout: section.wait_timeout,
                connect_timeout: section.connect_timeout,
                ..RedisConfig::at(url.reveal())
            };
            let store = RedisStore::open(config)
                .await
                .with_context(|| format!("the store at {} cannot be opened", url.without_password()))?;
            Ok(Arc::new(store))
        }
    }
}
