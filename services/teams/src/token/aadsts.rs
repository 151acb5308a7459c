//! What the numbers of the token endpoint mean, for the ones that operators of bots meet.
//!
//! After "Microsoft Entra authentication and authorization error codes" (Microsoft Learn), in other words; 70021 and 700229
//! after the pages on workload identity federation; 7000229 and 70021x after public issue reports (unverified).
//! Decide by the OAuth error and the status, show the number, never read the text.

/// An AADSTS number in plain words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The number after `AADSTS`.
    pub code: u32,
    /// What it means.
    pub meaning: &'static str,
    /// What to do.
    pub remedy: &'static str,
    /// Whether the same request may succeed soon.
    pub is_transient: bool,
}

/// The explanation of a number.
pub fn explain(code: u32) -> Option<&'static Explanation> {
    KNOWN
        .binary_search_by_key(&code, |known| known.code)
        .ok()
        .map(|place| &KNOWN[place])
}

const fn fault(code: u32, meaning: &'static str, remedy: &'static str) -> Explanation {
    Explanation {
        code,
        meaning,
        remedy,
        is_transient: false,
    }
}

const fn passing(code: u32, meaning: &'static str, remedy: &'static str) -> Explanation {
    Explanation {
        code,
        meaning,
        remedy,
        is_transient: true,
    }
}

const TENANT_IN_ADDRESS: &str = "set the tenant to the id of the tenant that holds the app";
const OWN_CLOUD: &str = "set `cloud` to the national cloud of the tenant";
const COME_BACK: &str = "nothing to do, it is tried again";
const SIGN_IN_AGAIN: &str = "let the user sign in again";
const SECOND_FACTOR: &str = "let Teams ask the user (answer the invoke with 412 and pass the claims on)";
const FEDERATED_TRIPLE: &str =
    "compare issuer, subject and audience of the federated credential, which are compared with case";

/// Sorted by number.
static KNOWN: &[Explanation] = &[
    fault(
        28_002,
        "the scope cannot be given",
        "use one scope that ends in /.default",
    ),
    fault(
        50_001,
        "the resource is absent or disabled in the tenant",
        "check that scope and `cloud` belong together",
    ),
    fault(
        50_012,
        "the certificate did not authenticate the app",
        "check thumbprint and expiry of the certificate",
    ),
    fault(
        50_013,
        "the assertion is not valid",
        "hand on only tokens that Teams' single sign-on gave for this app",
    ),
    fault(
        50_020,
        "the account is foreign to the tenant",
        "invite the account as a guest or make the app multi-tenant",
    ),
    fault(
        50_027,
        "the assertion is malformed",
        "report this as a fault of Trunkline",
    ),
    passing(50_033, "a fault of the service", COME_BACK),
    fault(50_059, "the request names no tenant", TENANT_IN_ADDRESS),
    fault(50_076, "a second factor is needed", SECOND_FACTOR),
    fault(50_079, "the user must register a second factor", SECOND_FACTOR),
    fault(
        50_105,
        "the user is not assigned to the app",
        "assign the user, or do not require assignment",
    ),
    fault(50_128, "the tenant's domain name is unknown", TENANT_IN_ADDRESS),
    fault(50_158, "a further check of the user is needed", SECOND_FACTOR),
    fault(50_173, "the user's session was ended", SIGN_IN_AGAIN),
    fault(
        50_194,
        "the app belongs to one tenant and was asked at the common address",
        TENANT_IN_ADDRESS,
    ),
    fault(
        50_196,
        "the same request comes in a loop",
        "check that only one installation uses this app so eagerly",
    ),
    fault(
        53_003,
        "a Conditional Access policy blocks the app",
        "ask the tenant's administrator to exclude the workload",
    ),
    fault(
        65_001,
        "nobody has consented to this use of the app",
        "let the user or an administrator consent",
    ),
    fault(
        65_004,
        "the user declined to consent",
        "tell the user what the app cannot do without",
    ),
    fault(
        65_005,
        "the app asks for access that its registration does not list",
        "add the API permission and consent",
    ),
    fault(
        70_001,
        "the app is absent or disabled in the tenant",
        "check app id and tenant, enable the app",
    ),
    fault(70_011, "the scope is malformed", "use one scope that ends in /.default"),
    passing(
        70_021,
        "no federated credential fits, or a new one has not spread yet",
        FEDERATED_TRIPLE,
    ),
    fault(70_043, "the user's sign-in is too old", SIGN_IN_AGAIN),
    fault(
        90_002,
        "the tenant does not exist",
        "check the tenant id, and that it is in this cloud",
    ),
    passing(90_006, "a fault behind the service", COME_BACK),
    passing(90_012, "the service was too slow", COME_BACK),
    fault(
        90_014,
        "a field is missing in the request",
        "check that no proxy changes the form",
    ),
    passing(90_024, "the service is over its budget", COME_BACK),
    passing(90_033, "the service is briefly unavailable", COME_BACK),
    fault(90_038, "the tenant is in another national cloud", OWN_CLOUD),
    passing(90_055, "too many requests of this app or tenant", COME_BACK),
    fault(
        90_094,
        "an administrator must consent",
        "send the administrator the consent link",
    ),
    fault(
        90_124,
        "the resource cannot be asked for at the common address",
        TENANT_IN_ADDRESS,
    ),
    fault(
        500_011,
        "the resource is unknown in the tenant",
        "check that scope and `cloud` belong together",
    ),
    fault(
        500_014,
        "the resource is disabled in the tenant",
        "ask the tenant's administrator to enable it",
    ),
    fault(
        500_021,
        "the network allows other tenants only",
        "ask the company's network administrator",
    ),
    fault(
        500_133,
        "the assertion is outside its time",
        "check this host's clock (NTP)",
    ),
    fault(
        500_212,
        "the user's home tenant blocks this access",
        "ask the administrator of the home tenant",
    ),
    fault(
        500_213,
        "the resource's tenant blocks this access",
        "ask the administrator of the resource's tenant",
    ),
    fault(
        530_032,
        "a security policy blocks the app",
        "ask the tenant's administrator",
    ),
    fault(
        650_056,
        "a permission of the app is missing or not consented to",
        "add the API permission and consent",
    ),
    fault(
        650_057,
        "the app does not list the resource",
        "add the API permission and consent",
    ),
    fault(650_059, "the app is not multi-tenant", TENANT_IN_ADDRESS),
    fault(
        700_011,
        "the app is not in the tenant that was asked",
        "check app id, app type and tenant",
    ),
    fault(
        700_016,
        "the app is not in the tenant that was asked",
        "set app type and tenant: a single-tenant bot is asked in its own tenant, not in Bot Framework's",
    ),
    fault(
        700_022,
        "one request asks for several resources",
        "use one scope that ends in /.default",
    ),
    fault(
        700_023,
        "the scope names no resource",
        "use one scope that ends in /.default",
    ),
    fault(
        700_027,
        "the assertion's signature or certificate is not known",
        "upload this certificate to the app, check its expiry",
    ),
    fault(
        700_030,
        "the certificate's subject name is not allowed",
        "register the certificate by thumbprint, or its subject name",
    ),
    fault(700_082, "the user was away too long", SIGN_IN_AGAIN),
    fault(700_211, "no federated credential has this issuer", FEDERATED_TRIPLE),
    fault(700_212, "no federated credential has this audience", FEDERATED_TRIPLE),
    fault(700_213, "no federated credential has this subject", FEDERATED_TRIPLE),
    fault(
        700_229,
        "a federated assertion must be an app's own token",
        "use the managed identity's own token",
    ),
    fault(
        900_144,
        "a field is missing in the request",
        "check that no proxy changes the form",
    ),
    fault(900_382, "the app is in another national cloud", OWN_CLOUD),
    fault(900_432, "the app is in another national cloud", OWN_CLOUD),
    fault(
        900_561,
        "the request was no POST when it arrived",
        "check for a proxy that redirects",
    ),
    fault(
        7_000_112,
        "the app is disabled",
        "ask the tenant's administrator to enable it",
    ),
    fault(
        7_000_215,
        "the secret is wrong",
        "set the secret's value: its id, shown beside it in the portal, is something else",
    ),
    fault(
        7_000_218,
        "no secret or assertion arrived",
        "configure a secret or a certificate",
    ),
    fault(
        7_000_222,
        "the secret has expired",
        "create a new secret and configure it",
    ),
    fault(
        7_000_229,
        "the app has no service principal in the tenant",
        "run `az ad sp create --id` with the app id",
    ),
    fault(
        9_001_023,
        "this kind of request is not for the common address",
        TENANT_IN_ADDRESS,
    ),
    fault(
        9_002_313,
        "the request is malformed",
        "check that no proxy changes the form",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_sorted_so_that_they_can_be_found() {
        assert!(KNOWN.is_sorted_by(|one, next| one.code < next.code));
        for known in KNOWN {
            assert_eq!(explain(known.code), Some(known));
        }
        assert_eq!(explain(1), None);
    }

    #[test]
    fn every_explanation_says_what_to_do() {
        for Explanation {
            code, meaning, remedy, ..
        } in KNOWN
        {
            assert!(meaning.len() > 10 && remedy.len() > 10, "{code}");
        }
    }
}
