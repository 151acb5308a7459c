//! Leases of simultaneous calls, counts of a month, and the log of ended calls.

use std::time::Duration;

use bytes::Bytes;
use trunkline_store::contract::{
    CALL_NAME_BYTES, CallBook, CallLease, CallTaken, CallUsage, ENDED_BYTES, EndedCall, EndedQuery, Month, StoreError,
};

use crate::on_every_engine;
use crate::world::{World, key};

on_every_engine!(
    a_tenant_has_no_more_calls_than_its_limit,
    a_lease_taken_again_is_one_lease_and_one_call_of_the_month,
    a_lease_that_is_not_renewed_lapses,
    a_renewal_goes_on_whatever_the_limit,
    months_tenants_and_bots_are_counted_apart,
    ended_calls_are_listed_newest_first_within_times_and_by_tenant,
    an_entry_appended_again_stands_once,
    a_long_log_is_read_in_pieces_to_the_end,
    ended_calls_die_with_their_retention,
    what_is_too_large_is_refused,
);

const CONTOSO: &str = "5c1b9c3e-0000-4000-8000-0a0a0a0a0a0a";
const FABRIKAM: &str = "7d2caf4f-0000-4000-8000-0b0b0b0b0b0b";
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

async fn a_tenant_has_no_more_calls_than_its_limit(world: &World) {
    let book = world.store.calls();
    let limited = |call: &str| CallLease {
        limit: Some(2),
        ..lease(CONTOSO, call)
    };
    assert_eq!(book.take_call(limited("a")).await.unwrap(), taken(1, 1));
    assert_eq!(book.take_call(limited("b")).await.unwrap(), taken(2, 2));
    let full = CallTaken::Full { in_use: 2 };
    assert_eq!(book.take_call(limited("c")).await.unwrap(), full);
    assert_eq!(book.take_call(lease(FABRIKAM, "d")).await.unwrap(), taken(1, 1));
    book.release_call(CONTOSO, key("a")).await.unwrap();
    book.release_call(CONTOSO, key("a")).await.unwrap();
    // What was refused was not counted.
    assert_eq!(book.take_call(limited("c")).await.unwrap(), taken(2, 3));
}

async fn a_lease_taken_again_is_one_lease_and_one_call_of_the_month(world: &World) {
    let book = world.store.calls();
    for _ in 0..3 {
        let again = CallLease {
            limit: Some(1),
            ..lease(CONTOSO, "a")
        };
        assert_eq!(book.take_call(again).await.unwrap(), taken(1, 1));
    }
    assert_eq!(usage(book, month()).await, [used(CONTOSO, "echo", 1, 1)]);
}

async fn a_lease_that_is_not_renewed_lapses(world: &World) {
    let book = world.store.calls();
    let short = CallLease {
        life_ms: 50,
        limit: Some(1),
        ..lease(CONTOSO, "a")
    };
    assert_eq!(book.take_call(short).await.unwrap(), taken(1, 1));
    until_lapsed(book).await;
    assert_eq!(usage(book, month()).await, [used(CONTOSO, "echo", 1, 0)]);
    let next = CallLease {
        limit: Some(1),
        ..lease(CONTOSO, "b")
    };
    assert_eq!(book.take_call(next).await.unwrap(), taken(1, 2));
}

async fn a_renewal_goes_on_whatever_the_limit(world: &World) {
    let book = world.store.calls();
    let limited = |call: &str, life_ms| CallLease {
        life_ms,
        limit: Some(1),
        ..lease(CONTOSO, call)
    };
    assert_eq!(book.take_call(limited("late", 50)).await.unwrap(), taken(1, 1));
    until_lapsed(book).await;
    assert_eq!(book.take_call(limited("b", HOUR_MS)).await.unwrap(), taken(1, 2));
    book.renew_call(CONTOSO, key("late"), HOUR_MS).await.unwrap();
    assert_eq!(usage(book, month()).await, [used(CONTOSO, "echo", 2, 2)]);
    let full = CallTaken::Full { in_use: 2 };
    assert_eq!(book.take_call(limited("c", HOUR_MS)).await.unwrap(), full);
}

async fn months_tenants_and_bots_are_counted_apart(world: &World) {
    let book = world.store.calls();
    let later = Month::parse("2026-12").unwrap();
    for (tenant, bot, call, month) in [
        (CONTOSO, "echo", "a", month()),
        (CONTOSO, "ivr", "b", month()),
        (CONTOSO, "ivr", "c", month()),
        (FABRIKAM, "ivr", "d", month()),
        ("odd } tenant:", "ivr", "f", month()),
        (CONTOSO, "ivr", "e", later),
    ] {
        let lease = CallLease {
            bot: bot.to_owned(),
            month,
            ..lease(tenant, call)
        };
        assert!(matches!(book.take_call(lease).await.unwrap(), CallTaken::Taken { .. }));
    }
    assert_eq!(
        usage(book, month()).await,
        [
            used(CONTOSO, "echo", 1, 4),
            used(CONTOSO, "ivr", 2, 4),
            used(FABRIKAM, "ivr", 1, 1),
            used("odd } tenant:", "ivr", 1, 1),
        ]
    );
    assert_eq!(usage(book, later).await, [used(CONTOSO, "ivr", 1, 4)]);
    assert_eq!(usage(book, later.before(7)).await, []);
}

async fn ended_calls_are_listed_newest_first_within_times_and_by_tenant(world: &World) {
    let (book, now) = (world.store.calls(), now(world).await);
    let calls = [
        ended(now - 3 * DAY_MS, "a", CONTOSO),
        ended(now - 2 * DAY_MS, "b", FABRIKAM),
        ended(now - 1_000, "c", CONTOSO),
        ended(now, "d", CONTOSO),
    ];
    for call in &calls {
        book.append_ended(call.clone(), 30 * DAY_MS).await.unwrap();
    }
    let [a, b, c, d] = calls;
    let all = query(0, now + 1, None, 10);
    // From 1970 on would be read day by day: people do not ask so.
    let recent = |limit| EndedQuery {
        from_ms: now - 10 * DAY_MS,
        limit,
        ..all.clone()
    };
    assert_eq!(
        list(book, recent(10)).await,
        [d.clone(), c.clone(), b.clone(), a.clone()]
    );
    assert_eq!(list(book, recent(2)).await, [d, c.clone()]);
    let within = query(now - 2 * DAY_MS, now, None, 10);
    assert_eq!(list(book, within).await, [c.clone(), b]);
    let of_contoso = query(now - 4 * DAY_MS, now, Some(CONTOSO), 10);
    assert_eq!(list(book, of_contoso).await, [c, a]);
    assert_eq!(list(book, query(now, now, None, 10)).await, []);
    assert_eq!(list(book, query(now - 4 * DAY_MS, now, Some("nobody"), 10)).await, []);
}

async fn an_entry_appended_again_stands_once(world: &World) {
    let (book, now) = (world.store.calls(), now(world).await);
    let call = ended(now, "a", CONTOSO);
    for _ in 0..3 {
        book.append_ended(call.clone(), DAY_MS).await.unwrap();
    }
    assert_eq!(list(book, query(now, now + 1, None, 10)).await, [call]);
}

async fn a_long_log_is_read_in_pieces_to_the_end(world: &World) {
    let (book, now) = (world.store.calls(), now(world).await);
    // One of ten is the tenant's.
    for number in 0..600_u64 {
        let tenant = if number % 10 == 0 { FABRIKAM } else { CONTOSO };
        let call = ended(now - number, &format!("call {number}"), tenant);
        book.append_ended(call, DAY_MS).await.unwrap();
    }
    let found = list(book, query(now - DAY_MS, now + 1, Some(FABRIKAM), 1_000)).await;
    let times: Vec<u64> = found.iter().map(|call| now - call.ended_ms).collect();
    assert_eq!(times, (0..600).step_by(10).collect::<Vec<_>>());
    assert_eq!(list(book, query(now - DAY_MS, now + 1, None, 599)).await.len(), 599);
}

async fn ended_calls_die_with_their_retention(world: &World) {
    let (book, now) = (world.store.calls(), now(world).await);
    let (old, kept) = (
        ended(now - 3 * DAY_MS, "a", CONTOSO),
        ended(now - 3 * DAY_MS, "b", CONTOSO),
    );
    book.append_ended(old.clone(), HOUR_MS).await.unwrap();
    let range = query(now - 4 * DAY_MS, now, None, 10);
    assert_eq!(list(book, range.clone()).await, []);
    book.append_ended(kept.clone(), 5 * DAY_MS).await.unwrap();
    assert_eq!(list(book, range).await, [kept]);
}

async fn what_is_too_large_is_refused(world: &World) {
    let book = world.store.calls();
    let large = EndedCall {
        entry: vec![0; ENDED_BYTES + 1].into(),
        ..ended(1, "a", CONTOSO)
    };
    let refused = book.append_ended(large, 1).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
    let long = lease(&"x".repeat(CALL_NAME_BYTES + 1), "a");
    let refused = book.take_call(long).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
}

/// Waits until nobody has a call.
async fn until_lapsed(book: &dyn CallBook) {
    let lapsed = async {
        while usage(book, month()).await.iter().any(|usage| usage.in_use > 0) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), lapsed)
        .await
        .expect("the lease lapses");
}

fn lease(tenant: &str, call: &str) -> CallLease {
    CallLease {
        tenant: tenant.to_owned(),
        bot: "echo".to_owned(),
        call: key(call),
        limit: None,
        life_ms: HOUR_MS,
        month: month(),
    }
}

fn month() -> Month {
    Month::parse("2026-11").unwrap()
}

fn taken(in_use: u32, this_month: u64) -> CallTaken {
    CallTaken::Taken { in_use, this_month }
}

fn used(tenant: &str, bot: &str, calls: u64, in_use: u32) -> CallUsage {
    CallUsage {
        tenant: tenant.to_owned(),
        bot: bot.to_owned(),
        calls,
        in_use,
    }
}

async fn usage(book: &dyn CallBook, month: Month) -> Vec<CallUsage> {
    let mut usage = book.call_usage(month).await.unwrap();
    usage.sort_by(|one, other| (&one.tenant, &one.bot).cmp(&(&other.tenant, &other.bot)));
    usage
}

fn ended(ended_ms: u64, call: &str, tenant: &str) -> EndedCall {
    EndedCall {
        ended_ms,
        call: key(call),
        tenant: tenant.to_owned(),
        entry: Bytes::from(format!("entry of {call}")),
    }
}

fn query(from_ms: u64, until_ms: u64, tenant: Option<&str>, limit: usize) -> EndedQuery {
    EndedQuery {
        from_ms,
        until_ms,
        tenant: tenant.map(str::to_owned),
        limit,
    }
}

async fn list(book: &dyn CallBook, query: EndedQuery) -> Vec<EndedCall> {
    book.ended_calls(query).await.unwrap()
}

async fn now(world: &World) -> u64 {
    world.store.now().await.unwrap()
}
