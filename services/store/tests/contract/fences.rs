//! Who may write to a shard.

use std::sync::Arc;

use trunkline_store::contract::{Claim, Claimed, Committed, Epoch, Header, Incarnation, MapVersion, Released};

use crate::on_every_engine;
use crate::world::{SHARD, World, claim_of, header, key, turn};

on_every_engine!(
    a_free_shard_goes_to_whoever_claims_it,
    a_held_shard_is_not_given_to_another,
    a_forced_claim_takes_a_held_shard,
    the_holder_may_claim_again_and_gets_a_higher_epoch,
    a_claim_under_an_older_map_is_stale,
    a_claim_under_an_equal_map_is_not_stale,
    a_stale_claim_is_refused_even_with_force,
    the_epoch_is_above_the_floor,
    the_epoch_is_not_below_the_clock_of_the_store,
    a_paused_owner_cannot_commit_after_a_forced_claim,
    an_owner_whose_token_is_of_another_map_cannot_commit,
    nobody_can_commit_before_the_first_claim,
    a_released_shard_is_free_and_its_old_token_is_dead,
    a_release_with_a_dead_token_is_fenced_and_changes_nothing,
    a_repeated_release_is_fenced,
    a_release_keeps_the_map_and_the_epoch,
    of_many_claims_at_once_only_one_wins,
    shards_do_not_share_fences,
);

async fn a_free_shard_goes_to_whoever_claims_it(world: &World) {
    let token = world.own(0xa).await;
    assert_eq!(token.holder, Incarnation(0xa));
    assert_eq!(token.map, MapVersion(1));
}

async fn a_held_shard_is_not_given_to_another(world: &World) {
    world.own(0xa).await;
    let claimed = world.store.claim(SHARD, claim_of(0xb)).await.unwrap();
    assert_eq!(claimed, Claimed::Held(Incarnation(0xa)));
}

async fn a_forced_claim_takes_a_held_shard(world: &World) {
    let old = world.own(u64::MAX).await;
    let new = world.own_by(forced(0xb)).await;
    assert_eq!(new.holder, Incarnation(0xb));
    assert!(new.epoch > old.epoch, "{new:?} is not above {old:?}");
}

async fn the_holder_may_claim_again_and_gets_a_higher_epoch(world: &World) {
    let first = world.own(0xa).await;
    let second = world.own(0xa).await;
    assert!(second.epoch > first.epoch, "{second:?} is not above {first:?}");
    let late = turn(first, key("c"), Header::ABSENT, header(1, 1));
    assert_eq!(world.commit(late).await, Committed::Fenced);
}

async fn a_claim_under_an_older_map_is_stale(world: &World) {
    world.own_by(under(0xa, 5)).await;
    let claimed = world.store.claim(SHARD, under(0xb, 4)).await.unwrap();
    assert_eq!(claimed, Claimed::Stale(MapVersion(5)));
}

async fn a_claim_under_an_equal_map_is_not_stale(world: &World) {
    world.own_by(under(0xa, 5)).await;
    let claimed = world.store.claim(SHARD, under(0xb, 5)).await.unwrap();
    assert_eq!(claimed, Claimed::Held(Incarnation(0xa)));
}

async fn a_stale_claim_is_refused_even_with_force(world: &World) {
    world.own_by(under(0xa, 5)).await;
    let claim = Claim {
        force: true,
        ..under(0xb, 4)
    };
    let claimed = world.store.claim(SHARD, claim).await.unwrap();
    assert_eq!(claimed, Claimed::Stale(MapVersion(5)));
}

async fn the_epoch_is_above_the_floor(world: &World) {
    let floor = Epoch(9_000_000_000_000);
    let token = world.own_by(Claim { floor, ..claim_of(0xa) }).await;
    assert_eq!(token.epoch, Epoch(floor.0 + 1));
    let next = world.own(0xa).await;
    assert_eq!(next.epoch, Epoch(floor.0 + 2));
}

async fn the_epoch_is_not_below_the_clock_of_the_store(world: &World) {
    let now = world.store.now().await.unwrap();
    let token = world.own(0xa).await;
    assert!(token.epoch.0 >= now, "{token:?} is below {now}");
}

async fn a_paused_owner_cannot_commit_after_a_forced_claim(world: &World) {
    let paused = world.own(0xa).await;
    let owner = world.own_by(forced(0xb)).await;
    let late = turn(paused, key("c"), Header::ABSENT, header(1, 1));
    assert_eq!(world.commit(late).await, Committed::Fenced);
    assert_eq!(world.header(key("c")).await, Header::ABSENT);
    world.write(turn(owner, key("c"), Header::ABSENT, header(1, 2))).await;
}

async fn an_owner_whose_token_is_of_another_map_cannot_commit(world: &World) {
    let mut token = world.own(0xa).await;
    token.map = MapVersion(2);
    let commit = turn(token, key("c"), Header::ABSENT, header(1, 1));
    assert_eq!(world.commit(commit).await, Committed::Fenced);
}

async fn nobody_can_commit_before_the_first_claim(world: &World) {
    let token = trunkline_store::contract::Token {
        epoch: Epoch(0),
        holder: Incarnation(0),
        map: MapVersion(0),
    };
    let commit = turn(token, key("c"), Header::ABSENT, header(1, 1));
    assert_eq!(world.commit(commit).await, Committed::Fenced);
}

async fn a_released_shard_is_free_and_its_old_token_is_dead(world: &World) {
    let old = world.own(0xa).await;
    assert_eq!(world.store.release(SHARD, old).await.unwrap(), Released::Free);
    let late = turn(old, key("c"), Header::ABSENT, header(1, 1));
    assert_eq!(world.commit(late).await, Committed::Fenced);
    world.own(0xb).await;
}

async fn a_release_with_a_dead_token_is_fenced_and_changes_nothing(world: &World) {
    let dead = world.own(0xa).await;
    let owner = world.own_by(forced(0xb)).await;
    assert_eq!(world.store.release(SHARD, dead).await.unwrap(), Released::Fenced);
    world.write(turn(owner, key("c"), Header::ABSENT, header(1, 1))).await;
}

async fn a_repeated_release_is_fenced(world: &World) {
    let token = world.own(0xa).await;
    assert_eq!(world.store.release(SHARD, token).await.unwrap(), Released::Free);
    assert_eq!(world.store.release(SHARD, token).await.unwrap(), Released::Fenced);
}

async fn a_release_keeps_the_map_and_the_epoch(world: &World) {
    let token = world.own_by(under(0xa, 5)).await;
    world.store.release(SHARD, token).await.unwrap();
    let stale = world.store.claim(SHARD, under(0xb, 4)).await.unwrap();
    assert_eq!(stale, Claimed::Stale(MapVersion(5)));
    let next = world.own_by(under(0xb, 5)).await;
    assert!(next.epoch > token.epoch, "{next:?} is not above {token:?}");
}

async fn of_many_claims_at_once_only_one_wins(world: &World) {
    let racers = (1..=16).map(|me| {
        let store = Arc::clone(&world.store);
        tokio::spawn(async move { store.claim(SHARD, claim_of(me)).await.unwrap() })
    });
    let mut winners = Vec::new();
    let mut seen = Vec::new();
    for racer in racers.collect::<Vec<_>>() {
        match racer.await.unwrap() {
            Claimed::Ours(token) => winners.push(token.holder),
            Claimed::Held(holder) => seen.push(holder),
            Claimed::Stale(map) => panic!("no claim is older than map {map:?}"),
        }
    }
    assert_eq!(winners.len(), 1, "all of {winners:?} won");
    assert!(
        seen.iter().all(|holder| *holder == winners[0]),
        "{seen:?} saw others than {winners:?}"
    );
}

async fn shards_do_not_share_fences(world: &World) {
    let token = world.own(0xa).await;
    let mut commit = turn(token, key("c"), Header::ABSENT, header(1, 1));
    commit.shard.0 += 1;
    assert_eq!(world.commit(commit).await, Committed::Fenced);
}

fn forced(me: u64) -> Claim {
    Claim {
        force: true,
        ..claim_of(me)
    }
}

fn under(me: u64, map: u64) -> Claim {
    Claim {
        map: MapVersion(map),
        ..claim_of(me)
    }
}
