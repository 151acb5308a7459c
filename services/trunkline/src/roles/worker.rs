//! The worker: its configuration, its bots, and its start.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use prometheus_client::registry::Registry;
use trunkline_bot::logic::Logic;
use trunkline_teams::cloud::Cloud;
use trunkline_teams::connector::Connector;
use trunkline_teams::graph;
use trunkline_worker::conversation::{CallSettings, ConversationSettings, Unreadable};
use trunkline_worker::{Executor, HostedBot, HostedCalls, Worker, WorkerConfig, WorkerError};

use super::address::AddressUnavailable;
use super::crew::Crew;
use super::store::StoreSource;
use super::{BotCode, cluster_tls, identity, ingress, store};
use crate::configuration::Configuration;
use crate::configuration::schema::{self, BotSection, CallsSection};
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

/// The ways of bots to Microsoft, which they have in common.
pub(super) struct Ways {
    pub(super) cloud: Cloud,
    /// To the login service.
    pub(super) login: reqwest::Client,
    /// To the Connector and to Graph.
    pub(super) http: reqwest::Client,
}

/// A bot with its ways to Teams.
pub(super) fn hosted(
    bot: &BotCode,
    section: &BotSection,
    calls: &CallsSection,
    ways: &Ways,
) -> anyhow::Result<HostedBot> {
    let Ways { cloud, login, http } = ways;
    let tokens = identity::tokens(cloud, &bot.name, section, login.clone())?;
    let connector = Connector::new(http.clone(), Some(tokens));
    let allowed = cloud.clone();
    let mut hosted = HostedBot {
        allows_service_url: Arc::new(move |url| allowed.allows_service_url(url)),
        ..with_limits(HostedBot::new(own_logic(bot)?, connector), section)
    };
    if let Some(logic) = &bot.calls {
        let callback = calls.callback.as_ref().context("calls.callback is missing")?;
        let graph = identity::graph(ways, &bot.name, section)?;
        hosted = hosted.with_calls(hosted_calls(logic, graph, callback.as_str(), calls));
    }
    Ok(hosted)
}

/// The code of a bot's own turns: one that only calls has no other than that of its calls.
pub(super) fn own_logic(bot: &BotCode) -> anyhow::Result<Arc<dyn Logic>> {
    let logic = bot.chat.as_ref().or(bot.calls.as_ref());
    logic
        .cloned()
        .with_context(|| format!("the bot {} has no code", bot.name))
}

/// The calls of a bot with their limits as they were configured. `callback` is the public address of the webhook.
pub(super) fn hosted_calls(
    logic: &Arc<dyn Logic>,
    graph: graph::Client,
    callback: &str,
    section: &CallsSection,
) -> HostedCalls {
    HostedCalls {
        logic: Arc::clone(logic),
        graph,
        callback: callback.trim_end_matches('/').to_owned(),
        settings: CallSettings {
            keep_alive: section.keep_alive,
            simultaneous: section.simultaneous,
            monthly: section.monthly.map(u64::from),
            retention: section.retention,
            log_retention: section.audit_retention,
        },
    }
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
    store: StoreSource,
    bots: Vec<HostedBot>,
    metrics: Metrics,
    health: &Health,
) -> anyhow::Result<SocketAddr> {
    let health = health.clone();
    crew.start(NAME, move |stage| async move {
        let store = store::of(store, config.arbiters).await?;
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
