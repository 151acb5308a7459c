//! The worker: its configuration, its bots, and its start.

use std::net::SocketAddr;
use std::sync::Arc;

use prometheus_client::registry::Registry;
use trunkline_bot::logic::Logic;
use trunkline_teams::cloud::Cloud;
use trunkline_teams::connector::Connector;
use trunkline_worker::conversation::{ConversationSettings, Unreadable};
use trunkline_worker::{Executor, HostedBot, Worker, WorkerConfig, WorkerError};

use super::address::AddressUnavailable;
use super::crew::Crew;
use super::{cluster_tls, identity, ingress, store};
use crate::configuration::Configuration;
use crate::configuration::schema::{self, BotSection, StoreSection};
use crate::telemetry::{Health, Metrics};

/// Name of the role in threads and messages.
pub(super) const NAME: &str = "worker";

/// The worker as it was configured.
pub(super) fn config(configuration: &Configuration, name: String) -> anyhow::Result<WorkerConfig> {
    let section = &configuration.worker;
    Ok(WorkerConfig {
        listen: section.listen,
        tls: cluster_tls(&configuration.cluster),
        name,
        arbiters: ingress::threads(section.arbiters)?,
        pool_threads: ingress::threads(section.pool_threads)?,
        advertise: section.advertise.as_ref().map(|address| address.as_str().to_owned()),
        zone: section.zone.clone().unwrap_or_default(),
        weight: section.weight,
        drain_deadline: section.drain_deadline,
        credits: section.credits,
        idle: section.passivate_after,
        memory_bytes: section.memory_bound.as_usize(),
        stall_after: section.stall_after,
        abort_after: Some(section.abort_after),
        slow_poll: section.slow_poll,
        conversations: ConversationSettings {
            message_budget: section.message_budget,
            invoke_budget: section.invoke_budget,
            short_invoke_budget: section.short_invoke_budget,
            queue: usize::try_from(section.queue)?,
            attempts: section.attempts,
            attempt_back_off: section.attempt_back_off,
            send_give_up: section.send_give_up,
            retention: configuration.store.retention,
            inbox_entries: usize::try_from(section.inbox_entries)?,
            inbox_bytes: section.inbox_bytes.as_usize(),
            ..ConversationSettings::default()
        },
    })
}

/// A bot with its way to Teams.
pub(super) fn hosted(
    logic: Arc<dyn Logic>,
    name: &str,
    section: &BotSection,
    cloud: &Cloud,
    token_client: &reqwest::Client,
    teams_client: &reqwest::Client,
) -> anyhow::Result<HostedBot> {
    let tokens = identity::tokens(cloud, name, section, token_client.clone())?;
    let allowed = cloud.clone();
    let hosted = with_limits(
        HostedBot::new(logic, Connector::new(teams_client.clone(), Some(tokens))),
        section,
    );
    Ok(HostedBot {
        allows_service_url: Arc::new(move |url| allowed.allows_service_url(url)),
        ..hosted
    })
}

/// A bot with its limits as they were configured.
pub(super) fn with_limits(bot: HostedBot, section: &BotSection) -> HostedBot {
    HostedBot {
        turn_limit: section.turn_limit,
        executor: match section.executor {
            schema::Executor::Arbiter => Executor::Arbiter,
            schema::Executor::Pool => Executor::Pool,
        },
        unreadable: match section.unreadable {
            schema::Unreadable::Park => Unreadable::Park,
            schema::Unreadable::Reset => Unreadable::Reset,
        },
        ..bot
    }
}

/// Starts the worker on a thread of its own.
pub(super) fn start(
    crew: &mut Crew,
    config: WorkerConfig,
    section: StoreSection,
    bots: Vec<HostedBot>,
    metrics: Metrics,
    health: &Health,
) -> anyhow::Result<SocketAddr> {
    let health = health.clone();
    crew.start(NAME, move |stage| async move {
        let store = store::open(&section, config.arbiters).await?;
        let mut registry = Registry::default();
        let worker = Worker::bind(config, store, bots, &mut registry)
            .await
            .map_err(|error| match error {
                WorkerError::Listen { listen, source } => {
                    AddressUnavailable::new("worker.listen", listen, source).into()
                }
                other => anyhow::Error::from(other),
            })?;
        metrics.add(registry);
        let its_health = worker.health();
        health.watch(NAME, move || its_health.check());
        stage.started(worker.address());
        worker.serve(stage.shutdown).await?;
        Ok(())
    })
}
