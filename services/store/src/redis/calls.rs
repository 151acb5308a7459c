//! Calls as a whole: leases and counts of a tenant in its own slot, ended calls in a slot of their day.
//!
//! Which tenants have counts in a month stands in a set of its own, written before the first count of each: so a lease and its
//! count are one script, and a reader finds all of them.

use std::collections::HashSet;
use std::sync::PoisonError;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use redis::{Cmd, Value};

use super::fleet::Call;
use super::primary::Purpose;
use super::scripts::{By, Stored, call};
use super::tags::slot_of;
use super::{RedisStore, read};
use crate::contract::{
    CallBook, CallLease, CallTaken, CallUsage, EndedCall, EndedQuery, Month, StoreError, USAGE_LIFE_MS,
};
use crate::key::Key;
use crate::limits;

const TAKING: &str = "taking a lease for a call";
const RENEWING: &str = "renewing the lease of a call";
const RELEASING: &str = "releasing the lease of a call";
const COUNTING: &str = "reading the counts of calls";
const APPENDING: &str = "appending to the log of ended calls";
const READING: &str = "reading the log of ended calls";

const DAY_MS: u64 = 86_400_000;
/// Entries that are read in one go.
const PAGE: usize = 256;
/// Tenants of the current months that are remembered as listed; beyond it they are listed again.
const REMEMBERED: usize = 65_536;

/// Tenants that are known to stand in the set of their month.
pub(super) type Listed = std::sync::Mutex<HashSet<(Month, String)>>;

/// Where the keys of a tenant lie.
struct TenantKeys {
    tag: String,
    slot: u16,
}

impl TenantKeys {
    /// Ids that come from outside are not names of keys: what is neither letter, digit nor hyphen is written as a number.
    fn of(tenant: &str) -> Self {
        use std::fmt::Write as _;
        let mut tag = String::with_capacity(tenant.len() * 2 + 2);
        tag.push_str("t:");
        for byte in tenant.bytes() {
            // A GUID stays readable.
            if byte.is_ascii_alphanumeric() || byte == b'-' {
                tag.push(char::from(byte));
            } else {
                let _ = write!(tag, "_{byte:02x}");
            }
        }
        let slot = slot_of(tag.as_bytes());
        Self { tag, slot }
    }

    fn leases(&self) -> String {
        format!("{{{}}}l", self.tag)
    }

    fn counts(&self, month: Month) -> String {
        format!("{{{}}}n:{month}", self.tag)
    }

    fn call(&self, doing: &'static str) -> Call {
        control(self.slot, doing)
    }
}

/// The set of tenants with counts in a month: its slot and its name.
fn listed_in(month: Month) -> (u16, String) {
    let tag = format!("tl:{month}");
    (slot_of(tag.as_bytes()), format!("{{{tag}}}t"))
}

/// The ended calls of a day: slot and name.
fn ended_on(day: u64) -> (u16, String) {
    let tag = format!("tl:d{day}");
    (slot_of(tag.as_bytes()), format!("{{{tag}}}e"))
}

fn control(slot: u16, doing: &'static str) -> Call {
    Call {
        slot,
        purpose: Purpose::Control,
        doing,
    }
}

fn on_keys(script: &Stored, by: By, keys: &[&str]) -> Cmd {
    let mut command = call(script, by, keys.len() + 6, 0);
    command.arg(keys.len()).arg(keys);
    command
}

impl RedisStore {
    /// Writes that a tenant has counts in this month, unless this process knows it has been written.
    async fn list_tenant(&self, month: Month, tenant: &str) -> Result<(), StoreError> {
        let entry = (month, tenant.to_owned());
        if self
            .listed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&entry)
        {
            return Ok(());
        }
        let (slot, key) = listed_in(month);
        let mut add = redis::cmd("SADD");
        add.arg(&key).arg(tenant);
        let _: Value = self.run(control(slot, TAKING), &add).await?;
        let mut expire = redis::cmd("PEXPIRE");
        // A month longer than the counts, whose life begins with each call.
        expire.arg(&key).arg(USAGE_LIFE_MS + 31 * DAY_MS);
        let _: Value = self.run(control(slot, TAKING), &expire).await?;
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        if listed.len() >= REMEMBERED {
            listed.clear();
        }
        listed.insert(entry);
        Ok(())
    }

    async fn run_take_call(&self, lease: CallLease) -> Result<CallTaken, StoreError> {
        limits::lease(&lease)?;
        self.list_tenant(lease.month, &lease.tenant).await?;
        let keys = TenantKeys::of(&lease.tenant);
        let (leases, counts) = (keys.leases(), keys.counts(lease.month));
        let command = |by| {
            let mut command = on_keys(&self.scripts.call_take, by, &[&leases, &counts]);
            command.arg(lease.call.text().as_str());
            match lease.limit {
                Some(limit) => command.arg(limit),
                None => command.arg(""),
            };
            command.arg(lease.life_ms.max(1)).arg(&lease.bot).arg(USAGE_LIFE_MS);
            command
        };
        let answer = self.run_script(keys.call(TAKING), command).await?;
        let (taken, in_use, this_month): (u8, u32, u64) = read(TAKING, answer)?;
        Ok(if taken == 1 {
            CallTaken::Taken { in_use, this_month }
        } else {
            CallTaken::Full { in_use }
        })
    }

    async fn run_renew_call(&self, tenant: &str, lease: Key, life_ms: u64) -> Result<(), StoreError> {
        limits::tenant(tenant)?;
        let keys = TenantKeys::of(tenant);
        let leases = keys.leases();
        let command = |by| {
            let mut command = on_keys(&self.scripts.call_renew, by, &[&leases]);
            command.arg(lease.text().as_str()).arg(life_ms.max(1));
            command
        };
        self.run_script(keys.call(RENEWING), command).await?;
        Ok(())
    }

    async fn run_release_call(&self, tenant: &str, lease: Key) -> Result<(), StoreError> {
        limits::tenant(tenant)?;
        let keys = TenantKeys::of(tenant);
        let mut command = redis::cmd("ZREM");
        command.arg(keys.leases()).arg(lease.text().as_str());
        let _: Value = self.run(keys.call(RELEASING), &command).await?;
        Ok(())
    }

    async fn run_call_usage(&self, month: Month) -> Result<Vec<CallUsage>, StoreError> {
        let (slot, key) = listed_in(month);
        let mut command = redis::cmd("SMEMBERS");
        command.arg(key);
        let tenants: Vec<String> = self.run(control(slot, COUNTING), &command).await?;
        let mut usage = Vec::new();
        for tenant in tenants {
            let keys = TenantKeys::of(&tenant);
            let (leases, counts) = (keys.leases(), keys.counts(month));
            let command = |by| on_keys(&self.scripts.call_usage, by, &[&leases, &counts]);
            let answer = self.run_script(keys.call(COUNTING), command).await?;
            let (in_use, counts): (u32, Vec<(String, u64)>) = read(COUNTING, answer)?;
            usage.extend(counts.into_iter().map(|(bot, calls)| CallUsage {
                tenant: tenant.clone(),
                bot,
                calls,
                in_use,
            }));
        }
        Ok(usage)
    }

    async fn run_append_ended(&self, ended: EndedCall, retain_ms: u64) -> Result<(), StoreError> {
        limits::ended(&ended)?;
        let day = ended.ended_ms / DAY_MS;
        let (slot, key) = ended_on(day);
        let member = packed(&ended);
        let ends_ms = ((day + 1) * DAY_MS).saturating_add(retain_ms.max(1));
        let command = |by| {
            let mut command = on_keys(&self.scripts.call_ended, by, &[&key]);
            command.arg(ended.ended_ms).arg(&member[..]).arg(ends_ms);
            command
        };
        self.run_script(control(slot, APPENDING), command).await?;
        Ok(())
    }

    async fn run_ended_calls(&self, query: EndedQuery) -> Result<Vec<EndedCall>, StoreError> {
        let mut found = Vec::new();
        if query.until_ms <= query.from_ms {
            return Ok(found);
        }
        let last_ms = query.until_ms - 1;
        for day in (query.from_ms / DAY_MS..=last_ms / DAY_MS).rev() {
            let (slot, key) = ended_on(day);
            let mut offset = 0;
            loop {
                if found.len() >= query.limit {
                    return Ok(found);
                }
                let mut command = redis::cmd("ZRANGE");
                command
                    .arg(&key)
                    .arg(last_ms)
                    .arg(query.from_ms)
                    .arg("BYSCORE")
                    .arg("REV");
                command.arg("LIMIT").arg(offset).arg(PAGE).arg("WITHSCORES");
                let page: Vec<(Bytes, u64)> = self.run(control(slot, READING), &command).await?;
                let (is_last, rest) = (page.len() < PAGE, query.limit - found.len());
                let entries = page.into_iter().map(|(member, ended_ms)| unpacked(&member, ended_ms));
                let entries = entries.collect::<Result<Vec<_>, _>>()?;
                let wanted = |ended: &EndedCall| query.tenant.as_ref().is_none_or(|tenant| *tenant == ended.tenant);
                found.extend(entries.into_iter().filter(wanted).take(rest));
                if is_last {
                    break;
                }
                offset += PAGE;
            }
        }
        Ok(found)
    }
}

/// Key (16 bytes), length of the tenant (2 bytes, big endian), tenant, entry.
fn packed(ended: &EndedCall) -> Vec<u8> {
    let mut member = ended.call.0.to_vec();
    // Longer ones are refused before.
    let length = u16::try_from(ended.tenant.len()).unwrap_or(u16::MAX);
    member.extend_from_slice(&length.to_be_bytes());
    member.extend_from_slice(ended.tenant.as_bytes());
    member.extend_from_slice(&ended.entry);
    member
}

fn unpacked(member: &Bytes, ended_ms: u64) -> Result<EndedCall, StoreError> {
    let parts = || {
        let (call, rest) = member.split_first_chunk::<16>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (tenant, entry) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        Some(EndedCall {
            ended_ms,
            call: Key(*call),
            tenant: std::str::from_utf8(tenant).ok()?.to_owned(),
            entry: Bytes::copy_from_slice(entry),
        })
    };
    parts().ok_or_else(|| StoreError::Corrupt {
        doing: READING,
        reason: "an entry of the log is shorter than it says".to_owned(),
    })
}

impl CallBook for RedisStore {
    fn take_call(&self, lease: CallLease) -> BoxFuture<'_, Result<CallTaken, StoreError>> {
        self.run_take_call(lease).boxed()
    }

    fn renew_call<'a>(&'a self, tenant: &'a str, call: Key, life_ms: u64) -> BoxFuture<'a, Result<(), StoreError>> {
        self.run_renew_call(tenant, call, life_ms).boxed()
    }

    fn release_call<'a>(&'a self, tenant: &'a str, call: Key) -> BoxFuture<'a, Result<(), StoreError>> {
        self.run_release_call(tenant, call).boxed()
    }

    fn call_usage(&self, month: Month) -> BoxFuture<'_, Result<Vec<CallUsage>, StoreError>> {
        self.run_call_usage(month).boxed()
    }

    fn append_ended(&self, ended: EndedCall, retain_ms: u64) -> BoxFuture<'_, Result<(), StoreError>> {
        self.run_append_ended(ended, retain_ms).boxed()
    }

    fn ended_calls(&self, query: EndedQuery) -> BoxFuture<'_, Result<Vec<EndedCall>, StoreError>> {
        self.run_ended_calls(query).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_tenants_never_make_each_other_s_keys() {
        let tag = |tenant| TenantKeys::of(tenant).tag;
        assert_eq!(
            tag("5c1b9c3e-0000-4000-8000-0a0a0a0a0a0a"),
            "t:5c1b9c3e-0000-4000-8000-0a0a0a0a0a0a"
        );
        assert_eq!(tag("a}b_"), "t:a_7db_5f");
        assert_ne!(tag("a_7d"), tag("a}"));
    }
}
