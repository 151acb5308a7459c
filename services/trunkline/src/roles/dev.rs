//! `trunkline dev`: a simulated Teams, the worker and the ingress in one process, on the data of this machine.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use trunkline_ingress::{CallsEndpoint, IngressConfig, StopTimes};
use trunkline_media::control::HostConfig;
use trunkline_media::prompt::StandIn;
use trunkline_media::role::{MediaConfig, Transport};
use trunkline_media::thread::{Ports, ThreadConfig};
use trunkline_simulated_teams::{
    CallSettings, Handle, SimulatedBot, SimulatedTeams, SimulatedTeamsConfig, SimulatedTeamsError,
};
use trunkline_teams::cloud::{Calling, Cloud, ServiceHost};
use trunkline_teams::connector::{Connector, http_client};
use trunkline_teams::identity::BotIdentity;
use trunkline_teams::token::{ClientCredentials, ClientCredentialsConfig, Proof, Secret};
use trunkline_worker::HostedBot;
use url::Url;

use super::address::AddressUnavailable;
use super::crew::Crew;
use super::store::{StoreSource, open_embedded};
use super::{BotCode, Running, identity, ingress, media, prompts, worker};
use crate::configuration::schema::{BotSection, Engine, StoreSection};
use crate::configuration::{Configuration, is_of_this_machine};

/// Name of the simulated Teams in threads and messages.
const TEAMS: &str = "teams";

/// What the author asked of dev beside the settings.
#[derive(Clone, Copy, Debug)]
pub struct DevOptions {
    /// Forget what earlier runs stored.
    pub fresh: bool,
    /// The first bot accepts requests without a token.
    pub allow_unauthenticated: bool,
}

/// A bot of the binary as dev hosts it.
struct DevBot {
    code: BotCode,
    section: BotSection,
    registration: SimulatedBot,
    accepts_unauthenticated: bool,
}

/// Starts everything. Returns the banner.
pub(super) fn start(
    running: &mut Running,
    configuration: &Configuration,
    bots: Vec<BotCode>,
    options: DevOptions,
) -> anyhow::Result<String> {
    let data = fs::canonicalize(prepared(&configuration.dev.data, options.fresh)?)?;
    let bots = chosen(configuration, bots, options)?;
    let listen = with_port(configuration.dev.listen)?;
    let Running {
        crew,
        metrics,
        health,
        admin,
    } = running;

    let teams = start_teams(crew, configuration, &bots, listen)?;
    let cloud = simulated_cloud(&teams)?;
    let worker_config = trunkline_worker::WorkerConfig {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        // It never leaves this process.
        tls: None,
        advertise: None,
        ..worker::config(configuration, "dev".to_owned())?
    };
    let store = open_embedded(&StoreSection {
        engine: Engine::Embedded,
        directory: data.join("store"),
        ..configuration.store.clone()
    })?;
    let has_calls = bots.iter().any(|bot| bot.code.calls.is_some());
    if has_calls {
        let directory = configuration.dev.prompts.clone();
        prompts::start(crew, configuration.dev.prompts_listen, directory)?;
        let media = media_host(configuration, &teams, data.join("recordings"));
        let store = StoreSource::Shared(store.clone());
        media::start(crew, media, store, "dev.media_listen", metrics.clone(), health)?;
    }
    let store = StoreSource::Shared(store);
    let hosted = bots
        .iter()
        .map(|bot| hosted(bot, &cloud, configuration, listen))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let worker = worker::start(crew, worker_config, store, hosted, metrics.clone(), health)?;

    let calls = if has_calls {
        Some(calls_endpoint(configuration, &cloud, &bots)?)
    } else {
        None
    };
    let identities = bots.iter().map(DevBot::identity).collect();
    let verifier = identity::verifier(cloud, identities, &configuration.ingress, loopback_client()?)?;
    let config = IngressConfig {
        calls,
        listen: vec![listen],
        transport: trunkline_ingress::Transport::PlainHttp,
        workers: vec![worker.to_string()],
        workers_tls: None,
        sources: trunkline_teams::identity::source::SourceRules::default(),
        // Nothing balances load in front of dev.
        stop: StopTimes {
            notice: Duration::ZERO,
            ..ingress::stop_times(&configuration.ingress)
        },
        ..ingress::config_of(configuration, trunkline_ingress::Transport::PlainHttp, "dev".to_owned())?
    };
    ingress::start(crew, config, verifier, "dev.listen", metrics.clone(), health)?;
    let places = Places {
        endpoint: endpoint(configuration, listen),
        data: &data,
        admin: *admin,
        worker,
    };
    Ok(banner(&bots, &teams, &places))
}

/// The bots to host: all of the binary, or the one that was asked for.
fn chosen(configuration: &Configuration, bots: Vec<BotCode>, options: DevOptions) -> anyhow::Result<Vec<DevBot>> {
    let names: Vec<String> = bots.iter().map(|bot| bot.name.clone()).collect();
    let wanted = configuration.dev.bot.as_ref();
    let mut chosen: Vec<DevBot> = bots
        .into_iter()
        .filter(|bot| wanted.is_none_or(|wanted| *wanted == bot.name))
        .map(|code| {
            let name = &code.name;
            let section = configuration
                .bot(name)
                .with_context(|| format!("bots.{name} has no usable defaults"))?;
            let registration = SimulatedBot {
                name: name.clone(),
                app_id: section
                    .app_id
                    .as_ref()
                    .map_or_else(|| guid_of(name), |guid| guid.as_str().to_owned()),
                ..SimulatedBot::default()
            };
            let accepts_unauthenticated = section.allow_unauthenticated;
            Ok(DevBot {
                code,
                section,
                registration,
                accepts_unauthenticated,
            })
        })
        .collect::<anyhow::Result<_>>()?;
    let Some(first) = chosen.first_mut() else {
        let wanted = wanted.map_or("", String::as_str);
        anyhow::bail!("this binary has no bot \"{wanted}\"; it has {}", names.join(", "));
    };
    first.accepts_unauthenticated |= options.allow_unauthenticated;
    Ok(chosen)
}

impl DevBot {
    /// Everybody who lives in the simulated Teams may talk to it.
    fn identity(&self) -> BotIdentity {
        BotIdentity {
            name: self.code.name.clone(),
            app_id: self.registration.app_id.clone(),
            allowed_tenants: Vec::new(),
            accepts_unauthenticated: self.accepts_unauthenticated,
        }
    }
}

/// The chat page by both names of this machine: its telephone posts offers.
fn page_origins(teams: &Handle) -> Vec<String> {
    let page = teams.page_url().trim_end_matches('/').to_owned();
    let by_name = page.replace("127.0.0.1", "localhost");
    vec![page, by_name]
}

/// A media host for this machine: plain HTTP, and the prompts that Graph would fetch.
fn media_host(configuration: &Configuration, teams: &Handle, recordings: PathBuf) -> MediaConfig {
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    MediaConfig {
        name: "dev".to_owned(),
        listen: local,
        // It never leaves this process.
        tls: None,
        advertise: None,
        zone: String::new(),
        whip_listen: configuration.dev.media_listen,
        transport: Transport::PlainHttp,
        whip_url: None,
        origins: page_origins(teams),
        drain_deadline: Duration::ZERO,
        host: HostConfig {
            thread: ThreadConfig::loopback(Ports::Single(0)),
            threads: 1,
            codec_threads: 1,
            prompts: configuration.dev.prompts.clone(),
            stand_in: Some(StandIn::new(prompts::tune::of)),
            recordings,
            retention: None,
            keys: None,
            hand_on: None,
            mixes: false,
            orphaned_after: configuration.media.orphaned_after,
        },
    }
}

/// The webhook of the bots that take calls. Tools have no way to speak as the calling platform: all must show a token.
fn calls_endpoint(configuration: &Configuration, cloud: &Cloud, bots: &[DevBot]) -> anyhow::Result<CallsEndpoint> {
    let calling = bots.iter().filter(|bot| bot.code.calls.is_some());
    let identities = calling.map(|bot| BotIdentity {
        accepts_unauthenticated: false,
        ..bot.identity()
    });
    let identities = identities.collect();
    let verifier = identity::calls_verifier(cloud.clone(), identities, &configuration.ingress, loopback_client()?)?;
    Ok(ingress::calls_endpoint(
        &configuration.calls,
        calls_path(configuration),
        verifier,
    ))
}

fn calls_path(configuration: &Configuration) -> &str {
    configuration.calls.path.as_deref().unwrap_or("/api/calls")
}

/// Where the simulated Graph tells of calls.
fn webhook(configuration: &Configuration, listen: SocketAddr) -> String {
    format!("http://{listen}{}", calls_path(configuration))
}

/// A bot with its ways to the simulated Teams. One that accepts requests without a token may answer any tool on this machine.
fn hosted(bot: &DevBot, cloud: &Cloud, configuration: &Configuration, listen: SocketAddr) -> anyhow::Result<HostedBot> {
    let proof = Proof::ClientSecret(Secret::new(bot.registration.app_secret.clone()));
    let app_id = &bot.registration.app_id;
    let credentials = ClientCredentialsConfig::new(cloud, None, app_id, proof.clone());
    let tokens = Arc::new(ClientCredentials::new(credentials, loopback_client()?));
    let http = http_client().no_proxy().build()?;
    let connector = Connector::new(http.clone(), Some(tokens));
    let mut hosted = worker::with_limits(HostedBot::new(worker::own_logic(&bot.code)?, connector), &bot.section);
    if let Some(logic) = &bot.code.calls {
        let ways = worker::Ways {
            cloud: cloud.clone(),
            login: loopback_client()?,
            http,
        };
        let graph = identity::graph_client(&ways, &bot.code.name, app_id, proof)?;
        let callback = webhook(configuration, listen);
        hosted = hosted.with_calls(worker::hosted_calls(logic, graph, &callback, &configuration.calls));
    }
    let (cloud, answers_tools) = (cloud.clone(), bot.accepts_unauthenticated);
    Ok(HostedBot {
        allows_service_url: Arc::new(move |url| {
            cloud.allows_service_url(url) || (answers_tools && is_on_this_machine(url))
        }),
        ..hosted
    })
}

fn is_on_this_machine(service_url: &str) -> bool {
    Url::parse(service_url).is_ok_and(|url| is_of_this_machine(&url))
}

/// The clients of dev go to this machine only: never through a proxy of the environment.
fn loopback_client() -> anyhow::Result<reqwest::Client> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(10));
    Ok(client.build()?)
}

fn start_teams(
    crew: &mut Crew,
    configuration: &Configuration,
    bots: &[DevBot],
    listen: SocketAddr,
) -> anyhow::Result<Handle> {
    let config = SimulatedTeamsConfig {
        listen: configuration.dev.teams_listen,
        bot_endpoint: endpoint(configuration, listen),
        calls: CallSettings {
            webhook: webhook(configuration, listen),
            ..CallSettings::default()
        },
        bots: bots.iter().map(|bot| bot.registration.clone()).collect(),
        ..SimulatedTeamsConfig::default()
    };
    crew.start(TEAMS, move |stage| async move {
        let teams = SimulatedTeams::bind(config).await.map_err(|error| match error {
            SimulatedTeamsError::Listen { address, source } => {
                AddressUnavailable::new("dev.teams_listen", address, source).into()
            }
            other => anyhow::Error::from(other),
        })?;
        stage.started(teams.handle());
        teams.serve(stage.shutdown).await?;
        Ok(())
    })
}

/// The simulated Teams as a cloud: it signs and issues, and it alone gets the bots' tokens.
fn simulated_cloud(teams: &Handle) -> anyhow::Result<Cloud> {
    let public = Cloud::public();
    let origin: ServiceHost = teams.login_url().parse()?;
    Ok(Cloud {
        name: "simulated".to_owned(),
        token_endpoint: teams.token_endpoint(),
        connector_metadata: teams.metadata_url(),
        proactive_service_url: Some(teams.service_url()),
        service_hosts: vec![origin],
        calling: public.calling.clone().map(|calling| Calling {
            graph: teams.graph_url(),
            metadata: teams.calls_metadata_url(),
            ..calling
        }),
        ..public
    })
}

/// The directory for dev's data, made when it is not there and kept out of version control.
fn prepared(directory: &Path, fresh: bool) -> anyhow::Result<&Path> {
    let store = directory.join("store");
    if fresh && store.exists() {
        fs::remove_dir_all(&store).with_context(|| format!("dev.data: {} cannot be removed", store.display()))?;
    }
    fs::create_dir_all(&store).with_context(|| format!("dev.data: {} cannot be made", store.display()))?;
    fs::write(directory.join(".gitignore"), "*\n")?;
    Ok(directory)
}

/// The simulated Teams must know the endpoint before it listens, so a free port is found first.
fn with_port(listen: SocketAddr) -> anyhow::Result<SocketAddr> {
    if listen.port() != 0 {
        return Ok(listen);
    }
    let free = TcpListener::bind(listen).map_err(|reason| AddressUnavailable::new("dev.listen", listen, reason))?;
    Ok(free.local_addr()?)
}

fn endpoint(configuration: &Configuration, listen: SocketAddr) -> String {
    format!("http://{listen}{}", configuration.ingress.path)
}

/// The same id for the same name on every machine and in every run, so that stored conversations are found again.
fn guid_of(name: &str) -> String {
    let digest = Sha256::digest(format!("trunkline dev {name}"));
    let mut digits = String::new();
    for byte in &digest[..16] {
        let _ = write!(digits, "{byte:02x}");
    }
    [0..8, 8..12, 12..16, 16..20, 20..32]
        .map(|group| &digits[group])
        .join("-")
}

/// Where what dev has started can be found.
struct Places<'a> {
    endpoint: String,
    data: &'a Path,
    admin: SocketAddr,
    worker: SocketAddr,
}

fn banner(bots: &[DevBot], teams: &Handle, places: &Places<'_>) -> String {
    let names: Vec<&str> = bots.iter().map(|bot| bot.code.name.as_str()).collect();
    let mut text = format!(
        "\n  Trunkline {} is running. Stop it with Ctrl-C.\n\n  Talk to the bots    {}\n  Bots                {}\n  Messaging endpoint  {}\n",
        env!("CARGO_PKG_VERSION"),
        teams.page_url(),
        names.join(", "),
        places.endpoint,
    );
    if let Some(open) = bots.iter().find(|bot| bot.accepts_unauthenticated) {
        let _ = writeln!(
            text,
            "                      {} accepts requests without a token, from this machine",
            open.code.name
        );
    }
    let _ = write!(
        text,
        "  Data                {}\n  Metrics             http://{}/metrics\n  Operator's commands trunkline status --worker {}\n",
        places.data.display(),
        places.admin,
        places.worker,
    );
    text
}

#[cfg(test)]
mod tests {
    use super::{guid_of, is_on_this_machine};

    #[test]
    fn the_id_of_a_bot_without_registration_is_a_guid_and_always_the_same() {
        let id = guid_of("echo");
        assert_eq!(id, guid_of("echo"));
        assert_ne!(id, guid_of("poll"));
        assert!(id.split('-').map(str::len).eq([8, 4, 4, 4, 12]), "{id}");
    }

    #[test]
    fn only_addresses_of_this_machine_count_as_such() {
        for here in [
            "http://127.0.0.1:56150/_connector",
            "http://localhost:1/",
            "http://[::1]:9/",
        ] {
            assert!(is_on_this_machine(here), "{here}");
        }
        for elsewhere in [
            "http://10.0.0.1/",
            "https://localhost.example/",
            "http://127.0.0.1.example/",
            "x",
        ] {
            assert!(!is_on_this_machine(elsewhere), "{elsewhere}");
        }
    }
}
