//! Who the bots are: the cloud they live in, whom they listen to, and their own credentials.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use trunkline_teams::cloud::{Calling, Cloud};
use trunkline_teams::graph;
use trunkline_teams::identity::{BotIdentity, Verifier, VerifierConfig};
use trunkline_teams::token::{
    Certificate, ClientCredentials, ClientCredentialsConfig, Proof, Secret, TenantCredentials, TokenProvider,
};
use url::Url;

use super::worker::Ways;
use crate::configuration::Configuration;
use crate::configuration::schema::{AppType, BotSection, CallsSection, CloudPreset, CloudSection, IngressSection};

/// Allows every tenant in `bots.NAME.tenants`.
const ALL_TENANTS: &str = "*";

/// The cloud: its preset, and what replaces parts of it.
pub(super) fn cloud(section: &CloudSection, calls: &CallsSection) -> Cloud {
    let mut cloud = match section.preset {
        CloudPreset::Public => Cloud::public(),
        CloudPreset::Gcc => Cloud::gcc(),
        CloudPreset::GccHigh => Cloud::gcc_high(),
        CloudPreset::Dod => Cloud::dod(),
        CloudPreset::China => Cloud::china(),
    };
    let replace = |place: &mut String, value: Option<String>| {
        if let Some(value) = value {
            *place = value;
        }
    };
    replace(&mut cloud.connector_issuer, section.issuer.clone());
    replace(
        &mut cloud.connector_metadata,
        section.metadata.as_ref().map(ToString::to_string),
    );
    replace(&mut cloud.token_endpoint, section.token_endpoint.clone());
    replace(&mut cloud.bot_tenant, section.bot_tenant.clone());
    replace(&mut cloud.connector_scope, section.scope.clone());
    if let Some(url) = &section.proactive_service_url {
        cloud.proactive_service_url = Some(url.to_string());
    }
    if let Some(hosts) = &section.service_hosts {
        cloud.service_hosts.clone_from(hosts);
    }
    cloud.calling = calling(cloud.calling, calls);
    cloud
}

/// The constants of calls: the preset's, and what replaces them; `None` for a cloud without calls, unless all are written.
fn calling(preset: Option<Calling>, section: &CallsSection) -> Option<Calling> {
    let text = |url: &Option<Url>| url.as_ref().map(ToString::to_string);
    let (graph, metadata) = (text(&section.graph), text(&section.metadata));
    let (scope, issuers) = (section.graph_scope.clone(), section.issuers.clone());
    let Some(preset) = preset else {
        return Some(Calling {
            graph: graph?,
            graph_scope: scope?,
            issuers: issuers?,
            metadata: metadata?,
        });
    };
    Some(Calling {
        graph: graph.unwrap_or(preset.graph),
        graph_scope: scope.unwrap_or(preset.graph_scope),
        issuers: issuers.unwrap_or(preset.issuers),
        metadata: metadata.unwrap_or(preset.metadata),
    })
}

/// Verifies the tokens of notifications to those of these bots that take calls.
pub(super) fn calls_verifier(
    cloud: Cloud,
    bots: Vec<BotIdentity>,
    ingress: &IngressSection,
    http: reqwest::Client,
) -> anyhow::Result<Arc<Verifier>> {
    let calling = cloud
        .calling
        .clone()
        .with_context(|| format!("the cloud {} offers no calls", cloud.name))?;
    let config = VerifierConfig {
        remembered_tokens: usize::try_from(ingress.remembered_tokens)?,
        ..VerifierConfig::for_calls(cloud, calling.issuers, calling.metadata, bots)
    };
    Ok(Arc::new(Verifier::new(config, http)?))
}

/// Verifies the tokens of requests to these bots.
pub(super) fn verifier(
    cloud: Cloud,
    bots: Vec<BotIdentity>,
    ingress: &IngressSection,
    http: reqwest::Client,
) -> anyhow::Result<Arc<Verifier>> {
    let config = VerifierConfig {
        required_endorsements: ingress.required_endorsements.clone(),
        remembered_tokens: usize::try_from(ingress.remembered_tokens)?,
        ..VerifierConfig::new(cloud, bots)
    };
    Ok(Arc::new(Verifier::new(config, http)?))
}

/// The bots as the ingress knows them.
pub(super) fn identities(configuration: &Configuration) -> anyhow::Result<Vec<BotIdentity>> {
    configuration
        .bots
        .iter()
        .map(|(name, bot)| {
            let app_id = bot
                .app_id
                .as_ref()
                .with_context(|| format!("bots.{name}.app_id is missing"))?;
            Ok(BotIdentity {
                name: name.clone(),
                app_id: app_id.as_str().to_owned(),
                allowed_tenants: allowed_tenants(bot),
                accepts_unauthenticated: bot.allow_unauthenticated,
            })
        })
        .collect()
}

/// An empty list means: the bot's own tenant, where it has one.
fn allowed_tenants(bot: &BotSection) -> Vec<String> {
    if bot.tenants.iter().any(|tenant| tenant == ALL_TENANTS) {
        return Vec::new();
    }
    match (&bot.tenants[..], bot.app_type, &bot.tenant) {
        ([], AppType::SingleTenant, Some(own)) => vec![own.clone()],
        (tenants, _, _) => tenants.to_vec(),
    }
}

/// Where a bot's own tokens come from.
pub(super) fn tokens(
    cloud: &Cloud,
    name: &str,
    bot: &BotSection,
    http: reqwest::Client,
) -> anyhow::Result<Arc<dyn TokenProvider>> {
    let app_id = bot
        .app_id
        .as_ref()
        .with_context(|| format!("bots.{name}.app_id is missing"))?;
    let tenant = match bot.app_type {
        AppType::SingleTenant => bot.tenant.as_deref(),
        AppType::MultiTenant => None,
    };
    let config = ClientCredentialsConfig::new(cloud, tenant, app_id.as_str(), proof(name, bot)?);
    Ok(Arc::new(ClientCredentials::new(config, http)))
}

/// A bot's way to Graph, with tokens of each call's tenant.
pub(super) fn graph(ways: &Ways, name: &str, bot: &BotSection) -> anyhow::Result<graph::Client> {
    let app_id = bot
        .app_id
        .as_ref()
        .with_context(|| format!("bots.{name}.app_id is missing"))?;
    graph_client(ways, name, app_id.as_str(), proof(name, bot)?)
}

/// The same for the app of this id that proves itself so.
pub(super) fn graph_client(ways: &Ways, name: &str, app_id: &str, proof: Proof) -> anyhow::Result<graph::Client> {
    let calling = ways.cloud.calling.as_ref();
    let calling = calling.with_context(|| format!("the cloud {} offers no calls", ways.cloud.name))?;
    let tokens = TenantCredentials::new(&ways.cloud, &calling.graph_scope, app_id, proof, ways.login.clone());
    let client = graph::Client::new(ways.http.clone(), &calling.graph, Some(Arc::new(tokens)), name);
    client.with_context(|| format!("calls.graph: the bot {name} has no way to Graph"))
}

fn proof(name: &str, bot: &BotSection) -> anyhow::Result<Proof> {
    if let Some(secret) = &bot.client_secret {
        return Ok(Proof::ClientSecret(secret.clone()));
    }
    if let Some(file) = &bot.client_secret_file {
        let text = read(file, &format!("bots.{name}.client_secret_file"))?;
        let first_line = text.lines().next().unwrap_or_default().trim();
        anyhow::ensure!(
            !first_line.is_empty(),
            "bots.{name}.client_secret_file: {} is empty",
            file.display()
        );
        return Ok(Proof::ClientSecret(Secret::new(first_line)));
    }
    if let (Some(certificate), Some(key)) = (&bot.certificate_file, &bot.private_key_file) {
        let certificate = read(certificate, &format!("bots.{name}.certificate_file"))?;
        let key = read(key, &format!("bots.{name}.private_key_file"))?;
        let certificate = Certificate::from_pem(&certificate, &key)
            .with_context(|| format!("bots.{name}: certificate and private key cannot be used"))?;
        return Ok(Proof::Certificate(Box::new(certificate)));
    }
    anyhow::bail!("bots.{name} has no client secret and no certificate")
}

fn read(file: &Path, setting: &str) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("{setting}: {} cannot be read", file.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::cloud;
    use crate::configuration::{Configuration, Inputs, Purpose};

    /// The cloud of these settings.
    fn configured(settings: &[(&str, &str)]) -> trunkline_teams::cloud::Cloud {
        let flags = settings.iter().map(|(setting, value)| {
            let flag = format!("--set {setting}");
            ((*setting).to_owned(), (*value).to_owned(), flag)
        });
        let inputs = Inputs {
            flags: flags.collect(),
            ..Inputs::default()
        };
        let configuration = Configuration::load(&inputs, Purpose::Inspect).unwrap();
        cloud(&configuration.cloud, &configuration.calls)
    }

    #[test]
    fn what_is_written_of_calls_takes_the_place_of_the_clouds_constants() {
        let calling = configured(&[("calls.graph", "http://127.0.0.1:3979/v1.0"), ("calls.issuers", "a, b")]);
        let (calling, preset) = (calling.calling.unwrap(), configured(&[]).calling.unwrap());
        assert_eq!(calling.graph, "http://127.0.0.1:3979/v1.0");
        assert_eq!(calling.issuers, ["a", "b"]);
        assert_eq!(
            (calling.metadata, calling.graph_scope),
            (preset.metadata, preset.graph_scope)
        );
    }

    #[test]
    fn a_cloud_without_calls_has_them_when_all_is_written() {
        let mut settings = vec![
            ("cloud.preset", "china"),
            ("calls.graph", "https://graph.example/v1.0"),
            ("calls.graph_scope", "https://graph.example/.default"),
            ("calls.issuers", "https://issuer.example"),
            ("calls.metadata", "https://keys.example/metadata"),
        ];
        assert_eq!(
            configured(&settings).calling.unwrap().metadata,
            "https://keys.example/metadata"
        );
        settings.pop();
        assert_eq!(configured(&settings).calling, None);
    }
}
