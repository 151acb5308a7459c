//! Acceptance of slow turns.

use trunkline_cluster_model::inbox::{InboxModel, Variant};

use crate::{is_large, must_break, must_hold};

fn model(variant: Variant) -> InboxModel {
    InboxModel {
        variant,
        activities: 2,
        claims: 2,
        acceptances: 2,
        commits: 2,
    }
}

#[test]
fn what_is_accepted_is_applied_once() {
    must_hold("inbox", &model(Variant::Right));
    if is_large() {
        let large = InboxModel {
            acceptances: 3,
            ..model(Variant::Right)
        };
        must_hold("inbox, three acceptances", &large);
    }
}

#[test]
fn a_late_acceptance_that_compares_no_header_brings_a_turn_back() {
    must_break(
        "acceptance without header",
        &model(Variant::AcceptanceWithoutHeader),
        "I3",
    );
}

#[test]
fn an_inbox_that_does_not_look_into_the_ring_runs_a_turn_twice() {
    must_break("inbox without ring", &model(Variant::InboxWithoutRing), "I3");
}
