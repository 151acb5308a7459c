//! Whether a server is fit to keep state: checked at each new connection, before the first write.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::contract::StoreError;

/// Least version: `#!lua` scripts.
const LEAST_VERSION: (u32, u32) = (7, 0);
/// Largest difference between the server's clock and ours.
const CLOCK_DIFFERENCE: Duration = Duration::from_secs(5);

/// What keeps the writes of a server beside its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keeping {
    /// Whether it writes each change to its append-only file.
    pub(super) append_only: bool,
    /// Replicas that are connected to it now.
    pub(super) replicas: u32,
}

/// What `INFO` says of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts<'i> {
    version: &'i str,
    eviction: &'i str,
    role: &'i str,
    cluster: bool,
    append_only: bool,
    replicas: u32,
}

impl<'i> Facts<'i> {
    /// Reads the answer to `INFO`. A field that is missing reads as the empty text, which is fit for nothing.
    pub(super) fn of_info(info: &'i str) -> Self {
        let field = |name: &str| {
            info.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .unwrap_or_default()
                .trim_end()
        };
        Self {
            version: field("redis_version"),
            eviction: field("maxmemory_policy"),
            role: field("role"),
            cluster: field("cluster_enabled") == "1",
            append_only: field("aof_enabled") == "1",
            replicas: field("connected_slaves").parse().unwrap_or_default(),
        }
    }

    /// What keeps the server's writes.
    pub(super) fn keeping(&self) -> Keeping {
        Keeping {
            append_only: self.append_only,
            replicas: self.replicas,
        }
    }

    /// Whether the server takes writes.
    pub(super) fn is_primary(&self) -> bool {
        self.role == "master"
    }

    /// Refuses a server that would lose or corrupt state, or that does not run in cluster mode as configured.
    pub(super) fn check(&self, in_cluster: bool) -> Result<(), StoreError> {
        if version(self.version).is_none_or(|version| version < LEAST_VERSION) {
            return unfit(
                format!("Redis has version `{}`", self.version),
                format!("use {}.{} or newer", LEAST_VERSION.0, LEAST_VERSION.1),
            );
        }
        if self.eviction != "noeviction" {
            return unfit(
                format!("Redis may evict state: maxmemory-policy is `{}`", self.eviction),
                "set maxmemory-policy to noeviction, for good in redis.conf".to_owned(),
            );
        }
        match (self.cluster, in_cluster) {
            (true, false) => unfit(
                "Redis runs in cluster mode, one connection does not reach all its slots".to_owned(),
                "write its address as redis+cluster:// or rediss+cluster://".to_owned(),
            ),
            (false, true) => unfit(
                "Redis does not run in cluster mode".to_owned(),
                "write its address as redis:// or redis+sentinel://".to_owned(),
            ),
            _ => Ok(()),
        }
    }
}

/// Refuses a clock that is far from ours: wake times of conversations are compared with it.
pub(super) fn check_clock(server_ms: u64, our_ms: u64) -> Result<(), StoreError> {
    let difference = Duration::from_millis(server_ms.abs_diff(our_ms));
    if difference <= CLOCK_DIFFERENCE {
        return Ok(());
    }
    unfit(
        format!("the clock of Redis and ours differ by {difference:?}"),
        format!("synchronise both to within {CLOCK_DIFFERENCE:?}"),
    )
}

/// Our clock, in milliseconds since 1970.
pub(super) fn our_clock_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}

fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.').map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Some((major, minor)),
        _ => None,
    }
}

fn unfit(problem: String, remedy: String) -> Result<(), StoreError> {
    Err(StoreError::Unfit { problem, remedy })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIT: &str = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n# Memory\r\n\
        maxmemory_policy:noeviction\r\n# Persistence\r\naof_enabled:1\r\n# Replication\r\nrole:master\r\nconnected_slaves:2\r\n\
        # Cluster\r\ncluster_enabled:0\r\n";

    fn problem_of(info: &str) -> String {
        match Facts::of_info(info).check(false) {
            Err(StoreError::Unfit { problem, .. }) => problem,
            other => panic!("the server should be unfit, not {other:?}"),
        }
    }

    #[test]
    fn a_fit_server_is_taken() {
        let facts = Facts::of_info(FIT);
        assert!(facts.check(false).is_ok());
        let kept = Keeping {
            append_only: true,
            replicas: 2,
        };
        assert_eq!(facts.keeping(), kept);
    }

    #[test]
    fn versions_before_seven_are_refused() {
        for version in ["6.2.14", "5.0.0", "", "seven", "6"] {
            let problem = problem_of(&FIT.replace("7.0.15", version));
            assert!(problem.contains(&format!("version `{version}`")), "{problem}");
        }
        for version in ["7.0.0", "7.2.4", "8.4.0", "10.0"] {
            assert!(
                Facts::of_info(&FIT.replace("7.0.15", version)).check(false).is_ok(),
                "{version}"
            );
        }
    }

    #[test]
    fn every_other_eviction_policy_is_refused() {
        for policy in ["allkeys-lru", "volatile-ttl", ""] {
            let problem = problem_of(&FIT.replace("noeviction", policy));
            assert!(problem.contains(policy), "{problem}");
        }
    }

    #[test]
    fn a_member_of_a_cluster_is_taken_only_as_one() {
        let member = FIT.replace("cluster_enabled:0", "cluster_enabled:1");
        assert!(problem_of(&member).contains("cluster mode"));
        assert!(Facts::of_info(&member).check(true).is_ok());
        assert!(Facts::of_info(FIT).check(true).is_err());
    }

    #[test]
    fn a_replica_is_no_primary() {
        assert!(Facts::of_info(FIT).is_primary());
        assert!(!Facts::of_info(&FIT.replace("role:master", "role:slave")).is_primary());
    }

    #[test]
    fn an_answer_that_says_nothing_is_refused() {
        assert!(Facts::of_info("").check(false).is_err());
    }

    #[test]
    fn clocks_may_differ_by_five_seconds_in_both_directions() {
        assert!(check_clock(105_000, 100_000).is_ok());
        assert!(check_clock(95_000, 100_000).is_ok());
        assert!(check_clock(105_001, 100_000).is_err());
        assert!(check_clock(94_999, 100_000).is_err());
    }
}
