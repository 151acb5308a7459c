//! `[calls]`, and the bots that take calls.

use std::time::Duration;

use url::Url;

use super::Found;
use crate::configuration::Purpose;
use crate::configuration::schema::CloudPreset;
use crate::configuration::value::is_of_this_machine;

const EXAMPLE: &str = "write the webhook that is registered at Azure (Teams channel, tab Calling), such as \
                       \"https://bots.example.org/api/calls\"";

/// Dev has a simulated Teams of its own: nothing of this reaches it.
pub(super) fn check(found: &mut Found<'_>, purpose: Purpose) {
    if purpose == Purpose::Dev {
        return;
    }
    check_callback(found);
    check_path(found);
    check_keep_alive(found);
    let calling = found.configuration.bots.iter().find(|(_, bot)| bot.calling);
    let Some(bot) = calling.map(|(name, _)| name.clone()) else {
        return;
    };
    if found.configuration.calls.callback.is_none() {
        let why = format!("bots.{bot}.calling is set, and Graph must know where to tell of calls");
        found.missing("calls.callback", &why, EXAMPLE);
    }
    check_cloud(found, &bot);
}

fn check_callback(found: &mut Found<'_>) {
    let Some(callback) = &found.configuration.calls.callback else {
        return;
    };
    if callback.scheme() != "https" && !is_of_this_machine(callback) {
        found.contradiction(
            "calls.callback",
            format!("calls.callback = \"{callback}\" is not https, and Graph notifies by HTTPS only"),
            "write its https:// address; http:// is for a simulated Teams on this machine only",
        );
    }
    if callback.query().is_some() || callback.fragment().is_some() {
        found.contradiction(
            "calls.callback",
            format!("calls.callback = \"{callback}\" has more than a path, and each call's key is added to its end"),
            EXAMPLE,
        );
    }
}

fn check_path(found: &mut Found<'_>) {
    let configuration = found.configuration;
    let written = configuration.calls.path.as_deref();
    let setting = if written.is_some() {
        "calls.path"
    } else {
        "calls.callback"
    };
    let Some(path) = written.or(configuration.calls.callback.as_ref().map(Url::path)) else {
        return;
    };
    if !path.starts_with('/') || path.trim_end_matches('/').is_empty() {
        found.contradiction(
            setting,
            format!("{setting}: \"{path}\" is no path of the webhook of calls"),
            "write a path such as \"/api/calls\"",
        );
    } else if path.trim_end_matches('/') == configuration.ingress.path.trim_end_matches('/') {
        found.contradiction(
            setting,
            format!("{setting} and ingress.path are both \"{path}\""),
            "give the webhook of calls a path of its own, such as \"/api/calls\"",
        );
    }
}

/// Documented: "Microsoft Graph, call: keepAlive".
const DROPPED_AFTER: Duration = Duration::from_secs(45 * 60);

fn check_keep_alive(found: &mut Found<'_>) {
    let every = found.configuration.calls.keep_alive;
    if every.is_zero() || every >= DROPPED_AFTER {
        found.contradiction(
            "calls.keep_alive",
            "calls.keep_alive is out of range: Graph drops a call of which it heard nothing for 45 minutes".to_owned(),
            "write a time up to \"15 min\"; \"10 min\" suits nearly everybody",
        );
    }
}

fn check_cloud(found: &mut Found<'_>, bot: &str) {
    let (cloud, calls) = (&found.configuration.cloud, &found.configuration.calls);
    let (graph, keys) = (&calls.graph, &calls.metadata);
    let (scope, issuers) = (&calls.graph_scope, &calls.issuers);
    let is_written = graph.is_some() && scope.is_some() && issuers.is_some() && keys.is_some();
    if cloud.preset == CloudPreset::China && !is_written {
        found.contradiction(
            &format!("bots.{bot}.calling"),
            format!("bots.{bot}.calling is set, and the cloud \"china\" (21Vianet) does not offer the calls of Graph"),
            "remove it; should the cloud offer them now, set calls.graph, calls.graph_scope, calls.issuers and calls.metadata",
        );
    }
    if calls.issuers.as_ref().is_some_and(Vec::is_empty) {
        found.contradiction(
            "calls.issuers",
            "calls.issuers is empty, so that no notification of a call would be accepted".to_owned(),
            "remove it, which stands for those of the cloud, or name an issuer",
        );
    }
}
