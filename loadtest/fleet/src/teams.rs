//! A simulated Teams as login service: it signs the tokens of Teams and issues those of the bots.

use trunkline_simulated_teams::{BotNumber, Handle, SimulatedTeams, SimulatedTeamsConfig};

/// The tenant that everybody belongs to.
pub const TENANT: &str = "5f0e3c1a-7d2b-4e86-9a14-c3b2d1e0f9a8";

/// Serves in a thread of its own, as long as the process lives.
pub fn start(config: SimulatedTeamsConfig) -> Handle {
    let (sender, handle) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let teams = SimulatedTeams::bind(config).await.unwrap();
            sender.send(teams.handle()).unwrap();
            teams.serve(tokio_util::sync::CancellationToken::new()).await.unwrap();
        });
    });
    handle.recv().unwrap()
}

/// A token of Teams for the only bot, for requests that name this service URL, valid since `age` seconds: each age makes
/// another token.
pub fn token(login: &Handle, service_url: &str, age: u64) -> String {
    let mut claims = login.claims(BotNumber(0)).unwrap();
    claims.nbf -= age;
    service_url.clone_into(&mut claims.serviceurl);
    login.sign(&claims).unwrap()
}

/// The text of a configuration for the bot `name` in this cloud. What differs between processes (addresses) comes from their
/// environment.
pub fn configuration(name: &str, redis: &str, teams: &Handle, service_host: &str) -> String {
    let bot = &teams.bots()[0];
    let registration = SimulatedTeamsConfig::default().bots.remove(0);
    assert_eq!(registration.app_id, bot.app_id, "the login service has the default bot");
    format!(
        r#"
[bots.{name}]
app_id = "{app_id}"
tenant = "{TENANT}"
client_secret = "{secret}"

[ingress]
plain_http = true

[store]
engine = "redis"
url = "{redis}"

[cloud]
metadata = "{metadata}"
token_endpoint = "{token_endpoint}"
service_hosts = ["{service_host}"]
"#,
        app_id = registration.app_id,
        secret = registration.app_secret,
        metadata = teams.metadata_url(),
        token_endpoint = teams.token_endpoint(),
    )
}

/// The settings by which the bot `name` takes calls of this Teams at that webhook: full name and value.
pub fn calling(name: &str, teams: &Handle, webhook: String) -> Vec<(String, String)> {
    let settings = [
        (format!("bots.{name}.calling"), "true".to_owned()),
        ("calls.callback".to_owned(), webhook),
        ("calls.graph".to_owned(), teams.graph_url()),
        ("calls.metadata".to_owned(), teams.calls_metadata_url()),
    ];
    settings.to_vec()
}
