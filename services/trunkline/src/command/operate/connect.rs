//! The way to the workers of a cluster: one of the configured ones first, then whichever the answer names.

use std::time::Duration;

use anyhow::{Context as _, bail};
use prometheus_client::registry::Registry;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status};
use trunkline_cluster::channel::{Connector, Identity, Role};
use trunkline_proto::admin::StatusReply;
use trunkline_proto::admin::admin_client::AdminClient;

use crate::configuration::Configuration;
use crate::roles::cluster_tls;

/// How long a connection may take, and an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// A list of a thousand ended calls, each with all that is kept of it.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// A cluster as an operator reaches it.
pub(super) struct Cluster {
    seeds: Vec<String>,
    connector: Connector,
}

/// A worker that can be asked.
pub(super) type Worker = AdminClient<Channel>;

impl Cluster {
    /// The cluster of this configuration, asked at `worker` if that is given, else at `ingress.workers`.
    pub(super) async fn of(configuration: &Configuration, worker: Option<&str>) -> anyhow::Result<Self> {
        let seeds = match worker {
            Some(worker) => vec![worker.to_owned()],
            None => configuration
                .ingress
                .workers
                .iter()
                .map(|seed| seed.as_str().to_owned())
                .collect(),
        };
        let files = cluster_tls(&configuration.cluster);
        let identity = match files {
            // An operator's command serves no metrics.
            Some(files) => Some(Identity::load(files, Role::Operator, &mut Registry::default()).await?),
            None => None,
        };
        Ok(Self {
            seeds,
            connector: Connector::new(identity),
        })
    }

    /// A worker that answers, and what it says of the cluster.
    pub(super) async fn status(&self) -> anyhow::Result<(Worker, StatusReply)> {
        let mut problems = Vec::new();
        for seed in &self.seeds {
            match self.status_of(seed).await {
                Ok(answer) => return Ok(answer),
                Err(error) => problems.push(format!("{seed}: {error:#}")),
            }
        }
        bail!(
            "no worker answers; name one by --worker or ingress.workers\n  {}",
            problems.join("\n  ")
        )
    }

    /// What the worker at this address says of the cluster.
    pub(super) async fn status_of(&self, address: &str) -> anyhow::Result<(Worker, StatusReply)> {
        let mut worker = self.at(address).await?;
        let status = worker.status(trunkline_proto::admin::StatusRequest {}).await;
        Ok((worker, status.map_err(refused)?.into_inner()))
    }

    /// The worker of this name.
    pub(super) async fn node(&self, name: &str) -> anyhow::Result<Worker> {
        let (_, status) = self.status().await?;
        let node = status.nodes.iter().find(|node| node.name == name);
        let node = node.with_context(|| unknown_node(name, &status))?;
        self.at(&node.address).await
    }

    /// Asks one worker after the other until one does not say that another serves what is asked for: which one that is can
    /// change while it is asked.
    pub(super) async fn ask_owner<T>(
        &self,
        ask: impl AsyncFn(&mut Worker) -> Result<Response<T>, Status>,
    ) -> anyhow::Result<T> {
        let (mut first, status) = self.status().await?;
        let mut refusal = match ask(&mut first).await {
            Err(error) if error.code() == Code::FailedPrecondition => refused(error),
            answered => return answered.map(Response::into_inner).map_err(refused),
        };
        for node in status.nodes.iter().filter(|node| node.name != status.answered_by) {
            // One that is away serves nothing.
            let Ok(mut worker) = self.at(&node.address).await else {
                continue;
            };
            match ask(&mut worker).await {
                Err(error) if error.code() == Code::FailedPrecondition => refusal = refused(error),
                answered => return answered.map(Response::into_inner).map_err(refused),
            }
        }
        Err(refusal.context("no worker serves it just now; ask again"))
    }

    /// A connection to the worker at this address.
    pub(super) async fn at(&self, address: &str) -> anyhow::Result<Worker> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .with_context(|| format!("\"{address}\" is no address of a worker"))?
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE);
        let channel = endpoint
            .connect_with_connector(self.connector.clone())
            .await
            .with_context(|| format!("the worker at {address} cannot be reached"))?;
        Ok(AdminClient::new(channel).max_decoding_message_size(LARGEST_ANSWER))
    }
}

/// What to say of a name that no node has.
pub(super) fn unknown_node(name: &str, status: &StatusReply) -> String {
    let workers = status.nodes.iter().map(|node| node.name.as_str());
    let ingresses = status.ingresses.iter().map(|ingress| ingress.name.as_str());
    let names: Vec<&str> = workers.chain(ingresses).collect();
    format!("no node is called \"{name}\"; there are {}", names.join(", "))
}

/// A refusal as an operator reads it: the worker's words, not those of the transport.
#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn refused(status: Status) -> anyhow::Error {
    match status.code() {
        Code::Unimplemented => anyhow::anyhow!("the worker is of a version that does not know this question"),
        _ => anyhow::anyhow!("{}", status.message()),
    }
}
