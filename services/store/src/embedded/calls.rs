//! Calls as a whole: the rules of the scripts `call_take`, `call_renew`, `call_usage` and `call_ended`.

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use redb::{Error, ReadTransaction, ReadableDatabase as _, ReadableTable};

use super::EmbeddedStore;
use super::apply::Applied;
use super::failure::{READING, failed};
use super::tables::{CALL_COUNTS, CALL_LEASES, CALLS_ENDED, Tables};
use super::writer::Request;
use crate::contract::{
    CallBook, CallLease, CallTaken, CallUsage, EndedCall, EndedQuery, Month, StoreError, USAGE_LIFE_MS,
};
use crate::key::Key;
use crate::limits;

/// The first and the last key.
const FIRST: [u8; 16] = [0; 16];
const LAST: [u8; 16] = [0xff; 16];
/// The answer where there is nothing to say.
const DONE: CallTaken = CallTaken::Full { in_use: 0 };

/// A wish about calls.
pub(super) enum CallWrite {
    Take(CallLease),
    Renew { tenant: String, call: Key, life_ms: u64 },
    Release { tenant: String, call: Key },
    Ended(EndedCall, u64),
}

impl CallWrite {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Ended(ended, _) => ended.entry.len(),
            Self::Take(_) | Self::Renew { .. } | Self::Release { .. } => 0,
        }
    }
}

/// Does what is wished; what it came to counts for [`CallWrite::Take`] only.
pub(super) fn apply(tables: &mut Tables<'_>, write: &CallWrite, now_ms: u64) -> Result<Applied<CallTaken>, Error> {
    match write {
        CallWrite::Take(lease) => take(tables, lease, now_ms),
        CallWrite::Renew { tenant, call, life_ms } => {
            let ends_ms = now_ms.saturating_add((*life_ms).max(1));
            tables.call_leases.insert((tenant.as_str(), &call.0), ends_ms)?;
            Ok(Applied::written(DONE))
        }
        CallWrite::Release { tenant, call } => {
            tables.call_leases.remove((tenant.as_str(), &call.0))?;
            Ok(Applied::written(DONE))
        }
        CallWrite::Ended(ended, retain_ms) => {
            let place = (ended.ended_ms, &ended.call.0, ended.tenant.as_str());
            if tables.calls_ended.get(place)?.is_some() {
                return Ok(Applied::unchanged(DONE));
            }
            let ends_ms = ended.ended_ms.saturating_add((*retain_ms).max(1));
            tables.calls_ended.insert(place, (ends_ms, ended.entry.as_ref()))?;
            Ok(Applied::written(DONE))
        }
    }
}

fn take(tables: &mut Tables<'_>, lease: &CallLease, now_ms: u64) -> Result<Applied<CallTaken>, Error> {
    let tenant = lease.tenant.as_str();
    let leases = (tenant, &FIRST)..=(tenant, &LAST);
    tables
        .call_leases
        .retain_in(leases.clone(), |_, ends_ms| ends_ms > now_ms)?;
    let place = (tenant, &lease.call.0);
    let held = tables.call_leases.get(place)?.is_some();
    let in_use = u32::try_from(tables.call_leases.range(leases)?.count()).unwrap_or(u32::MAX);
    if !held && lease.limit.is_some_and(|limit| in_use >= limit) {
        // Leases that have lapsed went all the same.
        return Ok(Applied::written(CallTaken::Full { in_use }));
    }
    let ends_ms = now_ms.saturating_add(lease.life_ms.max(1));
    tables.call_leases.insert(place, ends_ms)?;
    let count = (lease.month.number(), tenant, lease.bot.as_str());
    let counted = tables.call_counts.get(count)?.map_or(0, |stored| stored.value());
    if held {
        return Ok(Applied::written(CallTaken::Taken {
            in_use,
            this_month: counted,
        }));
    }
    tables.call_counts.insert(count, counted + 1)?;
    Ok(Applied::written(CallTaken::Taken {
        in_use: in_use + 1,
        this_month: counted + 1,
    }))
}

/// Removes ended calls and counts whose life is over, at most `limit`.
pub(super) fn sweep(tables: &mut Tables<'_>, now_ms: u64, limit: usize) -> Result<usize, Error> {
    let mut ended: Vec<(u64, [u8; 16], String)> = Vec::new();
    // By the time of the end: with a retention that was made shorter, newer ones wait for the older ones.
    for entry in tables.calls_ended.iter()?.take(limit) {
        let (place, value) = entry?;
        if value.value().0 > now_ms {
            break;
        }
        let (ended_ms, call, tenant) = place.value();
        ended.push((ended_ms, *call, tenant.to_owned()));
    }
    for (ended_ms, call, tenant) in &ended {
        tables.calls_ended.remove((*ended_ms, call, tenant.as_str()))?;
    }
    let kept = Month::of_ms(now_ms.saturating_sub(USAGE_LIFE_MS)).number();
    let mut counts: Vec<(u32, String, String)> = Vec::new();
    for entry in tables.call_counts.iter()?.take(limit - ended.len()) {
        let (place, _) = entry?;
        let (month, tenant, bot) = place.value();
        if month >= kept {
            break;
        }
        counts.push((month, tenant.to_owned(), bot.to_owned()));
    }
    for (month, tenant, bot) in &counts {
        tables.call_counts.remove((*month, tenant.as_str(), bot.as_str()))?;
    }
    Ok(ended.len() + counts.len())
}

impl EmbeddedStore {
    fn look(&self) -> Result<ReadTransaction, StoreError> {
        self.sound()?;
        self.database.begin_read().map_err(failed(READING))
    }

    async fn write_call(&self, write: CallWrite) -> Result<CallTaken, StoreError> {
        self.ask(move |answer| Request::Call(write, answer)).await
    }

    fn read_usage(&self, month: Month) -> Result<Vec<CallUsage>, StoreError> {
        let (view, now_ms) = (self.look()?, self.clock.now());
        let leases = view.open_table(CALL_LEASES).map_err(failed(READING))?;
        let counts = view.open_table(CALL_COUNTS).map_err(failed(READING))?;
        let mut usage = Vec::new();
        for entry in counts.range((month.number(), "", "")..).map_err(failed(READING))? {
            let (place, calls) = entry.map_err(failed(READING))?;
            let (its_month, tenant, bot) = place.value();
            if its_month != month.number() {
                break;
            }
            let mut in_use = 0;
            let range = (tenant, &FIRST)..=(tenant, &LAST);
            for lease in leases.range(range).map_err(failed(READING))? {
                in_use += u32::from(lease.map_err(failed(READING))?.1.value() > now_ms);
            }
            usage.push(CallUsage {
                tenant: tenant.to_owned(),
                bot: bot.to_owned(),
                calls: calls.value(),
                in_use,
            });
        }
        Ok(usage)
    }

    fn read_ended(&self, query: &EndedQuery) -> Result<Vec<EndedCall>, StoreError> {
        let mut found = Vec::new();
        if query.until_ms <= query.from_ms {
            return Ok(found);
        }
        let now_ms = self.clock.now();
        let ended = self.look()?.open_table(CALLS_ENDED).map_err(failed(READING))?;
        let range = (query.from_ms, &FIRST, "")..(query.until_ms, &FIRST, "");
        for entry in ended.range(range).map_err(failed(READING))?.rev() {
            if found.len() >= query.limit {
                break;
            }
            let (place, value) = entry.map_err(failed(READING))?;
            let ((ended_ms, call, tenant), (ends_ms, entry)) = (place.value(), value.value());
            if ends_ms > now_ms && query.tenant.as_ref().is_none_or(|wanted| wanted == tenant) {
                found.push(EndedCall {
                    ended_ms,
                    call: Key(*call),
                    tenant: tenant.to_owned(),
                    entry: Bytes::copy_from_slice(entry),
                });
            }
        }
        Ok(found)
    }
}

impl CallBook for EmbeddedStore {
    fn take_call(&self, lease: CallLease) -> BoxFuture<'_, Result<CallTaken, StoreError>> {
        async move {
            limits::lease(&lease)?;
            self.write_call(CallWrite::Take(lease)).await
        }
        .boxed()
    }

    fn renew_call<'a>(&'a self, tenant: &'a str, call: Key, life_ms: u64) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            limits::tenant(tenant)?;
            let tenant = tenant.to_owned();
            self.write_call(CallWrite::Renew { tenant, call, life_ms }).await?;
            Ok(())
        }
        .boxed()
    }

    fn release_call<'a>(&'a self, tenant: &'a str, call: Key) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            limits::tenant(tenant)?;
            let tenant = tenant.to_owned();
            self.write_call(CallWrite::Release { tenant, call }).await?;
            Ok(())
        }
        .boxed()
    }

    fn call_usage(&self, month: Month) -> BoxFuture<'_, Result<Vec<CallUsage>, StoreError>> {
        async move { self.read_usage(month) }.boxed()
    }

    fn append_ended(&self, ended: EndedCall, retain_ms: u64) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            limits::ended(&ended)?;
            self.write_call(CallWrite::Ended(ended, retain_ms)).await?;
            Ok(())
        }
        .boxed()
    }

    fn ended_calls(&self, query: EndedQuery) -> BoxFuture<'_, Result<Vec<EndedCall>, StoreError>> {
        async move { self.read_ended(&query) }.boxed()
    }
}
