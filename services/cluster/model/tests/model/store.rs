//! Who may write.

use trunkline_cluster_model::store::{Bounds, Maps, StoreModel, Variant};

use crate::{is_large, must_break, must_hold};

/// What both kinds of replicas are searched with. The last ones only with `TRUNKLINE_MODEL=large`.
const RUNS: [(&str, Bounds); 6] = [
    ("claims delivered twice", SMALL),
    (
        "a release",
        Bounds {
            releases: 1,
            ..ONE_ARRIVAL
        },
    ),
    (
        "two failovers",
        Bounds {
            failovers: 2,
            ..ONE_ARRIVAL
        },
    ),
    (
        "maps of the store, one of them lost",
        Bounds {
            maps: Maps::Stored {
                versions: 2,
                failovers: 1,
            },
            ..ONE_ARRIVAL
        },
    ),
    (
        "three turns of three activities",
        Bounds {
            activities: 3,
            commits: 3,
            ..ONE_ARRIVAL
        },
    ),
    (
        "three claims",
        Bounds {
            claims: 3,
            maps: Maps::Any(1),
            ..ONE_ARRIVAL
        },
    ),
];

const LARGE_RUNS: [(&str, Bounds); 1] = [(
    "two maps, claims delivered twice",
    Bounds {
        maps: Maps::Any(2),
        ..SMALL
    },
)];

const SMALL: Bounds = Bounds {
    activities: 2,
    claims: 2,
    claim_arrivals: 2,
    commits: 2,
    releases: 0,
    failovers: 1,
    maps: Maps::Any(1),
};

const ONE_ARRIVAL: Bounds = Bounds {
    claim_arrivals: 1,
    maps: Maps::Any(2),
    ..SMALL
};

fn model(variant: Variant, confirmed: bool) -> StoreModel {
    StoreModel {
        variant,
        confirmed,
        bounds: SMALL,
    }
}

fn rules_hold(replica: &str, confirmed: bool) {
    let large = if is_large() { &LARGE_RUNS[..] } else { &[] };
    for &(name, bounds) in RUNS.iter().chain(large) {
        let model = StoreModel {
            variant: Variant::Right,
            confirmed,
            bounds,
        };
        must_hold(&format!("{replica}, {name}"), &model);
    }
}

#[test]
fn the_rules_hold_with_asynchronous_replicas() {
    rules_hold("asynchronous", false);
}

#[test]
fn the_rules_hold_with_confirmed_writes() {
    rules_hold("confirmed", true);
}

#[test]
fn a_fence_of_map_versions_has_two_owners() {
    let stored = Maps::Stored {
        versions: 2,
        failovers: 1,
    };
    let model = StoreModel {
        bounds: Bounds { maps: stored, ..SMALL },
        ..model(Variant::FenceByMapVersion, false)
    };
    must_break("fence by map version", &model, "I1");
}

#[test]
fn without_the_header_a_late_commit_removes_a_turn() {
    must_break("no header", &model(Variant::NoHeader, false), "I2");
}

#[test]
fn a_version_number_alone_is_mistaken_for_another_turns() {
    must_break("number only", &model(Variant::NumberOnly, false), "I");
}

#[test]
fn an_answer_from_an_unconfirmed_record_is_lost_in_a_failover() {
    must_break("unconfirmed answers", &model(Variant::UnconfirmedAnswers, true), "I4");
}
