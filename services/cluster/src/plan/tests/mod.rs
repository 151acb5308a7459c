//! The plan, case by case. What holds for all clusters is in `properties`.
#![allow(clippy::unwrap_used, reason = "tests")]

mod formats;
mod properties;

use super::*;

const SHARDS: u32 = 4_096;

fn candidate(incarnation: u64) -> Candidate {
    Candidate {
        node: MapNode {
            incarnation: Incarnation(incarnation),
            name: format!("worker-{incarnation}"),
            address: format!("worker-{incarnation}:7400"),
            zone: String::new(),
            weight: 100,
            reads: 3,
        },
        standing: Standing::Serving,
    }
}

fn candidates(incarnations: impl IntoIterator<Item = u64>) -> Vec<Candidate> {
    incarnations.into_iter().map(candidate).collect()
}

fn standing(mut candidates: Vec<Candidate>, incarnation: u64, standing: Standing) -> Vec<Candidate> {
    let found = candidates
        .iter_mut()
        .find(|candidate| candidate.node.incarnation.0 == incarnation);
    found.unwrap().standing = standing;
    candidates
}

fn asks(shard: u32, to: u64) -> Requests {
    Requests {
        placements: vec![Placement {
            shard: ShardId(shard),
            to: Incarnation(to),
        }],
        ..Requests::default()
    }
}

/// One plan, and the map after it.
fn step(map: &ShardMap, candidates: &[Candidate], requests: &Requests) -> (ShardMap, Plan) {
    let plan = plan(map, candidates, requests, Limits::default());
    let next = plan.clone().publish(MapVersion(map.version().0 + 1));
    (next.unwrap_or_else(|| map.clone()), plan)
}

/// Plans until nothing changes, every move being over before the next plan. The moves and the last map.
fn settle(map: &ShardMap, candidates: &[Candidate]) -> (ShardMap, Vec<Move>) {
    let mut map = map.clone();
    let mut moves = Vec::new();
    for _ in 0..1_000 {
        let (next, plan) = step(&map, candidates, &Requests::default());
        if next == map {
            return (map, moves);
        }
        moves.extend(plan.moves);
        map = next;
    }
    panic!("the plan does not come to rest: {} moves", moves.len());
}

fn settled(candidates: &[Candidate]) -> ShardMap {
    settle(&ShardMap::empty(SHARDS), candidates).0
}

fn load(map: &ShardMap, incarnation: u64) -> usize {
    map.shards_of(Incarnation(incarnation)).count()
}

#[test]
fn a_new_cluster_gets_all_its_shards_in_one_plan() {
    let (map, plan) = step(&ShardMap::empty(SHARDS), &candidates(1..=3), &Requests::default());
    assert_eq!(map.unowned().count(), 0);
    assert_eq!(plan.moves.len(), SHARDS as usize);
    assert!(
        plan.moves
            .iter()
            .all(|step| step.cause == Cause::Orphaned && step.from.is_none())
    );
}

#[test]
fn the_shards_of_a_dead_node_move_at_once_and_nothing_else_moves() {
    let before = settled(&candidates(1..=10));
    let (after, plan) = step(&before, &candidates(2..=10), &Requests::default());
    assert_eq!(plan.moves.len(), load(&before, 1));
    assert!(plan.moves.iter().all(|step| step.cause == Cause::Orphaned));
    assert_eq!(after.unowned().count(), 0);
    assert_eq!(settle(&after, &candidates(2..=10)).1, [], "nothing is left to even out");
}

#[test]
fn a_node_that_joins_is_filled_in_steps_of_the_limit() {
    let before = settled(&candidates(1..=10));
    let (after, plan) = step(&before, &candidates(1..=11), &Requests::default());
    assert_eq!(plan.moves.len(), 64);
    assert!(
        plan.moves
            .iter()
            .all(|step| step.cause == Cause::Drawn && step.to.0 == 11)
    );
    let in_motion = Requests {
        in_motion: after.shards_of(Incarnation(11)).take(60).collect(),
        ..Requests::default()
    };
    let (_, next) = step(&after, &candidates(1..=11), &in_motion);
    assert_eq!(next.moves.len(), 4, "60 are still on their way");
}

#[test]
fn a_shard_in_motion_is_left_alone_unless_its_new_owner_dies() {
    let before = settled(&candidates(1..=2));
    let moving: BTreeSet<_> = before.shards_of(Incarnation(1)).collect();
    let in_motion = Requests {
        in_motion: moving.clone(),
        ..Requests::default()
    };
    let limits = Limits { voluntary: usize::MAX };
    let joined = plan(&before, &candidates(1..=3), &in_motion, limits);
    assert!(joined.moves.iter().all(|step| !moving.contains(&step.shard)));
    let died = plan(&before, &candidates(2..=2), &in_motion, limits);
    assert_eq!(died.moves.len(), moving.len());
}

#[test]
fn nothing_moves_at_will_while_a_node_is_suspect() {
    let before = settled(&candidates(1..=4));
    let now = standing(candidates(1..=5), 2, Standing::Suspect);
    let (after, plan) = step(&before, &now, &asks(0, 5));
    assert_eq!(plan.moves, []);
    assert_eq!(plan.answers[0].1, Answer::Waits);
    assert_eq!(after.nodes().len(), 5, "the newcomer stands in the map all the same");

    let now = standing(candidates(2..=5), 2, Standing::Suspect);
    let (after, plan) = step(&before, &now, &Requests::default());
    assert_eq!(plan.moves.len(), load(&before, 1), "the dead node's shards do move");
    assert_eq!(load(&after, 2), load(&before, 2), "none of them to the suspect");
}

#[test]
fn a_draining_node_gives_all_away_in_steps_and_then_the_others_are_even() {
    let before = settled(&candidates(1..=5));
    let now = standing(candidates(1..=5), 3, Standing::Draining);
    let (_, first) = step(&before, &now, &Requests::default());
    assert_eq!(first.moves.len(), 64);
    let (after, moves) = settle(&before, &now);
    assert_eq!(load(&after, 3), 0);
    assert_eq!(moves.len(), load(&before, 3), "nothing moves twice");
    assert!(after.node(Incarnation(3)).is_some(), "it lives until it ends");
}

#[test]
fn a_node_that_returned_gets_shards_only_when_there_is_nobody_else() {
    let before = settled(&candidates(1..=3));
    let now = standing(candidates(2..=4), 4, Standing::Returning);
    assert_eq!(load(&settle(&before, &now).0, 4), 0);
    let alone = standing(candidates(4..=4), 4, Standing::Returning);
    let (after, _) = settle(&before, &alone);
    assert_eq!(
        load(&after, 4),
        SHARDS as usize,
        "a cluster of one that restarts serves at once"
    );
    let (after, moves) = settle(&after, &standing(candidates(4..=5), 4, Standing::Returning));
    assert_eq!(load(&after, 4), load(&after, 5), "it counts with what it has");
    assert_eq!(moves.len(), SHARDS as usize / 2);
}

#[test]
fn shards_stay_unowned_when_nobody_may_have_them() {
    let drains = standing(candidates(1..=1), 1, Standing::Draining);
    assert_eq!(settled(&drains).unowned().count(), SHARDS as usize);
    assert_eq!(settled(&[]).unowned().count(), SHARDS as usize);
    let mut weightless = candidates(1..=2);
    weightless[0].node.weight = 0;
    assert_eq!(load(&settled(&weightless), 1), 0);
    assert_eq!(load(&settled(&weightless), 2), SHARDS as usize);
}

#[test]
fn a_shard_placed_by_hand_stays_there() {
    let before = settled(&candidates(1..=4));
    let shard = before.shards_of(Incarnation(1)).next().unwrap();
    let (after, plan) = step(&before, &candidates(1..=4), &asks(shard.0, 2));
    assert_eq!(plan.answers[0].1, Answer::Placed);
    assert_eq!(after.owner(shard).unwrap().incarnation, Incarnation(2));
    let (after, _) = settle(&after, &candidates(1..=4));
    assert_eq!(after.owner(shard).unwrap().incarnation, Incarnation(2));
    assert_eq!(load(&after, 1), 1_024, "it got another one for it");
    let (after, _) = settle(&after, &candidates(1..=9));
    assert_eq!(
        after.owner(shard).unwrap().incarnation,
        Incarnation(2),
        "balance leaves it alone"
    );
    assert!(after.is_pinned(shard));

    let (after, _) = settle(&after, &standing(candidates(1..=9), 2, Standing::Draining));
    assert_ne!(
        after.owner(shard).unwrap().incarnation,
        Incarnation(2),
        "a drain does not"
    );
    assert!(!after.is_pinned(shard));
}

#[test]
fn a_placement_that_cannot_be_is_refused() {
    let before = settled(&candidates(1..=2));
    let answer = |now: &[Candidate], requests: &Requests| step(&before, now, requests).1.answers[0].1;
    let both = candidates(1..=2);
    assert_eq!(answer(&both, &asks(SHARDS, 1)), Answer::NoSuchShard);
    assert_eq!(answer(&both, &asks(0, 9)), Answer::CannotTake);
    assert_eq!(
        answer(&standing(both, 1, Standing::Draining), &asks(0, 1)),
        Answer::CannotTake
    );
}

#[test]
fn a_placement_of_an_orphan_is_done_at_once() {
    let before = settled(&candidates(1..=3));
    let shard = before.shards_of(Incarnation(1)).next().unwrap();
    let now = standing(candidates(2..=3), 2, Standing::Suspect);
    let (after, plan) = step(&before, &now, &asks(shard.0, 2));
    assert_eq!(plan.answers[0].1, Answer::Placed);
    assert_eq!(after.owner(shard).unwrap().incarnation, Incarnation(2));
}

#[test]
fn a_restarted_node_gets_most_of_its_shards_again() {
    let before = settled(&candidates(1..=10));
    let (without, _) = settle(&before, &candidates(2..=10));
    let mut again = candidates(2..=11);
    again[9].node.name = "worker-1".to_owned();
    let (after, _) = settle(&without, &again);
    let old: BTreeSet<_> = before.shards_of(Incarnation(1)).collect();
    let back = after
        .shards_of(Incarnation(11))
        .filter(|shard| old.contains(shard))
        .count();
    assert!(back * 2 > old.len(), "{back} of {}", old.len());
}

#[test]
fn what_rounding_leaves_over_is_divided_evenly_over_zones() {
    let mut nodes = candidates(1..=1_000);
    for (place, candidate) in nodes.iter_mut().enumerate() {
        candidate.node.zone = ["a", "b", "b", "c"][place % 4].to_owned();
    }
    let map = settled(&nodes);
    for (zone, expected) in [("a", 1_024), ("b", 2_048), ("c", 1_024)] {
        let owned = (0..SHARDS).filter(|&shard| map.owner(ShardId(shard)).unwrap().zone == zone);
        assert_eq!(owned.count(), expected, "zone {zone}");
    }
}

#[test]
fn a_changed_address_is_a_new_map_without_a_move() {
    let before = settled(&candidates(1..=3));
    let mut now = candidates(1..=3);
    now[0].node.address = "elsewhere:7400".to_owned();
    let (after, plan) = step(&before, &now, &Requests::default());
    assert_eq!(plan.moves, []);
    assert_eq!(after.version(), MapVersion(before.version().0 + 1));
}
