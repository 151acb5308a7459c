//! Values that are right alone and wrong together.

mod calls;
mod media;

use super::problem::{Code, Problem};
use super::schema::{AppType, BotSection, Engine};
use super::{Configuration, Purpose};

/// Everything that does not go together.
pub(super) fn contradictions(configuration: &Configuration, purpose: Purpose) -> Vec<Problem> {
    let mut found = Found {
        configuration,
        problems: Vec::new(),
    };
    for (name, bot) in &configuration.bots {
        check_bot(&mut found, name, bot, purpose);
    }
    check_app_ids(&mut found);
    check_cluster(&mut found);
    check_ingress(&mut found, purpose);
    check_worker(&mut found, purpose);
    calls::check(&mut found, purpose);
    media::check(&mut found, purpose);
    check_dev(&mut found, purpose);
    found.problems
}

const WITHOUT_TLS: &str = "set cluster.tls_ca, cluster.tls_certificate and cluster.tls_key, or use a loopback address; \
                           `trunkline dev certificate` makes them";

struct Found<'a> {
    configuration: &'a Configuration,
    problems: Vec<Problem>,
}

impl Found<'_> {
    fn note(&mut self, code: Code, setting: &str, message: String, remedy: &str) {
        self.problems.push(Problem {
            code,
            setting: setting.to_owned(),
            message,
            remedy: remedy.to_owned(),
            origin: self.configuration.origin(setting),
        });
    }

    fn missing(&mut self, setting: &str, why: &str, remedy: &str) {
        self.note(
            Code::MissingSetting,
            setting,
            format!("{setting} is missing: {why}"),
            remedy,
        );
        // The place of what is missing is the section that it is missing from.
        if let (Some(problem), Some((section, _))) = (self.problems.last_mut(), setting.rsplit_once('.')) {
            problem.origin = self.configuration.origin(section);
        }
    }

    fn contradiction(&mut self, setting: &str, message: String, remedy: &str) {
        self.note(Code::Contradiction, setting, message, remedy);
    }
}

fn check_bot(found: &mut Found<'_>, name: &str, bot: &BotSection, purpose: Purpose) {
    let of = |setting: &str| format!("bots.{name}.{setting}");
    if bot.allow_unauthenticated && matches!(purpose, Purpose::Ingress | Purpose::Worker | Purpose::Media) {
        found.contradiction(
            &of("allow_unauthenticated"),
            format!(
                "{} is set, and this is not `trunkline dev`",
                of("allow_unauthenticated")
            ),
            "remove it: without tokens anybody can speak as anybody",
        );
    }
    let proofs = [
        ("client_secret", bot.client_secret.is_some()),
        ("client_secret_file", bot.client_secret_file.is_some()),
        ("certificate_file", bot.certificate_file.is_some()),
    ];
    let given: Vec<&str> = proofs
        .iter()
        .filter(|(_, is_given)| *is_given)
        .map(|(setting, _)| *setting)
        .collect();
    if let [first, second, ..] = given[..] {
        found.contradiction(
            &of(second),
            format!("{} and {} are both set", of(first), of(second)),
            "keep one proof of the bot's identity",
        );
    }
    if bot.certificate_file.is_some() != bot.private_key_file.is_some() {
        let (there, absent) = if bot.certificate_file.is_some() {
            ("certificate_file", "private_key_file")
        } else {
            ("private_key_file", "certificate_file")
        };
        found.contradiction(
            &of(there),
            format!("{} is set and {} is not", of(there), of(absent)),
            "a certificate needs its private key: set both",
        );
    }
    if purpose == Purpose::Dev {
        return;
    }
    if bot.app_id.is_none() {
        found.missing(
            &of("app_id"),
            "tokens from Teams name it",
            "copy the application (client) id of the registration",
        );
    }
    if bot.app_type == AppType::SingleTenant && bot.tenant.is_none() {
        found.missing(
            &of("tenant"),
            "the tokens of a single-tenant bot are asked from its own tenant",
            "copy the tenant id of the registration, or set app_type = \"multi-tenant\"",
        );
    }
    if given.is_empty() && purpose == Purpose::Worker {
        found.missing(
            &of("client_secret"),
            "the bot cannot prove who it is when it answers",
            "set client_secret_file, certificate_file with private_key_file, or the variable of client_secret",
        );
    }
}

fn check_app_ids(found: &mut Found<'_>) {
    let bots: Vec<(&String, String)> = found
        .configuration
        .bots
        .iter()
        .filter_map(|(name, bot)| Some((name, bot.app_id.as_ref()?.as_str().to_lowercase())))
        .collect();
    for (place, (name, app_id)) in bots.iter().enumerate() {
        if let Some((first, _)) = bots[..place].iter().find(|(_, earlier)| earlier == app_id) {
            found.contradiction(
                &format!("bots.{name}.app_id"),
                format!("bots.{first} and bots.{name} have the same app_id"),
                "give each bot a registration of its own: the token's audience tells them apart",
            );
        }
    }
}

fn check_cluster(found: &mut Found<'_>) {
    let cluster = &found.configuration.cluster;
    let files = [
        ("tls_ca", &cluster.tls_ca),
        ("tls_certificate", &cluster.tls_certificate),
        ("tls_key", &cluster.tls_key),
    ];
    let (given, absent): (Vec<_>, Vec<_>) = files.iter().partition(|(_, file)| file.is_some());
    if let (Some((there, _)), Some((missing, _))) = (given.first(), absent.first()) {
        found.contradiction(
            &format!("cluster.{there}"),
            format!("cluster.{there} is set and cluster.{missing} is not"),
            "set tls_ca, tls_certificate and tls_key, or none of them; `trunkline dev certificate` makes them",
        );
    }
}

fn check_ingress(found: &mut Found<'_>, purpose: Purpose) {
    let ingress = &found.configuration.ingress;
    let has_certificate = ingress.tls_certificate.is_some();
    if has_certificate != ingress.tls_key.is_some() {
        let (there, absent) = if has_certificate {
            ("tls_certificate", "tls_key")
        } else {
            ("tls_key", "tls_certificate")
        };
        found.contradiction(
            &format!("ingress.{there}"),
            format!("ingress.{there} is set and ingress.{absent} is not"),
            "set both, or neither with plain_http = true",
        );
    }
    if has_certificate && ingress.plain_http {
        found.contradiction(
            "ingress.plain_http",
            "ingress.plain_http and ingress.tls_certificate are both set".to_owned(),
            "remove one: either we end TLS or a proxy in front does",
        );
    }
    let is_wanted = match purpose {
        Purpose::Ingress => true,
        Purpose::Inspect => found.configuration.has_section("ingress"),
        Purpose::Dev | Purpose::Worker | Purpose::Media => false,
    };
    if is_wanted && !has_certificate && ingress.tls_key.is_none() && !ingress.plain_http {
        found.missing(
            "ingress.tls_certificate",
            "Teams speaks HTTPS only",
            "set tls_certificate and tls_key, or plain_http = true behind a proxy that ends TLS",
        );
    }
    if !ingress.path.starts_with('/') {
        found.contradiction(
            "ingress.path",
            format!("ingress.path = \"{}\" does not begin with /", ingress.path),
            "write a path such as \"/api/messages\"",
        );
    }
    let elsewhere = ingress.workers.iter().find(|worker| !worker.is_of_this_machine());
    if let Some(worker) = elsewhere
        && is_wanted
        && found.configuration.cluster.tls_ca.is_none()
    {
        found.contradiction(
            "ingress.workers",
            format!(
                "ingress.workers names {}, which is not of this machine, and activities would go there in the clear",
                worker.as_str()
            ),
            WITHOUT_TLS,
        );
    }
    if purpose == Purpose::Ingress && ingress.workers.is_empty() {
        found.contradiction(
            "ingress.workers",
            "ingress.workers is empty".to_owned(),
            "name host and port of each worker",
        );
    }
}

fn check_worker(found: &mut Found<'_>, purpose: Purpose) {
    let listen = found.configuration.worker.listen;
    if found.configuration.cluster.tls_ca.is_none() && !listen.ip().is_loopback() {
        found.contradiction(
            "worker.listen",
            format!("worker.listen = \"{listen}\" is not a loopback address, and activities would come in the clear"),
            WITHOUT_TLS,
        );
    }
    let store = &found.configuration.store;
    if store.engine == Engine::Redis && store.url.is_none() {
        found.missing(
            "store.url",
            "store.engine is \"redis\"",
            "set url = \"redis://HOST:6379/0\", or the variable TRUNKLINE_STORE__URL",
        );
    }
    if store.engine == Engine::Embedded && store.url.is_some() && purpose != Purpose::Dev {
        found.contradiction(
            "store.url",
            "store.url is set and store.engine is \"embedded\"".to_owned(),
            "set engine = \"redis\", or remove the URL",
        );
    }
    if store.client_certificate.is_some() != store.client_key.is_some() {
        let (there, absent) = if store.client_certificate.is_some() {
            ("client_certificate", "client_key")
        } else {
            ("client_key", "client_certificate")
        };
        found.contradiction(
            &format!("store.{there}"),
            format!("store.{there} is set and store.{absent} is not"),
            "set both, or neither",
        );
    }
    if store.wait_replicas > 0 && store.wait_timeout >= store.response_timeout {
        found.contradiction(
            "store.wait_timeout",
            "store.wait_timeout is not less than store.response_timeout".to_owned(),
            "wait for replicas half as long as for an answer",
        );
    }
    let shards = store.shards;
    if !(1..=16_384).contains(&shards) {
        found.contradiction(
            "store.shards",
            format!("store.shards = {shards} is out of range"),
            "write a number from 1 to 16384; 4096 suits nearly everybody",
        );
    }
}

fn check_dev(found: &mut Found<'_>, purpose: Purpose) {
    if purpose != Purpose::Dev {
        return;
    }
    let dev = &found.configuration.dev;
    for (setting, address) in [
        ("dev.listen", dev.listen),
        ("dev.teams_listen", dev.teams_listen),
        ("dev.prompts_listen", dev.prompts_listen),
        ("dev.media_listen", dev.media_listen),
    ] {
        if !address.ip().is_loopback() {
            found.contradiction(
                setting,
                format!("{setting} = \"{address}\" is not a loopback address"),
                "dev is for this machine only: use 127.0.0.1, or run `trunkline ingress` and `trunkline worker`",
            );
        }
    }
}
