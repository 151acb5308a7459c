//! The media host: its configuration, and its start.

use std::net::SocketAddr;

use anyhow::Context as _;
use prometheus_client::registry::Registry;
use trunkline_cluster::channel::TlsFiles;
use trunkline_media::control::HostConfig;
use trunkline_media::ice::HIGHEST_HOST;
use trunkline_media::patience::Patience;
use trunkline_media::record::{HandOn, UploadConfig, UploadToken};
use trunkline_media::role::{MediaConfig, MediaError, MediaRole, Transport};
use trunkline_media::thread::{Ports, ThreadConfig};

use super::address::AddressUnavailable;
use super::crew::Crew;
use super::store::StoreSource;
use super::{cluster_tls, store};
use crate::configuration::Configuration;
use crate::configuration::schema::{MediaSection, UdpPorts};
use crate::telemetry::{Health, Metrics};

/// Name of the role in threads and messages.
pub(super) const NAME: &str = "media";

/// Where a media host listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    /// For workers.
    pub(super) control: SocketAddr,
    /// For peers.
    pub(super) peers: SocketAddr,
}

/// The media host as it was configured.
pub(super) fn config(configuration: &Configuration, name: String) -> anyhow::Result<MediaConfig> {
    let section = &configuration.media;
    Ok(MediaConfig {
        name,
        listen: section.listen,
        tls: cluster_tls(&configuration.cluster),
        advertise: section.advertise.as_ref().map(|address| address.as_str().to_owned()),
        zone: section.zone.clone().unwrap_or_default(),
        whip_listen: section.whip_listen,
        transport: transport(section)?,
        whip_url: whip_url(section),
        origins: section.origins.clone(),
        drain_deadline: section.drain_deadline,
        host: host(section),
    })
}

/// Its legs as they were configured.
pub(super) fn host(section: &MediaSection) -> HostConfig {
    let advertised = match section.udp_advertise.as_deref() {
        None | Some([]) => vec![section.udp_listen],
        Some(addresses) => addresses.to_vec(),
    };
    HostConfig {
        threads: u8::try_from(section.threads).unwrap_or(u8::MAX),
        codec_threads: u8::try_from(section.codec_threads).unwrap_or(u8::MAX),
        thread: ThreadConfig {
            number: 0,
            // Stands in user fragments, for a balancer that would read them; nothing here depends on it.
            host: rand::random::<u16>() & HIGHEST_HOST,
            bind: section.udp_listen,
            advertised,
            ports: match &section.udp_ports {
                UdpPorts::Single(port) => Ports::Single(*port),
                UdpPorts::Range(range) => Ports::Range(range.clone()),
            },
            legs: section.legs,
            is_realtime: section.realtime,
            patience: Patience::default(),
        },
        prompts: section.prompts.clone(),
        stand_in: None,
        recordings: section.recordings.clone(),
        retention: section.recordings_retention,
        keys: section.recordings_keys.clone(),
        hand_on: hand_on(section),
        mixes: section.recordings_mixed,
        orphaned_after: section.orphaned_after,
    }
}

fn hand_on(section: &MediaSection) -> Option<HandOn> {
    if let Some(url) = &section.recordings_upload {
        let token = match (&section.recordings_upload_token, &section.recordings_upload_token_file) {
            (Some(token), _) => UploadToken::Value(token.expose().to_owned()),
            (None, Some(file)) => UploadToken::File(file.clone()),
            (None, None) => UploadToken::None,
        };
        return Some(HandOn::Upload(UploadConfig {
            url: url.clone(),
            token,
            ca: section.recordings_upload_ca.clone(),
        }));
    }
    section.recordings_command.clone().map(HandOn::Command)
}

fn transport(section: &MediaSection) -> anyhow::Result<Transport> {
    if section.plain_http {
        return Ok(Transport::PlainHttp);
    }
    let certificate = section.tls_certificate.as_ref();
    let certificate = certificate.context("media.tls_certificate is missing")?;
    let key = section.tls_key.as_ref().context("media.tls_key is missing")?;
    Ok(Transport::Tls(TlsFiles::new(certificate, key)))
}

/// Where peers reach it: as written, else at the address that audio goes to.
fn whip_url(section: &MediaSection) -> Option<String> {
    if let Some(url) = &section.whip_url {
        return Some(url.as_str().trim_end_matches('/').to_owned());
    }
    let address = section.udp_advertise.as_ref()?.first()?;
    let scheme = if section.plain_http { "http" } else { "https" };
    let place = SocketAddr::new(*address, section.whip_listen.port());
    Some(format!("{scheme}://{place}"))
}

/// Starts the media host on a thread of its own. `setting` names the address for peers in messages.
pub(super) fn start(
    crew: &mut Crew,
    config: MediaConfig,
    store: StoreSource,
    setting: &'static str,
    metrics: Metrics,
    health: &Health,
) -> anyhow::Result<Places> {
    let health = health.clone();
    crew.start(NAME, move |stage| async move {
        let store = store::of(store, 1).await?;
        let mut registry = Registry::default();
        let media = MediaRole::bind(config, store, &mut registry)
            .await
            .map_err(|error| match error {
                MediaError::Listen { address, source } => {
                    AddressUnavailable::new("media.listen", address, source).into()
                }
                MediaError::ListenForPeers { address, source } => {
                    AddressUnavailable::new(setting, address, source).into()
                }
                other => anyhow::Error::from(other),
            })?;
        metrics.add(registry);
        let its_health = media.health();
        health.watch(NAME, move || its_health.check());
        stage.started(Places {
            control: media.control_address(),
            peers: media.peer_address(),
        });
        media.serve(stage.shutdown).await?;
        Ok(())
    })
}
