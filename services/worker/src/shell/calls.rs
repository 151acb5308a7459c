//! Which calls of a thread's shards are under way: what the gauge of calls shows.

use std::cell::RefCell;
use std::collections::HashMap;

use prometheus_client::metrics::gauge::Gauge;
use trunkline_store::key::{Key, ShardId};

/// The calls under way in the shards that this thread serves, as far as it has heard of them. A call is under way also while its
/// actor is not in memory, as between two notifications; one that another process led is known from its first event here on.
#[derive(Debug, Default)]
pub(crate) struct CallsUnderWay {
    /// Each call with the gauge that counts it.
    shards: RefCell<HashMap<ShardId, HashMap<Key, Gauge>>>,
}

impl CallsUnderWay {
    /// The shard is served from now on.
    pub(crate) fn serve(&self, shard: ShardId) {
        self.shards.borrow_mut().entry(shard).or_default();
    }

    /// The shard is served no more: its calls are counted elsewhere.
    pub(crate) fn leave(&self, shard: ShardId) {
        let calls = self.shards.borrow_mut().remove(&shard);
        for gauge in calls.into_iter().flat_map(HashMap::into_values) {
            gauge.dec();
        }
    }

    /// The call stands so now. An actor of a shard that has left changes nothing.
    pub(crate) fn note(&self, shard: ShardId, call: Key, is_under_way: bool, gauge: &Gauge) {
        let mut shards = self.shards.borrow_mut();
        let Some(calls) = shards.get_mut(&shard) else { return };
        if is_under_way {
            calls.entry(call).or_insert_with(|| {
                gauge.inc();
                gauge.clone()
            });
        } else if let Some(gauge) = calls.remove(&call) {
            gauge.dec();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_store::key::Triple;

    #[test]
    fn a_call_counts_once_until_it_is_over_or_its_shard_leaves() {
        let (calls, gauge) = (CallsUnderWay::default(), Gauge::default());
        let (here, elsewhere) = (ShardId(1), ShardId(2));
        let [first, second] = ["a", "b"].map(|key| Triple::call("test", key).key());
        calls.serve(here);
        for _ in 0..2 {
            calls.note(here, first, true, &gauge);
        }
        calls.note(here, second, true, &gauge);
        calls.note(elsewhere, first, true, &gauge);
        assert_eq!(gauge.get(), 2);
        for _ in 0..2 {
            calls.note(here, first, false, &gauge);
        }
        assert_eq!(gauge.get(), 1);
        calls.leave(here);
        calls.note(here, second, true, &gauge);
        assert_eq!(gauge.get(), 0, "its actor is late");
    }
}
