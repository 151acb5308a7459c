//! What operators see of the set-up of legs, of what they do not take, and of what is wrong with their sound.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Unit;

use super::overflow::socket_overflow;
use super::series::encode_counters;
use crate::codecs::CodecFigures;
use crate::control::{Host, Setups, Step};
use crate::leg::{EndReason, Mode, Standing};
use crate::thread::{Figures, REFUSED};

/// A family of counters with one label.
type Family<'a> = (&'static str, &'static str, &'static str, Vec<(&'a str, u64)>);

pub(super) fn encode_legs(encoder: &mut DescriptorEncoder<'_>, host: &Host) -> Result<(), fmt::Error> {
    encode_standing(encoder, host)?;
    encode_setups(encoder, host.tally().setups())?;
    let mut refused = [0; REFUSED.len()];
    for figures in host.threads().figures() {
        for (sum, count) in refused.iter_mut().zip(figures.refused()) {
            *sum += count;
        }
    }
    let [checks, _, _, forged, ..] = refused;
    let ended = |reason| {
        let mut all = host.tally().ended();
        all.find(|(known, _)| *known == reason).map_or(0, |(_, count)| count)
    };
    let families: [Family<'_>; 4] = [
        (
            "packets_dropped",
            "Datagrams that legs did not take, of legs that ended",
            "reason",
            REFUSED.into_iter().zip(refused).collect(),
        ),
        (
            "auth_failures",
            "What did not prove who it is: checks and packets of legs that ended, certificates, tokens",
            "layer",
            vec![
                ("ice", checks),
                ("dtls", ended(EndReason::WrongCertificate)),
                ("srtp", forged),
                ("whip", host.tally().unauthorised()),
            ],
        ),
        (
            "alarms",
            "Times that something was wrong with the sound of a leg",
            "kind",
            host.tally()
                .alarms()
                .map(|(alarm, count)| (alarm.name(), count))
                .collect(),
        ),
        (
            "ring_dropped",
            "Packets and frames that found a ring full",
            "ring",
            vec![
                ("recording", host.tally().gap_packets()),
                ("bridge", host.threads().sum(Figures::bridged_lost)),
                ("codec", host.codecs().sum(CodecFigures::dropped)),
                ("live", host.codecs().sum(CodecFigures::unheard)),
            ],
        ),
    ];
    for (name, help, label, counts) in families {
        let name = format!("trunkline_media_{name}");
        let mut family = encoder.encode_descriptor(&name, help, None, MetricType::Counter)?;
        for (value, count) in counts {
            ConstCounter::new(count).encode(family.encode_family(&[(label, value)])?)?;
        }
    }
    let orphaned = (
        "orphaned",
        "Legs that ended because no worker cared for them",
        ended(EndReason::Orphaned),
    );
    let overflow = socket_overflow().map(|lost| {
        (
            "socket_overflow",
            "Datagrams that found the buffer of a UDP socket full, in this network namespace",
            lost,
        )
    });
    encode_counters(encoder, std::iter::once(orphaned).chain(overflow))
}

/// Legs by how they stand, and by what their sound is for. Without a peer, and when the sound has ended, it is for nothing.
fn encode_standing(encoder: &mut DescriptorEncoder<'_>, host: &Host) -> Result<(), fmt::Error> {
    let mut family = encoder.encode_descriptor(
        "trunkline_media_legs",
        "Legs by how they stand, and by what is done with their sound",
        None,
        MetricType::Gauge,
    )?;
    let (all, waiting) = (host.legs() as u64, host.legs_without_peer() as u64);
    let mut with_sound = 0;
    for (is_connected, state) in [(false, "connecting"), (true, "connected")] {
        for mode in Mode::ALL {
            let standing = Standing { is_connected, mode };
            let count = host.threads().sum(|thread| thread.census().count(standing));
            with_sound += count;
            let labels = [("state", state), ("mode", mode.name())];
            family.encode_family(&labels)?.encode_gauge(&count)?;
        }
    }
    let ending = all.saturating_sub(waiting + with_sound);
    for (state, count) in [("waiting", waiting), ("ending", ending)] {
        let labels = [("state", state), ("mode", "none")];
        family.encode_family(&labels)?.encode_gauge(&count)?;
    }
    Ok(())
}

fn encode_setups(encoder: &mut DescriptorEncoder<'_>, setups: &Setups) -> Result<(), fmt::Error> {
    let mut family = encoder.encode_descriptor(
        "trunkline_media_leg_setup",
        "How long each step of a set-up took, from the one before",
        Some(&Unit::Seconds),
        MetricType::Histogram,
    )?;
    for step in Step::ALL {
        let (sum, buckets) = (setups.of(step).sum(), setups.of(step).buckets());
        let count = buckets.iter().map(|(_, count)| count).sum();
        let step = [("step", step.name())];
        let mut histogram = family.encode_family(&step)?;
        histogram.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
    }
    Ok(())
}
