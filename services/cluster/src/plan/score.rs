//! Weighted rendezvous hashing: every pair of shard and node has a score, and the highest wins.
//!
//! A node of twice the weight wins twice as often, and one that comes or goes changes nothing between the others. The score
//! is `weight / -ln(u)` with `u` uniform in (0, 1) (Schindelhauer and Schomaker, 2005).

use trunkline_store::key::ShardId;
use xxhash_rust::xxh3::xxh3_64;

/// What stands for a node: its name, so that it gets its shards again after a restart.
pub(super) fn node_hash(name: &str) -> u64 {
    xxh3_64(name.as_bytes())
}

/// What stands for a shard.
pub(super) fn shard_hash(shard: ShardId) -> u64 {
    xxh3_64(&shard.0.to_le_bytes())
}

/// How far a node is from a shard, in [0, 1): `1 - u`. Of nodes with equal weights the nearest has the highest score.
// 53 bits fit an f64 exactly.
#[allow(clippy::cast_precision_loss)]
pub(super) fn distance(node: u64, shard: u64) -> f64 {
    const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;
    (mixed(node ^ shard) >> 11) as f64 * UNIT
}

/// The end of splitmix64: every bit of the result depends on every bit of the value.
fn mixed(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// The score of a node, if it is above `best`. Most are not, and are told by a product: `-ln(1 - d) >= d`.
pub(super) fn score_above(best: f64, weight: f64, distance: f64) -> Option<f64> {
    if best * distance >= weight {
        return None;
    }
    let score = weight / -(-distance).ln_1p();
    (score > best).then_some(score)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_wins_as_often_as_its_weight_says() {
        let nodes = [("a", 1.0), ("b", 2.0), ("c", 5.0)].map(|(name, weight)| (node_hash(name), weight));
        let mut wins = [0_u32; 3];
        for shard in (0..80_000).map(ShardId).map(shard_hash) {
            let mut best = (0.0, 0);
            for (place, &(node, weight)) in nodes.iter().enumerate() {
                if let Some(score) = score_above(best.0, weight, distance(node, shard)) {
                    best = (score, place);
                }
            }
            wins[best.1] += 1;
        }
        for (wins, expected) in wins.into_iter().zip([10_000, 20_000, 50_000]) {
            assert!(wins.abs_diff(expected) < expected / 20, "{wins} wins, not {expected}");
        }
    }

    #[test]
    fn the_quick_refusal_refuses_nothing_that_would_win() {
        for step in 1..1_000_u32 {
            let distance = f64::from(step) / 1_000.0;
            let score = 3.0 / -(-distance).ln_1p();
            assert_eq!(score_above(score * 0.999_999, 3.0, distance), Some(score));
            assert_eq!(score_above(score, 3.0, distance), None);
        }
    }
}
