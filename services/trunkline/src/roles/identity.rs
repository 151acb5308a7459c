//! Who the bots are: the cloud they live in, whom they listen to, and their own credentials.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use trunkline_teams::cloud::Cloud;
use trunkline_teams::identity::{BotIdentity, Verifier, VerifierConfig};
use trunkline_teams::token::{Certificate, ClientCredentials, ClientCredentialsConfig, Proof, Secret, TokenProvider};

use crate::configuration::Configuration;
use crate::configuration::schema::{AppType, BotSection, CloudPreset, CloudSection, IngressSection};

/// Allows every tenant in `bots.NAME.tenants`.
const ALL_TENANTS: &str = "*";

/// The cloud: its preset, and what replaces parts of it.
pub(super) fn cloud(section: &CloudSection) -> Cloud {
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
    cloud
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
