//! The comparison of a verified token with the activity that came with it. Never remembered: another activity may come
//! with the same token.

use super::Refusal;
use super::claims::for_log;
use super::verify::TokenFacts;

/// What an activity says of itself, as far as the token must agree.
#[derive(Clone, Copy, Debug, Default)]
pub struct Body<'a> {
    /// `serviceUrl`
    pub service_url: Option<&'a str>,
    /// `channelId`
    pub channel_id: Option<&'a str>,
    /// Tenant: `conversation.tenantId` or `channelData.tenant.id`. No token of the Connector holds it.
    pub tenant: Option<&'a str>,
}

/// The service URL equals the token's, and the signing key vouches for the channel and for all that is demanded.
pub(super) fn check_token(facts: &TokenFacts, body: &Body<'_>, demanded: &[String]) -> Result<(), Refusal> {
    let service_url = body.service_url.unwrap_or_default();
    if !is_same_service_url(&facts.service_url, service_url) {
        let (activity, token) = (for_log(service_url), facts.service_url.to_string());
        return Err(Refusal::ServiceUrlMismatch { activity, token });
    }
    let channel = body.channel_id.unwrap_or_default();
    let mut endorsements = std::iter::once(channel).chain(demanded.iter().map(String::as_str));
    match endorsements.find(|endorsement| !facts.key.is_endorsed_for(endorsement)) {
        None => Ok(()),
        Some(missing) => Err(Refusal::EndorsementMissing {
            kid: facts.key.kid().to_owned(),
            missing: for_log(missing),
        }),
    }
}

/// The tenant is on the list; an empty list allows every tenant.
pub(super) fn check_tenant(bot: &str, allowed: &[String], tenant: Option<&str>) -> Result<(), Refusal> {
    let is_allowed = |seen: &str| allowed.iter().any(|tenant| tenant.eq_ignore_ascii_case(seen));
    if allowed.is_empty() || tenant.is_some_and(is_allowed) {
        return Ok(());
    }
    Err(Refusal::TenantNotAllowed {
        seen: for_log(tenant.unwrap_or_default()),
        bot: bot.to_owned(),
    })
}

/// Equal without case and without one slash at the end. An empty one equals nothing.
fn is_same_service_url(token: &str, activity: &str) -> bool {
    let bare = |url: &str| url.strip_suffix('/').unwrap_or(url).len();
    let (token, activity) = (&token[..bare(token)], &activity[..bare(activity)]);
    !token.is_empty() && token.eq_ignore_ascii_case(activity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_urls_are_equal_without_case_and_one_slash() {
        for (token, activity, is_same) in [
            ("https://a.example/emea/", "https://a.example/emea/", true),
            ("https://a.example/emea/", "https://a.example/emea", true),
            ("https://a.example/emea", "HTTPS://A.EXAMPLE/EMEA/", true),
            ("https://a.example/emea/", "https://a.example/emea//", false),
            ("https://a.example/emea/", "https://a.example/amer/", false),
            ("https://a.example/emea/", "https://a.example/", false),
            ("https://a.example/", "", false),
            ("", "", false),
            ("/", "/", false),
        ] {
            assert_eq!(is_same_service_url(token, activity), is_same, "{token} {activity}");
        }
    }

    #[test]
    fn tenants_are_compared_without_case_and_a_missing_one_is_not_allowed() {
        let allowed = ["AAAA0000-1111-2222-3333-444455556666".to_owned()];
        assert!(check_tenant("echo", &allowed, Some("aaaa0000-1111-2222-3333-444455556666")).is_ok());
        let refusal = check_tenant("echo", &allowed, None);
        assert_eq!(
            refusal,
            Err(Refusal::TenantNotAllowed {
                seen: String::new(),
                bot: "echo".into()
            })
        );
        assert!(check_tenant("echo", &allowed, Some("another")).is_err());
        assert!(check_tenant("echo", &[], None).is_ok());
    }
}
