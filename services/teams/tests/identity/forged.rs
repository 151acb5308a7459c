//! What strangers try. Pure: keys and clock are put in.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::json;
use trunkline_teams::identity::{KeySet, Rules, logged_claims, verify};

use crate::signer::{APP_ID, ISSUER, NOW, TEAMS, at, claims};

static KEYS: LazyLock<KeySet> =
    LazyLock::new(|| KeySet::parse(json!({ "keys": [TEAMS.jwk] }).to_string().as_bytes()).unwrap());
static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::new(ISSUER, [APP_ID]));
static GENUINE: LazyLock<String> = LazyLock::new(|| TEAMS.sign(&claims()));

fn is_accepted(token: &str) -> bool {
    verify(token, &KEYS, &RULES, at(NOW)).is_ok()
}

#[test]
fn the_genuine_token_of_these_tests_is_accepted() {
    assert!(is_accepted(&GENUINE));
}

#[test]
fn a_token_with_a_part_of_another_is_refused() {
    let mut other = claims();
    other["serviceurl"] = json!("https://evil.example/");
    let other = TEAMS.sign(&other);
    let (genuine, other): (Vec<&str>, Vec<&str>) = (GENUINE.split('.').collect(), other.split('.').collect());
    assert!(!is_accepted(&[genuine[0], other[1], genuine[2]].join(".")));
    assert!(!is_accepted(&[genuine[0], genuine[1], other[2]].join(".")));
    assert!(!is_accepted(&[genuine[0], genuine[1], ""].join(".")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_token_with_any_byte_changed_is_never_accepted(place: prop::sample::Index, byte in 0x20_u8..0x7f) {
        let mut forged = GENUINE.clone().into_bytes();
        let place = place.index(forged.len());
        prop_assume!(forged[place] != byte);
        forged[place] = byte;
        prop_assert!(!is_accepted(&String::from_utf8(forged).unwrap()));
    }

    #[test]
    fn a_token_that_lost_or_gained_bytes_is_never_accepted(place: prop::sample::Index, more in "[A-Za-z0-9._=-]{1,8}") {
        let place = place.index(GENUINE.len());
        let (head, tail) = GENUINE.split_at(place);
        let gained = format!("{head}{more}{tail}");
        let gained_at_the_end = format!("{}{more}", *GENUINE);
        let (lost, cut) = (format!("{head}{}", &tail[1..]), head);
        for forged in [&gained, &gained_at_the_end, &lost, cut] {
            prop_assert!(!is_accepted(forged), "{forged}");
        }
    }

    #[test]
    fn no_text_makes_the_verifier_panic(token in ".{0,200}", header in any::<Vec<u8>>()) {
        prop_assert!(!is_accepted(&token));
        logged_claims([header.as_slice()]);
        logged_claims([format!("Bearer {token}").as_bytes()]);
    }

    #[test]
    fn no_json_in_a_token_makes_the_verifier_panic(
        alg in "(RS256|none|.{0,9})", kid in "(teams-key|.{0,9})", name in "(exp|nbf|iss|aud|.{0,9})", number: i64,
    ) {
        let mut claims = claims();
        claims[name] = json!(number);
        let token = TEAMS.sign_under(&json!({"alg": alg, "kid": kid}), &claims);
        is_accepted(&token);
        logged_claims([format!("Bearer {token}").as_bytes()]);
    }
}
