//! Shards that only some nodes can read.

use super::*;

/// Of these nodes, the last `next` read format 4, the others 3.
fn mixed(this: u64, next: u64) -> Vec<Candidate> {
    let mut mixed = candidates(1..=this + next);
    for candidate in mixed.iter_mut().skip(usize::try_from(this).unwrap()) {
        candidate.node.reads = 4;
    }
    mixed
}

fn met(shards: impl IntoIterator<Item = ShardId>) -> Requests {
    Requests {
        needs: shards.into_iter().map(|shard| (shard, 4)).collect(),
        ..Requests::default()
    }
}

fn shards_of(map: &ShardMap, incarnation: u64) -> Vec<ShardId> {
    map.shards_of(Incarnation(incarnation)).collect()
}

#[test]
fn a_shard_that_its_owner_cannot_read_goes_at_once_to_one_that_can() {
    let nodes = mixed(2, 2);
    let before = settled(&nodes);
    let unread = shards_of(&before, 1);
    let now = standing(nodes, 2, Standing::Suspect);
    let (after, plan) = step(&before, &now, &met(unread.clone()));
    assert_eq!(
        plan.moves.len(),
        unread.len(),
        "more than the limit, and though a node is late"
    );
    assert!(
        plan.moves
            .iter()
            .all(|step| step.cause == Cause::Unread && step.to.0 >= 3)
    );
    assert_eq!(after.unread().count(), 0);
}

#[test]
fn neither_balance_nor_death_nor_drain_gives_it_back_as_long_as_one_lives_that_can() {
    let nodes = mixed(2, 2);
    let before = settled(&nodes);
    let unread = shards_of(&before, 1);
    let (map, _) = step(&before, &nodes, &met(unread.clone()));
    let (map, moves) = settle(&map, &nodes);
    assert!(
        moves.iter().all(|step| map.need(step.shard) == 0),
        "others fill the room"
    );
    assert!((1..=4).all(|node| load(&map, node) == 1_024), "all have their share");
    let without = nodes
        .iter()
        .filter(|node| node.node.incarnation.0 != 3)
        .cloned()
        .collect::<Vec<_>>();
    let (alone, _) = settle(&map, &without);
    assert!(
        unread
            .iter()
            .all(|&shard| alone.owner(shard).unwrap().incarnation.0 == 4)
    );
    let (drained, _) = settle(&map, &standing(nodes, 4, Standing::Draining));
    assert!(
        unread
            .iter()
            .all(|&shard| drained.owner(shard).unwrap().incarnation.0 == 3)
    );
}

#[test]
fn one_that_came_back_has_it_before_one_that_cannot_read_it() {
    let nodes = mixed(2, 1);
    let before = settled(&nodes);
    let unread = shards_of(&before, 3);
    let (map, _) = step(&before, &nodes[..2], &met(unread.clone()));
    assert_eq!(map.unread().count(), unread.len(), "somebody has what nobody reads");
    let mut again = standing(mixed(2, 1), 3, Standing::Returning);
    again[2].node.incarnation.0 = 4;
    let (map, moves) = settle(&map, &again);
    assert_eq!(shards_of(&map, 4), unread);
    assert_eq!(moves.len(), unread.len(), "and nothing else");
}

#[test]
fn the_last_that_reads_it_can_be_drained_all_the_same() {
    let nodes = mixed(2, 1);
    let before = settled(&nodes);
    let unread = shards_of(&before, 3);
    let (map, _) = settle(&before, &standing(nodes, 3, Standing::Draining));
    let (map, plan) = step(&map, &standing(mixed(2, 1), 3, Standing::Draining), &met(unread));
    assert_eq!(plan.moves, [], "it does not go back to whoever drains");
    assert_eq!(load(&map, 3), 0);
}

#[test]
fn an_operator_cannot_place_it_where_it_is_not_read() {
    let nodes = mixed(1, 1);
    let before = settled(&nodes);
    let shard = shards_of(&before, 2)[0];
    let requests = Requests {
        placements: asks(shard.0, 1).placements,
        ..met([shard])
    };
    assert_eq!(step(&before, &nodes, &requests).1.answers[0].1, Answer::CannotTake);
}

#[test]
fn what_was_met_once_is_remembered_and_a_shard_that_does_not_exist_is_not() {
    let nodes = mixed(1, 1);
    let (map, _) = step(&settled(&nodes), &nodes, &met([ShardId(7), ShardId(SHARDS)]));
    let (map, _) = settle(&map, &mixed(3, 2));
    assert_eq!(map.need(ShardId(7)), 4);
    assert_eq!(ShardMap::decode(&map.encode()), Ok(map));
}
