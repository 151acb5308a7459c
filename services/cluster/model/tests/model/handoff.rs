//! A shard that moves under load.

use trunkline_cluster_model::handoff::{HandoffModel, Variant};

use crate::{is_large, must_break, must_hold};

fn model(variant: Variant, faults: bool) -> HandoffModel {
    HandoffModel {
        variant,
        requests: if is_large() { 6 } else { 4 },
        faults,
    }
}

#[test]
fn a_shard_moves_without_a_request_lost_doubled_or_overtaken() {
    must_hold("hand-off", &model(Variant::Right, false));
    must_hold("hand-off with faults", &model(Variant::Right, true));
}

#[test]
fn an_ingress_that_does_not_wait_has_requests_at_two_workers() {
    must_break("sends at once", &model(Variant::SendsAtOnce, false), "I8");
}

#[test]
fn a_worker_that_drops_during_the_hand_off_leaves_a_request_unanswered() {
    must_break(
        "drops during hand-off",
        &model(Variant::DropsDuringHandoff, false),
        "end",
    );
}

#[test]
fn a_worker_behind_the_map_that_refuses_turns_the_order_round() {
    must_break(
        "refuses when behind",
        &model(Variant::RefusesWhenBehind, false),
        "order",
    );
}
