//! The settings of a media thread.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::ice::HIGHEST_SLOT;
use crate::patience::Patience;

/// How the peers of a thread reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ports {
    /// All legs share one port; 0 lets the system choose.
    Single(u16),
    /// Each leg has its own, from a range that no other thread uses.
    Range(RangeInclusive<u16>),
}

/// The settings of a media thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadConfig {
    /// Counts the threads of a host, from 0.
    pub number: u8,
    /// Number of this host in user fragments, at most [`crate::ice::HIGHEST_HOST`].
    pub host: u16,
    /// The local address.
    pub bind: IpAddr,
    /// The addresses that answers name; may differ from the local one. Not empty.
    pub advertised: Vec<IpAddr>,
    /// One port, or a range.
    pub ports: Ports,
    /// Legs at a time; beyond them none is opened.
    pub legs: u32,
    /// Goes before all usual work of the machine, where the system permits it.
    pub is_realtime: bool,
    /// How long peers are waited for.
    pub patience: Patience,
}

impl ThreadConfig {
    /// Legs of a thread unless set otherwise.
    pub const DEFAULT_LEGS: u32 = 2_000;

    /// A thread for peers on this machine.
    pub fn loopback(ports: Ports) -> Self {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        Self {
            number: 0,
            host: 0,
            bind: loopback,
            advertised: vec![loopback],
            ports,
            legs: Self::DEFAULT_LEGS,
            is_realtime: false,
            patience: Patience::default(),
        }
    }

    pub(super) fn legs_limit(&self) -> usize {
        self.legs.min(HIGHEST_SLOT) as usize
    }
}
