//! An estimate of how the audio sounds, by the E-model of ITU-T G.107.

use std::time::Duration;

use crate::codec::Codec;

/// Delay of the host and of a peer's buffer that no measurement shows, in milliseconds.
const FIXED_DELAY: f64 = 40.0;

/// Mean opinion score, 1 to 4.5, from round trip, jitter and the share of packets lost (0 to 1).
///
/// The robustness against loss is tabulated for G.711 with concealment (G.113). ITU gives no value for Opus: ours is an
/// assumption, so this is an estimate wherever it is shown.
pub fn opinion_score(codec: Codec, round_trip: Duration, jitter: Duration, lost: f64) -> f64 {
    let delay = round_trip.as_secs_f64() * 500.0 + 2.0 * jitter.as_secs_f64() * 1000.0 + FIXED_DELAY;
    let delay_impairment = 0.024 * delay + 0.11 * (delay - 177.3).max(0.0);
    let robustness = match codec {
        Codec::Opus => 15.0,
        Codec::Pcmu | Codec::Pcma => 25.0,
    };
    let percent = lost.clamp(0.0, 1.0) * 100.0;
    let loss_impairment = 95.0 * percent / (percent + robustness);
    let rating = (93.2 - delay_impairment - loss_impairment).clamp(0.0, 100.0);
    (1.0 + 0.035 * rating + 7e-6 * rating * (rating - 60.0) * (100.0 - rating)).clamp(1.0, 4.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_falls_with_loss_and_delay() {
        let at =
            |milliseconds, lost| opinion_score(Codec::Pcmu, Duration::from_millis(milliseconds), Duration::ZERO, lost);
        assert!(at(20, 0.0) > 4.3);
        assert!(at(20, 0.05) < at(20, 0.01));
        assert!(at(600, 0.0) < at(100, 0.0));
        assert!(at(5_000, 1.0) >= 1.0);
    }
}
