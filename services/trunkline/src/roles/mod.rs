//! Starting and ending the roles of a process: the configuration becomes each role's own plain settings here.

mod address;
mod crew;
mod dev;
mod identity;
mod ingress;
mod media;
mod prompts;
mod store;
mod worker;

use std::net::SocketAddr;
use std::sync::Arc;

use trunkline_bot::logic::Logic;
use trunkline_cluster::channel::IdentityFiles;
use trunkline_ingress::IngressConfig;
use trunkline_store::SharedStore;
use trunkline_teams::connector::http_client;
use trunkline_teams::token::login_client;

pub use address::AddressUnavailable;
pub use crew::{Crew, CrewEnd, Stage};
pub use dev::DevOptions;

use self::store::StoreSource;
use crate::configuration::Configuration;
use crate::configuration::schema::ClusterSection;
use crate::telemetry::{Admin, AdminError, Health, Metrics};

/// A bot of the binary: what answers messages, what leads calls, or both under one name and registration.
#[derive(Clone)]
pub struct BotCode {
    /// Its name, in code and configuration.
    pub name: String,
    /// Its code for messages.
    pub chat: Option<Arc<dyn Logic>>,
    /// Its code for calls.
    pub calls: Option<Arc<dyn Logic>>,
}

impl BotCode {
    /// A name without code.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            chat: None,
            calls: None,
        }
    }

    /// Whether there is no code.
    pub fn is_empty(&self) -> bool {
        self.chat.is_none() && self.calls.is_none()
    }
}

/// A process whose admin port answers; its roles are started one by one.
pub struct Running {
    crew: Crew,
    metrics: Metrics,
    health: Health,
    admin: SocketAddr,
}

impl Running {
    /// Starts the admin port.
    pub fn start(configuration: &Configuration) -> anyhow::Result<Self> {
        let (metrics, health) = (Metrics::of_process(), Health::default());
        let mut crew = Crew::new(health.clone());
        let listen = configuration.admin.listen;
        let (its_metrics, its_health) = (metrics.clone(), health.clone());
        let admin = crew.start("admin", move |stage| async move {
            let admin = Admin::bind(listen, its_metrics, its_health).map_err(|error| match error {
                AdminError::Bind { address, reason } => AddressUnavailable::new("admin.listen", address, reason).into(),
                serve @ AdminError::Serve(_) => anyhow::Error::from(serve),
            })?;
            stage.started(admin.addresses().first().copied().unwrap_or(listen));
            admin.serve(stage.shutdown).await?;
            Ok(())
        })?;
        Ok(Self {
            crew,
            metrics,
            health,
            admin,
        })
    }

    /// Starts a simulated Teams, the worker and the ingress. Returns what to print.
    pub fn dev(
        &mut self,
        configuration: &Configuration,
        bots: Vec<BotCode>,
        options: DevOptions,
    ) -> anyhow::Result<String> {
        dev::start(self, configuration, bots, options)
    }

    /// Starts the ingress.
    pub fn ingress(&mut self, configuration: &Configuration) -> anyhow::Result<()> {
        let cloud = identity::cloud(&configuration.cloud, &configuration.calls);
        let bots = identity::identities(configuration)?;
        let config = IngressConfig {
            calls: ingress::calls(configuration, &cloud)?,
            ..ingress::config(configuration, node(configuration, ingress::NAME))?
        };
        let verifier = identity::verifier(cloud, bots, &configuration.ingress, login_client()?)?;
        let addresses = ingress::start(
            &mut self.crew,
            config,
            verifier,
            "ingress.listen",
            self.metrics.clone(),
            &self.health,
        )?;
        tracing::info!(?addresses, admin = %self.admin, "ingress listens");
        Ok(())
    }

    /// Starts the worker with these bots.
    pub fn worker(&mut self, configuration: &Configuration, bots: &[BotCode]) -> anyhow::Result<()> {
        self.worker_through(configuration, bots, |store| store)
    }

    /// Starts the worker with these bots. It sees its store only through what `lens` makes of it: a process that tests what
    /// another version writes, or a fault, puts it there.
    pub fn worker_through(
        &mut self,
        configuration: &Configuration,
        bots: &[BotCode],
        lens: fn(SharedStore) -> SharedStore,
    ) -> anyhow::Result<()> {
        let ways = worker::Ways {
            cloud: identity::cloud(&configuration.cloud, &configuration.calls),
            login: login_client()?,
            http: http_client().build()?,
        };
        let hosted = bots
            .iter()
            .filter_map(|bot| Some((bot, configuration.bots.get(&bot.name)?)))
            .map(|(bot, section)| worker::hosted(bot, section, &configuration.calls, &ways))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let config = worker::config(
            configuration,
            node(
                configuration,
                &format!("{}-{}", worker::NAME, configuration.worker.listen.port()),
            ),
        )?;
        let address = worker::start(
            &mut self.crew,
            config,
            StoreSource::Seen(Box::new(configuration.store.clone()), lens),
            hosted,
            self.metrics.clone(),
            &self.health,
        )?;
        tracing::info!(%address, admin = %self.admin, "worker listens");
        Ok(())
    }

    /// Starts the media host. It may take its time to end: calls end by themselves.
    pub fn media(&mut self, configuration: &Configuration) -> anyhow::Result<()> {
        let name = format!("{}-{}", media::NAME, configuration.media.listen.port());
        let config = media::config(configuration, node(configuration, &name))?;
        self.crew.drains_for(config.drain_deadline);
        let places = media::start(
            &mut self.crew,
            config,
            (&configuration.store).into(),
            "media.whip_listen",
            self.metrics.clone(),
            &self.health,
        )?;
        let (workers, peers) = (places.control, places.peers);
        tracing::info!(%workers, %peers, admin = %self.admin, "media host listens");
        Ok(())
    }

    /// All roles have started: the process wants work. Runs until a signal or the end of a role.
    pub fn run(self) -> CrewEnd {
        self.health.started();
        self.crew.run()
    }

    /// Ends what has started, because something else could not.
    pub fn give_up(mut self) {
        if let Err(error) = self.crew.stop() {
            tracing::warn!(%error, "not everything ended in good order");
        }
    }
}

/// How the processes of the cluster prove themselves, if they do.
pub(crate) fn cluster_tls(section: &ClusterSection) -> Option<IdentityFiles> {
    let (authority, certificate, key) = (&section.tls_ca, &section.tls_certificate, &section.tls_key);
    let domain = &section.tls_domain;
    Some(IdentityFiles::new(
        authority.as_ref()?,
        certificate.as_ref()?,
        key.as_ref()?,
        domain,
    ))
}

/// What the others call this process.
fn node(configuration: &Configuration, role: &str) -> String {
    if let Some(name) = &configuration.cluster.name {
        return name.clone();
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match host.trim() {
        "" => role.to_owned(),
        host => format!("{host}/{role}"),
    }
}
