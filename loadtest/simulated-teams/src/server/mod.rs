//! One HTTP server for everything: login, Connector, Graph and page.

mod connector;
mod events;
mod graph;
mod login;
mod origin;
mod page;
mod path;
mod telephone;

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use actix_web::{App, HttpServer, web};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    config::SimulatedTeamsConfig,
    delivery::{Caller, Job, Postman},
    error::SimulatedTeamsError,
    handle::Handle,
    shared::Shared,
};

pub(crate) use self::graph::without_secrets;

/// Actions whose activities wait for the postman; more are refused with [`SimulatedTeamsError::NotDelivered`].
const LONGEST_QUEUE: usize = 65_536;
/// Bytes of a request body; the Connector itself refuses messages far below it.
const LARGEST_BODY: usize = 4 << 20;
/// Seconds that open requests may take after the stop.
const GRACE: u64 = 1;

/// A simulated Teams that is bound to its address and not yet served. Handles and addresses are good already.
#[derive(Debug)]
pub struct SimulatedTeams {
    listener: TcpListener,
    shared: Arc<Shared>,
    jobs: mpsc::Receiver<Job>,
}

impl SimulatedTeams {
    /// Takes the address and makes the keys.
    ///
    /// # Errors
    /// The address is taken, nobody or no bot is configured, or keys cannot be made.
    #[allow(
        clippy::unused_async,
        reason = "the address may have to be looked up one day, and callers await other roles"
    )]
    pub async fn bind(config: SimulatedTeamsConfig) -> Result<Self, SimulatedTeamsError> {
        if config.bots.is_empty() {
            return Err(SimulatedTeamsError::NoBot);
        }
        if config.people.is_empty() {
            return Err(SimulatedTeamsError::NoPerson);
        }
        let failed = |source| SimulatedTeamsError::Listen {
            address: config.listen,
            source,
        };
        let listener = TcpListener::bind(config.listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (sender, jobs) = mpsc::channel(LONGEST_QUEUE);
        Ok(Self {
            listener,
            shared: Arc::new(Shared::new(config, address, sender)?),
            jobs,
        })
    }

    /// Binds, and serves in a task of the actix system in which it is called.
    pub async fn start(config: SimulatedTeamsConfig) -> Result<Running, SimulatedTeamsError> {
        let teams = Self::bind(config).await?;
        let (shared, shutdown) = (Arc::clone(&teams.shared), CancellationToken::new());
        let task = actix_rt::spawn(teams.serve(shutdown.clone()));
        Ok(Running { shared, shutdown, task })
    }

    /// Serves until `shutdown`, in the actix system in which it is called.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<(), SimulatedTeamsError> {
        let state = web::Data::from(Arc::clone(&self.shared));
        let connector = format!("/{}/{}", self.shared.config.region, self.shared.config.tenant);
        let server = HttpServer::new(move || {
            App::new()
                .app_data(state.clone())
                .app_data(web::PayloadConfig::new(LARGEST_BODY))
                .app_data(web::JsonConfig::default().limit(LARGEST_BODY))
                .configure(login::routes)
                .configure(page::routes)
                .configure(graph::routes)
                .configure(telephone::routes)
                .service(web::scope(&connector).default_service(web::to(connector::serve)))
        });
        let threads = self.shared.config.threads.max(1);
        let server = server
            .workers(threads)
            .disable_signals()
            .shutdown_timeout(GRACE)
            .listen(self.listener);
        let server = server.map_err(SimulatedTeamsError::Serve)?.run();
        let caller = Caller::new(Arc::clone(&self.shared))?;
        let caller = actix_rt::spawn(caller.run(shutdown.clone()));
        let postman = Postman::new(self.shared)?;
        let postman = actix_rt::spawn(postman.run(self.jobs, shutdown.clone()));
        let stop = server.handle();
        let mut server = std::pin::pin!(server);
        let end = tokio::select! {
            result = &mut server => result,
            () = shutdown.cancelled() => {
                // Open pages hold their connection for ever, so the stop is not graceful.
                let (result, ()) = tokio::join!(&mut server, stop.stop(false));
                result
            }
        };
        shutdown.cancel();
        let _ = tokio::join!(postman, caller);
        end.map_err(SimulatedTeamsError::Serve)
    }

    /// Acts without a browser.
    pub fn handle(&self) -> Handle {
        Handle {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Where everything is served.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }
}

/// A simulated Teams that serves in a task.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), SimulatedTeamsError>>,
}

impl Running {
    /// Acts without a browser.
    pub fn handle(&self) -> Handle {
        Handle {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Where everything is served.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Stops and waits for the end.
    pub async fn stop(self) -> Result<(), SimulatedTeamsError> {
        self.shutdown.cancel();
        // A panic of the task has been reported by the runtime.
        self.task.await.unwrap_or(Ok(()))
    }
}

impl Handle {
    /// The chat page.
    pub fn page_url(&self) -> String {
        format!("http://{}/", self.shared.address)
    }

    /// The OpenID metadata by which the bot verifies requests.
    pub fn metadata_url(&self) -> String {
        format!("http://{}/v1/.well-known/openidconfiguration", self.shared.address)
    }

    /// The host in whose place of `login.microsoftonline.com` bots ask for tokens: scheme and authority, without a slash.
    pub fn login_url(&self) -> String {
        format!("http://{}", self.shared.address)
    }

    /// The token endpoint of the tenant.
    pub fn token_endpoint(&self) -> String {
        format!(
            "http://{}/{}/oauth2/v2.0/token",
            self.shared.address, self.shared.config.tenant
        )
    }

    /// Graph, in whose place of `https://graph.microsoft.com` bots call: with the version, without a slash at the end.
    pub fn graph_url(&self) -> String {
        self.shared.graph_url.clone()
    }

    /// The OpenID metadata by which the bot verifies notifications of calls.
    pub fn calls_metadata_url(&self) -> String {
        format!("http://{}{}", self.shared.address, login::CALLING_METADATA)
    }

    /// The service URL that activities name, with a slash at the end.
    pub fn service_url(&self) -> String {
        self.shared.service_url.clone()
    }
}
