//! What holds for every cluster: an unchanged one keeps its map, nobody has too much, and no shard moves in vain.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;

/// Clusters of up to 40 nodes of unequal weights in up to three zones; every incarnation and name once.
fn clusters() -> impl Strategy<Value = Vec<Candidate>> {
    vec((1_u32..=8, 0_u8..3, standings(), 3_u32..=5), 1..40).prop_map(|nodes| {
        (1..)
            .zip(nodes)
            .map(|(incarnation, (weight, zone, standing, reads))| {
                let mut made = candidate(incarnation);
                made.node.weight = weight;
                made.node.zone = format!("zone-{zone}");
                made.standing = standing;
                made.node.reads = reads;
                made
            })
            .collect()
    })
}

fn standings() -> impl Strategy<Value = Standing> {
    prop_oneof![
        8 => Just(Standing::Serving),
        1 => Just(Standing::Suspect),
        1 => Just(Standing::Returning),
        1 => Just(Standing::Draining),
    ]
}

/// A cluster of which some nodes die and others join.
fn changes() -> impl Strategy<Value = (Vec<Candidate>, Vec<Candidate>)> {
    (clusters(), clusters(), vec(any::<bool>(), 40)).prop_map(|(before, mut joining, stays)| {
        for candidate in &mut joining {
            candidate.node.incarnation.0 += 1_000;
            candidate.node.name.push_str("-new");
        }
        let kept = before
            .iter()
            .zip(stays)
            .filter(|(_, stays)| *stays)
            .map(|(kept, _)| kept.clone());
        let after = kept.chain(joining).collect();
        (before, after)
    })
}

/// Formats of some shards that some node could not read.
fn needs() -> impl Strategy<Value = BTreeMap<ShardId, u32>> {
    btree_map((0_u32..600).prop_map(ShardId), 4_u32..=6, 0..200)
}

/// A map of `shards` shards on which these nodes rest, with the needs of those shards that it has.
fn at_rest(map: &ShardMap, candidates: &[Candidate], needs: &BTreeMap<ShardId, u32>) -> ShardMap {
    let requests = Requests {
        needs: needs.clone(),
        ..Requests::default()
    };
    settle(&step(map, candidates, &requests).0, candidates).0
}

fn all_serving(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    for candidate in &mut candidates {
        candidate.standing = Standing::Serving;
    }
    candidates
}

proptest! {
    #[test]
    fn an_unchanged_membership_gives_an_unchanged_map(
        (before, after) in changes(),
        shards in 1_u32..600,
        needs in needs(),
        seed in any::<u64>(),
    ) {
        let map = at_rest(&ShardMap::empty(shards), &before, &needs);
        let (map, _) = settle(&map, &after);
        let mut shuffled = after;
        shuffled.sort_by_key(|candidate| candidate.node.incarnation.0.wrapping_mul(seed | 1));
        let again = plan(&map, &shuffled, &Requests::default(), Limits::default());
        prop_assert_eq!(&again.moves, &[]);
        prop_assert!(again.publish(MapVersion(9)).is_none());
    }

    #[test]
    fn every_shard_is_served_when_somebody_can(candidates in clusters(), shards in 1_u32..600) {
        let (map, _) = settle(&ShardMap::empty(shards), &candidates);
        let somebody = candidates.iter().any(|candidate| candidate.standing != Standing::Draining);
        prop_assert_eq!(map.unowned().count(), if somebody { 0 } else { shards as usize });
    }

    #[test]
    fn once_at_rest_every_node_has_its_share_and_none_more_than_the_bound(
        (before, after) in changes(),
        shards in 1_u32..600,
    ) {
        let after = all_serving(after);
        let (map, _) = settle(&ShardMap::empty(shards), &before);
        let (map, _) = settle(&map, &after);
        for Candidate { node, .. } in &after {
            let load = map.shards_of(node.incarnation).count();
            let share = map.share(node.incarnation);
            // A margin for the rounding of the test's own arithmetic.
            let (low, bound) = ((share - 1e-6).floor(), (share * 1.1 - 1e-6).ceil());
            let load = f64::from(u32::try_from(load).unwrap());
            prop_assert!(low <= load && load <= bound, "{} has {load}, its share is {share}", node.name);
        }
    }

    #[test]
    fn once_at_rest_whoever_can_read_a_shard_has_it(
        (before, after) in changes(),
        shards in 1_u32..600,
        needs in needs(),
    ) {
        let map = at_rest(&ShardMap::empty(shards), &before, &needs);
        let (map, _) = settle(&map, &after);
        for (owner, shard, need) in map.unread() {
            let reader = after.iter().find(|candidate| {
                candidate.node.reads >= need && candidate.standing != Standing::Draining && candidate.node.weight > 0
            });
            prop_assert!(reader.is_none(), "shard {shard} needs {need}: {owner:?} has it, {reader:?} could");
        }
    }

    #[test]
    fn at_most_the_limit_moves_at_will(
        (before, after) in changes(),
        limit in 0_usize..100,
        in_motion in vec(0_u32..600, 0..100),
        needs in needs(),
    ) {
        let (map, _) = settle(&ShardMap::empty(600), &before);
        let in_motion: BTreeSet<_> = in_motion.into_iter().map(ShardId).collect();
        let requests = Requests { in_motion: in_motion.clone(), placements: asks(5, 1_001).placements, needs };
        let plan = plan(&map, &after, &requests, Limits { voluntary: limit });
        let at_will: Vec<_> = plan.moves.iter().filter(|step| step.from.is_some() && step.cause != Cause::Unread).collect();
        prop_assert!(at_will.len() <= limit.saturating_sub(in_motion.len()));
        prop_assert!(at_will.iter().all(|step| !in_motion.contains(&step.shard)));
        let suspect = after.iter().any(|candidate| candidate.standing == Standing::Suspect);
        prop_assert!(!suspect || at_will.is_empty());
        let owns = |step: &Move| plan.map.owner(step.shard).map(|node| node.incarnation) == Some(step.to);
        prop_assert!(plan.moves.iter().all(owns), "each shard moves once, and the map says so");
    }
}

/// With equal weights, at every size: one that comes takes its share, one that goes leaves its share, within 5 % or, where
/// a share is less than 20 shards, to the shard.
#[test]
fn one_node_that_comes_or_goes_moves_its_share_and_no_more() {
    for nodes in [1, 2, 3, 7, 10, 33, 64, 100, 256, 500, 1_000] {
        let one_more = candidates(1..=nodes + 1);
        let before = settled(&one_more[1..]);
        let ideal = f64::from(SHARDS) / f64::from(u32::try_from(nodes + 1).unwrap());
        let (full, came) = settle(&before, &one_more);
        let (_, went) = settle(&full, &one_more[1..]);
        for (what, moves) in [("comes", came.len()), ("goes", went.len())] {
            let moved = f64::from(u32::try_from(moves).unwrap());
            assert!(
                (moved - ideal).abs() < f64::max(ideal * 0.05, 1.0),
                "one {what}, {nodes} others: {moves} moves, ideal {ideal:.1}"
            );
        }
    }
}

/// Many changes one after another do not wear the balance away.
#[test]
fn after_many_changes_the_map_is_as_even_as_a_new_one() {
    let mut map = settled(&candidates(1..=20));
    for round in 0..60 {
        // Rounds differ in how many live: 15 to 25.
        let living = candidates(round + 1..=round + 15 + (round * 7) % 11);
        let moved;
        (map, moved) = settle(&map, &living);
        let share = f64::from(SHARDS) / f64::from(u32::try_from(living.len()).unwrap());
        for Candidate { node, .. } in &living {
            let load = f64::from(u32::try_from(map.shards_of(node.incarnation).count()).unwrap());
            assert!(
                share.floor() <= load && load <= share * 1.1,
                "round {round}: {} has {load} of {share} after {} moves",
                node.name,
                moved.len()
            );
        }
    }
}
