//! The configuration as an operator meets it: layers, places, remedies, secrets.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod calls;
mod media;

use std::path::PathBuf;

use serde::Deserialize;
use trunkline::configuration::{Configuration, ConfigurationError, Inputs, Purpose, effective, example};

const BOT: &str = "[bots.echo]\napp_id = \"5c1f0a2e-6d4b-4f7a-9b7e-0d9c6a3f1e52\"\napp_type = \"multi-tenant\"\nclient_secret = \"hunter2\"\n";

struct Written {
    _directory: tempfile::TempDir,
    inputs: Inputs,
}

fn written(text: &str) -> Written {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("trunkline.toml");
    std::fs::write(&file, text).unwrap();
    Written {
        _directory: directory,
        inputs: Inputs {
            file: Some(file),
            ..Inputs::default()
        },
    }
}

fn load(text: &str) -> Result<Configuration, ConfigurationError> {
    Configuration::load(&written(text).inputs, Purpose::Inspect)
}

/// Code, setting and message of each problem, and the line and column.
fn problems(text: &str) -> Vec<(String, String, String, String)> {
    let error = load(text).expect_err("the configuration is refused");
    error
        .facts()
        .iter()
        .map(|fact| {
            let code = serde_json::to_value(fact.code).unwrap().as_str().unwrap().to_owned();
            let place = fact
                .place
                .rsplit('/')
                .next()
                .unwrap()
                .trim_start_matches("trunkline.toml:")
                .to_owned();
            (
                code,
                fact.setting.to_owned(),
                format!("{}; {}", fact.message, fact.remedy),
                place,
            )
        })
        .collect()
}

fn rendered(error: &ConfigurationError) -> String {
    let mut text = String::new();
    miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor())
        .render_report(&mut text, error)
        .unwrap();
    text
}

#[test]
fn no_file_and_an_empty_environment_are_all_defaults() {
    let configuration = Configuration::load(&Inputs::default(), Purpose::Inspect).unwrap();
    assert_eq!(configuration.dev.listen.to_string(), "127.0.0.1:3978");
    assert_eq!(configuration.store.retention.as_secs(), 90 * 86_400);
    assert_eq!(configuration.place("dev.listen"), "default");
}

#[test]
fn the_environment_wins_over_the_file_and_flags_win_over_both() {
    let mut written = written("[worker]\nqueue = 1\narbiters = 1\n[log]\nformat = \"human\"\n");
    written.inputs.environment = vec![
        ("TRUNKLINE_WORKER__QUEUE".into(), "2".into()),
        ("TRUNKLINE_LOG__FORMAT".into(), "json".into()),
        ("TRUNKLINE_INGRESS__WORKERS".into(), "127.0.0.1:1, localhost:2".into()),
        ("TRUNKLINE_INGRESS__PLAIN_HTTP".into(), "true".into()),
    ];
    written.inputs.flags = vec![("worker.queue".into(), "3".into(), "--set worker.queue".into())];
    let configuration = Configuration::load(&written.inputs, Purpose::Inspect).unwrap();
    assert_eq!(configuration.worker.queue, 3);
    assert_eq!(configuration.worker.arbiters, 1);
    assert_eq!(configuration.ingress.workers.len(), 2);
    assert_eq!(configuration.place("worker.queue"), "flag --set worker.queue");
    assert_eq!(configuration.place("log.format"), "environment TRUNKLINE_LOG__FORMAT");
    assert!(configuration.place("worker.arbiters").ends_with("trunkline.toml:3:12"));
}

#[test]
fn a_wrong_value_is_named_with_its_place_and_remedy() {
    let found = problems("[worker]\n\nlisten = \"127.0.0.1\"\n");
    assert_eq!(
        found,
        [(
            "wrong_value".to_owned(),
            "worker.listen".to_owned(),
            "worker.listen = \"127.0.0.1\": the value has no port; write an address with a port, such as \
             \"127.0.0.1:3978\" or \"[::]:443\""
                .to_owned(),
            "3:10".to_owned()
        )]
    );
}

#[test]
fn a_misspelt_name_is_answered_with_the_nearest_one() {
    let found = problems("[worker]\nlisten_ = 1\n[stroe]\ndirectory = 'x'\n[bots.echo]\nclient_secrt = 'hunter2'\n");
    let messages: Vec<&str> = found.iter().map(|(_, _, message, _)| message.as_str()).collect();
    assert!(
        messages.contains(&"there is no setting worker.listen_; did you mean worker.listen?"),
        "{messages:?}"
    );
    assert!(
        messages.contains(&"there is no setting stroe; did you mean store?"),
        "{messages:?}"
    );
    assert!(
        messages.contains(&"there is no setting bots.echo.client_secrt; did you mean bots.echo.client_secret?"),
        "{messages:?}"
    );
}

#[test]
fn all_problems_of_a_file_are_told_at_once() {
    let found = problems(
        "[worker]\nqueue = \"many\"\npassivate_after = 60\n[log]\nformat = \"jsno\"\n[ingress]\nallowed_sources = [\"teams\", \"300.0.0.0/8\"]\n",
    );
    let settings: Vec<&str> = found.iter().map(|(_, setting, _, _)| setting.as_str()).collect();
    assert_eq!(
        settings,
        [
            "worker.queue",
            "worker.passivate_after",
            "log.format",
            "ingress.allowed_sources"
        ]
    );
    assert_eq!(found[3].3, "7:29", "the part of the list that is wrong is pointed at");
    assert!(found[2].2.contains("did you mean \"json\"?"), "{}", found[2].2);
}

#[test]
fn mistakes_of_form_are_told_at_once_with_their_places() {
    let found = problems("[worker\nqueue = 1\n[log]\nformat = \n");
    assert!(found.len() >= 2, "{found:?}");
    assert!(found.iter().all(|(code, _, _, _)| code == "syntax"), "{found:?}");
}

#[test]
fn a_wrong_variable_is_named() {
    let inputs = Inputs {
        environment: vec![
            ("TRUNKLINE_INGRES__LISTEN".into(), "127.0.0.1:1".into()),
            ("TRUNKLINE_WORKER__QUEUE".into(), "many".into()),
            ("TRUNKLINE_STORE_DIRECTORY".into(), "x".into()),
            ("TRUNKLINE_WORKER_PORT_7400_TCP".into(), "tcp://10.0.0.1:7400".into()),
        ],
        ..Inputs::default()
    };
    let error = Configuration::load(&inputs, Purpose::Inspect).expect_err("refused");
    let text = rendered(&error);
    assert_eq!(error.facts().len(), 3, "{text}");
    assert!(text.contains("did you mean TRUNKLINE_INGRESS__...?"), "{text}");
    assert!(text.contains("did you mean TRUNKLINE_STORE__DIRECTORY?"), "{text}");
    assert!(text.contains("TRUNKLINE_WORKER__QUEUE"), "{text}");
}

#[test]
fn a_variable_finds_a_bot_whose_name_has_a_dash() {
    let mut written = written(
        &BOT.replace("bots.echo", "bots.front-desk")
            .replace("client_secret = \"hunter2\"\n", ""),
    );
    written.inputs.environment = vec![("TRUNKLINE_BOTS__FRONT_DESK__CLIENT_SECRET".into(), "hunter3".into())];
    let configuration = Configuration::load(&written.inputs, Purpose::Worker).unwrap();
    assert_eq!(
        configuration.bots["front-desk"]
            .client_secret
            .as_ref()
            .unwrap()
            .expose(),
        "hunter3"
    );
}

#[test]
fn secrets_are_dots_wherever_a_configuration_is_shown() {
    let text = format!(
        "{BOT}[bots.echo.settings]\nkey = \"hunter2\"\n[store]\nengine = \"redis\"\nurl = \"redis://user:hunter2@127.0.0.1/0\"\n"
    );
    let configuration = load(&text).unwrap();
    let shown = serde_json::to_string(&effective(&configuration)).unwrap();
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("redis://user:••••••@127.0.0.1"), "{shown}");
    assert!(
        !format!("{configuration:?}").contains("hunter2\"))"),
        "secrets do not print as values"
    );

    let broken = text
        .replace("[store]", "[store]\ndrectory = \"hunter2\"")
        .replace("redis://user", "http://user");
    let error = load(&broken).expect_err("refused");
    let text = rendered(&error);
    assert!(!text.contains("hunter2"), "{text}");
    assert!(text.contains("did you mean store.directory?"), "{text}");
}

#[test]
fn values_that_do_not_go_together_are_refused() {
    let text = format!(
        "{BOT}client_secret_file = \"/x\"\n[bots.other]\napp_id = \"5C1F0A2E-6D4B-4F7A-9B7E-0D9C6A3F1E52\"\n[ingress]\nplain_http = true\ntls_certificate = \"c\"\n[store]\nengine = \"redis\"\nwait_replicas = 1\nwait_timeout = \"2 s\"\n"
    );
    let found = problems(&text);
    let settings: Vec<&str> = found.iter().map(|(_, setting, _, _)| setting.as_str()).collect();
    for expected in [
        "bots.echo.client_secret_file",
        "bots.other.tenant",
        "bots.other.app_id",
        "ingress.tls_certificate",
        "ingress.plain_http",
        "store.url",
        "store.wait_timeout",
    ] {
        assert!(settings.contains(&expected), "{expected} is missing in {settings:?}");
    }
}

#[test]
fn the_files_of_the_clusters_tls_come_together() {
    let all = "[cluster]\ntls_ca = \"a\"\ntls_certificate = \"c\"\ntls_key = \"k\"\n";
    let configuration = load(all).unwrap();
    assert_eq!(configuration.cluster.tls_domain, "trunkline.internal");
    let found = problems(&all.replace("tls_key = \"k\"\n", ""));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        found[0].2,
        "cluster.tls_ca is set and cluster.tls_key is not; set tls_ca, tls_certificate and tls_key, or none of them; \
         `trunkline dev certificate` makes them"
    );
}

#[test]
fn without_tls_nothing_leaves_this_machine() {
    let tls = "[cluster]\ntls_ca = \"a\"\ntls_certificate = \"c\"\ntls_key = \"k\"\n";
    for (purpose, setting, text) in [
        (
            Purpose::Worker,
            "worker.listen",
            "[worker]\nlisten = \"0.0.0.0:7400\"\n",
        ),
        (
            Purpose::Ingress,
            "ingress.workers",
            "[ingress]\nplain_http = true\nworkers = [\"localhost:1\", \"[::1]:1\", \"worker-2.internal:1\"]\n",
        ),
    ] {
        let load = |text: &str| Configuration::load(&written(&format!("{BOT}{text}")).inputs, purpose);
        let error = load(text).expect_err("refused");
        let fact = &error.facts()[0];
        assert_eq!((error.facts().len(), fact.setting), (1, setting), "{}", fact.message);
        assert!(
            fact.remedy
                .contains("cluster.tls_ca, cluster.tls_certificate and cluster.tls_key")
        );
        load(&format!("{text}{tls}")).unwrap_or_else(|error| panic!("{}", rendered(&error)));
    }
}

#[test]
fn an_ingress_without_certificate_demands_an_explicit_word() {
    let written = written(BOT);
    let error = Configuration::load(&written.inputs, Purpose::Ingress).expect_err("refused");
    assert_eq!(error.facts()[0].setting, "ingress.tls_certificate");
    assert!(error.facts()[0].remedy.contains("plain_http = true"));
}

#[test]
fn unauthenticated_requests_exist_in_dev_only() {
    let written = written(&format!("{BOT}allow_unauthenticated = true\n"));
    assert!(Configuration::load(&written.inputs, Purpose::Dev).is_ok());
    let error = Configuration::load(&written.inputs, Purpose::Worker).expect_err("refused");
    assert_eq!(error.facts()[0].setting, "bots.echo.allow_unauthenticated");
    assert!(error.facts()[0].place.ends_with(":5:25"), "{}", error.facts()[0].place);
}

#[test]
fn dev_listens_on_loopback_only() {
    let inputs = Inputs {
        flags: vec![("dev.listen".into(), "0.0.0.0:3978".into(), "--port".into())],
        ..Inputs::default()
    };
    let error = Configuration::load(&inputs, Purpose::Dev).expect_err("refused");
    assert_eq!(error.facts()[0].setting, "dev.listen");
}

#[derive(Debug, Deserialize)]
struct Rooms {
    server: String,
    #[serde(default)]
    seats: u32,
    #[serde(default)]
    mode: Mode,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Slow,
    Fast,
}

#[test]
fn a_bot_reads_its_own_settings_by_type() {
    let mut written = written(&format!(
        "{BOT}[bots.echo.settings]\nserver = \"rooms.example\"\nmode = \"fast\"\n"
    ));
    written.inputs.environment = vec![("TRUNKLINE_BOTS__ECHO__SETTINGS__SEATS".into(), "12".into())];
    let configuration = Configuration::load(&written.inputs, Purpose::Inspect).unwrap();
    let rooms: Rooms = configuration.settings_of("echo").unwrap();
    assert_eq!(
        (rooms.server.as_str(), rooms.seats, rooms.mode),
        ("rooms.example", 12, Mode::Fast)
    );
}

#[test]
fn a_bots_own_settings_are_refused_with_place_and_near_name() {
    let configuration = load(&format!("{BOT}[bots.echo.settings]\nserver = \"s\"\nseat = 3\n")).unwrap();
    let error = configuration.settings_of::<Rooms>("echo").expect_err("refused");
    let fact = &error.facts()[0];
    assert_eq!(fact.remedy, "did you mean bots.echo.settings.seats?");
    assert!(fact.place.ends_with(":7:1"), "{}", fact.place);

    let configuration = load(&format!(
        "{BOT}[bots.echo.settings]\nserver = \"s\"\nseats = \"three\"\n"
    ))
    .unwrap();
    let error = configuration.settings_of::<Rooms>("echo").expect_err("refused");
    let fact = &error.facts()[0];
    assert_eq!(fact.setting, "bots.echo.settings.seats");
    assert!(fact.place.ends_with(":7:9"), "{}", fact.place);

    let configuration = load(BOT).unwrap();
    let error = configuration.settings_of::<Rooms>("echo").expect_err("refused");
    assert!(
        error.facts()[0].message.contains("server"),
        "{}",
        error.facts()[0].message
    );
}

#[test]
fn the_committed_example_is_the_generated_one_and_every_line_of_it_is_accepted() {
    let committed = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/trunkline.example.toml");
    assert_eq!(
        std::fs::read_to_string(committed).unwrap(),
        example(),
        "deploy/trunkline.example.toml differs: run `trunkline config example > deploy/trunkline.example.toml`"
    );
    let uncommented: String = example()
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let error = load(&uncommented).expect_err("it holds all alternatives at once");
    for fact in error.facts() {
        let code = serde_json::to_value(fact.code).unwrap();
        assert_eq!(code, "contradiction", "{}: {}", fact.setting, fact.message);
    }
}

#[test]
fn the_deployed_example_is_right_for_each_of_its_processes() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/example");
    let load = |variables: &str, purpose| {
        let mut environment = vec![("TRUNKLINE_BOTS__ECHO__CLIENT_SECRET".to_owned(), "hunter2".to_owned())];
        environment.extend(
            variables
                .lines()
                .filter_map(|line| line.split_once('='))
                .map(|(name, value)| (name.into(), value.into())),
        );
        let inputs = Inputs {
            file: Some(directory.join("trunkline.toml")),
            environment,
            ..Inputs::default()
        };
        Configuration::load(&inputs, purpose).unwrap_or_else(|error| panic!("{}", rendered(&error)))
    };
    let ingress = load("", Purpose::Ingress);
    let mut names = Vec::new();
    for (file, worker) in ["worker-1.env", "worker-2.env"].iter().zip(&ingress.ingress.workers) {
        let variables = std::fs::read_to_string(directory.join(file)).unwrap();
        let configuration = load(&variables, Purpose::Worker);
        assert_eq!(configuration.worker.listen.to_string(), worker.as_str(), "{file}");
        assert_ne!(configuration.admin.listen, ingress.admin.listen, "{file}");
        names.push(configuration.cluster.name.expect("a name"));
    }
    assert_ne!(names[0], names[1]);
    let variables = std::fs::read_to_string(directory.join("media-1.env")).unwrap();
    let media = load(&variables, Purpose::Media);
    assert_ne!(media.admin.listen, ingress.admin.listen);
}
