//! The table of shards, order by order.

use trunkline_store::contract::{Epoch, Incarnation, MapVersion, Token};
use trunkline_store::key::ShardId;

use super::{Admission, HELD, RUMOUR_MS, ShardTable, Standing, Unheld};

const SHARD: ShardId = ShardId(7);
const MAP: MapVersion = MapVersion(3);
const NONE: [u64; 0] = [];

fn token(epoch: u64) -> Token {
    Token {
        epoch: Epoch(epoch),
        holder: Incarnation(1),
        map: MAP,
    }
}

/// A table that knows map 3.
fn table() -> ShardTable<u64> {
    let mut table = ShardTable::default();
    assert!(table.learn(MAP).is_empty());
    table
}

fn arrives(table: &mut ShardTable<u64>, what: u64, now: u64) -> Admission<u64> {
    table.admit(SHARD, MAP, what, 100, 5_000, now)
}

#[test]
fn what_comes_for_a_shard_of_another_is_sent_back() {
    assert_eq!(arrives(&mut table(), 1, 0), Admission::Moved(1));
}

#[test]
fn what_comes_for_an_expected_shard_waits_and_is_served_in_order() {
    let mut table = table();
    table.expect(SHARD);
    for what in 1..=3 {
        assert_eq!(arrives(&mut table, what, 0), Admission::Held);
    }
    assert_eq!(table.serve(SHARD, token(1)), [1, 2, 3]);
    assert_eq!(arrives(&mut table, 4, 0), Admission::Serve(4, token(1)));
}

#[test]
fn a_shard_that_leaves_takes_nothing_more_and_hands_back_what_waited() {
    let mut table = table();
    table.expect(SHARD);
    arrives(&mut table, 1, 0);
    assert_eq!(table.quiesce(SHARD), [1], "given away while it was expected");
    assert_eq!(table.standing(SHARD), Standing::NotOurs);
    table.serve(SHARD, token(1));
    assert_eq!(table.quiesce(SHARD), NONE);
    assert_eq!(table.standing(SHARD), Standing::Quiescing);
    assert_eq!(
        (arrives(&mut table, 2, 0), table.token(SHARD)),
        (Admission::Moved(2), None)
    );
    table.lose(SHARD);
    assert_eq!(table.standing(SHARD), Standing::NotOurs);
}

#[test]
fn what_is_held_is_bounded_by_number_and_by_bytes() {
    let mut table = table();
    table.expect(SHARD);
    for what in 0..HELD as u64 {
        assert_eq!(arrives(&mut table, what, 0), Admission::Held);
    }
    assert_eq!(arrives(&mut table, 9_999, 0), Admission::Moved(9_999));
    let other = ShardId(8);
    table.expect(other);
    let large = 3 * 1024 * 1024;
    assert_eq!(table.admit(other, MAP, 1, large, 5_000, 0), Admission::Held);
    assert_eq!(table.admit(other, MAP, 2, large, 5_000, 0), Admission::Moved(2));
    assert!(table.cancel(other, |what| *what == 1));
    assert_eq!(table.admit(other, MAP, 3, large, 5_000, 0), Admission::Held);
}

#[test]
fn nobody_is_held_longer_than_its_caller_waits() {
    let mut table = table();
    table.expect(SHARD);
    arrives(&mut table, 1, 0);
    table.admit(SHARD, MAP, 2, 100, 9_000, 0);
    assert_eq!(table.expire(4_849).late, NONE);
    assert_eq!(table.expire(4_850).late, [1]);
    assert_eq!(table.serve(SHARD, token(1)), [2]);
}

#[test]
fn an_ingress_that_knows_a_newer_map_is_believed_until_we_know_it_too() {
    let mut table = table();
    let newer = MapVersion(5);
    assert_eq!(table.admit(SHARD, newer, 1, 100, 5_000, 0), Admission::Held);
    assert_eq!(table.learn(MapVersion(4)), NONE);
    assert_eq!(table.learn(newer), [1], "that map gives the shard to another");
    assert_eq!(table.admit(SHARD, MapVersion(6), 2, 100, 5_000, 0), Admission::Held);
    table.expect(SHARD);
    assert_eq!(table.learn(MapVersion(6)), NONE, "that map gives it to us");
    assert_eq!(table.serve(SHARD, token(1)), [2]);
}

#[test]
fn a_newer_map_that_cannot_be_read_is_not_waited_for_longer_than_a_moment() {
    let mut table = table();
    table.admit(SHARD, MapVersion(5), 1, 100, 5_000, 0);
    let nothing = Unheld {
        moved: vec![],
        late: vec![],
    };
    assert_eq!(table.expire(RUMOUR_MS - 1), nothing);
    assert_eq!(table.expire(RUMOUR_MS).moved, [1]);
    assert_eq!(table.standing(SHARD), Standing::NotOurs);
}
