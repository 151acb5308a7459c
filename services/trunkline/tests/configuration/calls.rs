//! What is demanded of `[calls]`, and of bots that take calls.

use trunkline::configuration::{Configuration, Purpose};

use crate::{BOT, load, problems, rendered, written};

const CALLS: &str = "[calls]\ncallback = \"https://bots.example.org/api/calls\"\n";

/// Setting, message and remedy of each problem.
fn told(text: &str) -> Vec<(String, String)> {
    let found = problems(text);
    found
        .into_iter()
        .map(|(_, setting, message, _)| (setting, message))
        .collect()
}

#[test]
fn a_bot_takes_calls_where_graph_can_reach_it() {
    let calling = format!("{BOT}calling = true\n");
    let configuration = load(&format!("{calling}{CALLS}")).unwrap_or_else(|error| panic!("{}", rendered(&error)));
    assert!(configuration.bots["echo"].calling);
    let found = told(&calling);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "calls.callback");
    for part in ["bots.echo.calling is set", "https://bots.example.org/api/calls"] {
        assert!(found[0].1.contains(part), "{}", found[0].1);
    }
    let dev = Configuration::load(&written(&calling).inputs, Purpose::Dev);
    assert!(dev.is_ok(), "dev has a Teams of its own");
}

#[test]
fn graph_is_told_an_address_of_https_without_more_than_a_path() {
    for (callback, says) in [
        ("http://bots.example.org/api/calls", "is not https"),
        ("https://bots.example.org/api/calls?x=1", "more than a path"),
        ("https://bots.example.org/", "is no path of the webhook of calls"),
        ("https://bots.example.org/api/messages", "ingress.path"),
    ] {
        let found = told(&format!("[calls]\ncallback = \"{callback}\"\n"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, "calls.callback");
        assert!(found[0].1.contains(says), "{}", found[0].1);
    }
    for right in ["http://127.0.0.1:3978/api/calls", "http://localhost:1/api/calls"] {
        load(&format!("[calls]\ncallback = \"{right}\"\n")).unwrap_or_else(|error| panic!("{}", rendered(&error)));
    }
}

#[test]
fn a_cloud_without_calls_says_so() {
    let text = format!("{BOT}calling = true\n[cloud]\npreset = \"china\"\n{CALLS}");
    let found = told(&text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "bots.echo.calling");
    assert!(
        found[0].1.contains("\"china\" (21Vianet) does not offer"),
        "{}",
        found[0].1
    );
    assert_eq!(told(&format!("{text}issuers = []\n")).len(), 2);
}

#[test]
fn a_misspelt_setting_of_calls_is_answered_with_the_nearest_one() {
    let found = told("[calls]\ncalback = \"https://bots.example.org/api/calls\"\n");
    assert_eq!(
        found[0].1,
        "there is no setting calls.calback; did you mean calls.callback?"
    );
}
