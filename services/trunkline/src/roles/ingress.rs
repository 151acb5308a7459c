//! The ingress: its configuration, and its start.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;

use anyhow::Context as _;
use ipnet::IpNet;
use prometheus_client::registry::Registry;
use trunkline_cluster::channel::TlsFiles;
use trunkline_ingress::{CallsEndpoint, Ingress, IngressConfig, IngressError, Limits, StopTimes, Transport};
use trunkline_teams::cloud::Cloud;
use trunkline_teams::identity::source::SourceRules;
use trunkline_teams::identity::{BotIdentity, Verifier};
use trunkline_teams::token::login_client;

use super::address::AddressUnavailable;
use super::crew::Crew;
use super::{cluster_tls, identity};
use crate::configuration::Configuration;
use crate::configuration::schema::{CallsSection, IngressSection, Sources};
use crate::telemetry::{Health, Metrics};

/// Name of the role in threads and messages.
pub(super) const NAME: &str = "ingress";

/// The ingress as it was configured.
pub(super) fn config(configuration: &Configuration, node: String) -> anyhow::Result<IngressConfig> {
    config_of(configuration, transport(&configuration.ingress)?, node)
}

/// The ingress as it was configured, with this transport.
pub(super) fn config_of(
    configuration: &Configuration,
    transport: Transport,
    node: String,
) -> anyhow::Result<IngressConfig> {
    let section = &configuration.ingress;
    Ok(IngressConfig {
        listen: section.listen.clone(),
        transport,
        path: section.path.clone(),
        threads: threads(section.threads)?,
        node,
        workers: section
            .workers
            .iter()
            .map(|worker| worker.as_str().to_owned())
            .collect(),
        workers_tls: cluster_tls(&configuration.cluster),
        shards: configuration.store.shards,
        sources: sources(section),
        limits: Limits {
            body_bytes: section.body_limit.as_usize(),
            body_depth: usize::try_from(section.json_depth)?,
            body_time: section.receive_timeout,
            head_time: section.receive_timeout,
            requests_in_flight: usize::try_from(section.in_flight_requests)?,
            bytes_in_flight: section.in_flight_bytes.as_usize(),
            ..Limits::default()
        },
        // Its verifier needs a client of the network: whoever starts the ingress makes it.
        calls: None,
        stop: stop_times(section),
        clock: trunkline_ingress::Clock::default(),
    })
}

/// The webhook of calls, where a bot takes calls.
pub(super) fn calls(configuration: &Configuration, cloud: &Cloud) -> anyhow::Result<Option<CallsEndpoint>> {
    let takes_calls = |bot: &BotIdentity| configuration.bots.get(&bot.name).is_some_and(|bot| bot.calling);
    let bots = identity::identities(configuration)?;
    let bots: Vec<BotIdentity> = bots.into_iter().filter(takes_calls).collect();
    if bots.is_empty() {
        return Ok(None);
    }
    let section = &configuration.calls;
    let names: Vec<&str> = bots.iter().map(|bot| bot.name.as_str()).collect();
    let callback = section.callback.as_ref().context("calls.callback is missing")?;
    let path = section.path.as_deref().unwrap_or(callback.path());
    tracing::info!(bots = names.join(", "), %callback, path, "takes notifications of calls");
    let verifier = identity::calls_verifier(cloud.clone(), bots, &configuration.ingress, login_client()?)?;
    Ok(Some(calls_endpoint(section, path, verifier)))
}

/// The webhook of calls at this path.
pub(super) fn calls_endpoint(section: &CallsSection, path: &str, verifier: Arc<Verifier>) -> CallsEndpoint {
    CallsEndpoint {
        path: path.trim_end_matches('/').to_owned(),
        body_bytes: section.body_limit.as_usize(),
        ..CallsEndpoint::new(verifier)
    }
}

/// How the ingress stops.
pub(super) fn stop_times(section: &IngressSection) -> StopTimes {
    StopTimes {
        notice: section.stop_notice,
        finish: section.stop_finish,
    }
}

/// A number of threads, where 0 stands for one a core.
pub(super) fn threads(configured: u32) -> anyhow::Result<usize> {
    Ok(match usize::try_from(configured)? {
        0 => available_parallelism().map_or(1, NonZeroUsize::get),
        threads => threads,
    })
}

fn transport(section: &IngressSection) -> anyhow::Result<Transport> {
    if section.plain_http {
        return Ok(Transport::PlainHttp);
    }
    let certificate = section
        .tls_certificate
        .as_ref()
        .context("ingress.tls_certificate is missing")?;
    let key = section.tls_key.as_ref().context("ingress.tls_key is missing")?;
    Ok(Transport::Tls(TlsFiles::new(certificate, key)))
}

fn sources(section: &IngressSection) -> SourceRules {
    let allows_all = section
        .allowed_sources
        .iter()
        .any(|source| matches!(source, Sources::Any));
    let networks = section.allowed_sources.iter().flat_map(|source| -> Vec<IpNet> {
        match source {
            Sources::Any => Vec::new(),
            Sources::Preset(preset) => preset.parsed().collect(),
            Sources::Network(network) => vec![*network],
        }
    });
    SourceRules {
        allowed: if allows_all { Vec::new() } else { networks.collect() },
        trusted_proxies: section.trusted_proxies.clone(),
    }
}

/// Starts the ingress on a thread of its own. `setting` names its address in messages.
pub(super) fn start(
    crew: &mut Crew,
    config: IngressConfig,
    verifier: Arc<Verifier>,
    setting: &'static str,
    metrics: Metrics,
    health: &Health,
) -> anyhow::Result<Vec<std::net::SocketAddr>> {
    let health = health.clone();
    crew.start(NAME, move |stage| async move {
        let mut registry = Registry::default();
        let ingress = Ingress::bind(config, verifier, &mut registry)
            .await
            .map_err(|error| match error {
                IngressError::Listen { address, source } => AddressUnavailable::new(setting, address, source).into(),
                other => anyhow::Error::from(other),
            })?;
        metrics.add(registry);
        let readiness = ingress.readiness();
        health.watch(NAME, move || readiness.check().map_err(|reason| reason.to_string()));
        stage.started(ingress.addresses());
        ingress.serve(stage.shutdown).await?;
        Ok(())
    })
}
