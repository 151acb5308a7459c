//! The media threads of a host: each has its own sockets and legs, and a leg stays where it was opened.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::{EVENTS, Events, Figures, LegError, LegKey, MediaThread, OpenError, Opened, Ports, ThreadConfig};
use crate::dtls::Identity;
use crate::sdp::Negotiated;

/// Running media threads. Dropping them ends them and their legs.
pub struct MediaThreads(Vec<MediaThread>);

impl MediaThreads {
    /// Starts so many threads, at least one. A range of ports, and the number of legs, is divided among them; of a single port each
    /// further thread has the next one.
    ///
    /// # Errors
    /// A port is not free, a range has fewer ports than there are threads, or the system has no thread.
    pub fn start(config: &ThreadConfig, threads: u8, identity: &Arc<Identity>) -> io::Result<(Self, Events)> {
        let (events, receiver) = mpsc::channel(EVENTS);
        let configs = divided(config, threads.max(1))?;
        let started = configs
            .into_iter()
            .map(|config| MediaThread::start_telling(config, identity.clone(), events.clone()));
        Ok((Self(started.collect::<io::Result<_>>()?), receiver))
    }

    /// A new leg for a peer whose offer was taken: on the thread of another leg if it is to be bridged with that, else on the one
    /// with the fewest.
    ///
    /// # Errors
    /// That thread has no room, or is late.
    pub async fn open(&self, negotiated: Negotiated, near: Option<LegKey>) -> Result<Opened, OpenError> {
        let emptiest = || self.0.iter().min_by_key(|thread| thread.figures().legs());
        let thread = near.and_then(|near| self.get(near)).or_else(emptiest);
        thread.ok_or(OpenError::Busy)?.open(negotiated).await
    }

    /// The thread of a leg.
    ///
    /// # Errors
    /// There never was such a leg.
    pub fn of(&self, leg: LegKey) -> Result<&MediaThread, LegError> {
        self.get(leg).ok_or(LegError::Gone)
    }

    fn get(&self, leg: LegKey) -> Option<&MediaThread> {
        self.0.get(usize::from(leg.thread))
    }

    /// Each thread in figures.
    pub fn figures(&self) -> impl Iterator<Item = &Figures> {
        self.0.iter().map(MediaThread::figures)
    }

    /// A figure of all threads together.
    pub fn sum(&self, figure: impl Fn(&Figures) -> u64) -> u64 {
        self.figures().map(figure).sum()
    }

    /// How late the latest thread is.
    pub fn lag(&self) -> Duration {
        self.figures().map(Figures::lag).max().unwrap_or_default()
    }
}

fn divided(config: &ThreadConfig, threads: u8) -> io::Result<Vec<ThreadConfig>> {
    let wrong = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
    let count = u16::from(threads);
    let legs = config.legs.div_ceil(u32::from(count));
    let ports = |number: u16| match &config.ports {
        Ports::Single(0) => Ok(Ports::Single(0)),
        Ports::Single(first) => first
            .checked_add(number)
            .map(Ports::Single)
            .ok_or_else(|| wrong("there is no UDP port for each media thread")),
        Ports::Range(range) => {
            let all = u32::from(range.end().saturating_sub(*range.start())) + 1;
            // 32 bits hold the product of two of 16.
            let first = |number: u16| all * u32::from(number) / u32::from(count);
            let (from, until) = (first(number), first(number + 1));
            let port = |ahead: u32| u16::try_from(u32::from(*range.start()) + ahead).ok();
            let own = (from < until).then(|| Some(port(from)?..=port(until - 1)?)).flatten();
            own.map(Ports::Range)
                .ok_or_else(|| wrong("there are fewer UDP ports than media threads"))
        }
    };
    (0..threads)
        .map(|number| {
            Ok(ThreadConfig {
                number,
                ports: ports(u16::from(number))?,
                legs,
                ..config.clone()
            })
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn ports(of: Ports, threads: u8) -> Option<Vec<Ports>> {
        let divided = divided(&ThreadConfig::loopback(of), threads).ok()?;
        Some(divided.into_iter().map(|config| config.ports).collect())
    }

    #[test]
    fn each_thread_has_ports_of_its_own() {
        assert_eq!(
            ports(Ports::Single(20_000), 2),
            Some(vec![Ports::Single(20_000), Ports::Single(20_001)])
        );
        assert_eq!(ports(Ports::Single(u16::MAX), 2), None);
        assert_eq!(
            ports(Ports::Range(20_000..=29_999), 3),
            Some(vec![
                Ports::Range(20_000..=23_332),
                Ports::Range(23_333..=26_665),
                Ports::Range(26_666..=29_999)
            ])
        );
        assert_eq!(
            ports(Ports::Range(0..=u16::MAX), 1),
            Some(vec![Ports::Range(0..=u16::MAX)])
        );
        assert_eq!(ports(Ports::Range(5..=6), 3), None);
    }

    #[test]
    fn the_legs_of_a_host_are_divided_and_none_is_lost() {
        let config = ThreadConfig {
            legs: 5,
            ..ThreadConfig::loopback(Ports::Single(0))
        };
        let divided = divided(&config, 2).unwrap();
        assert_eq!(
            divided
                .iter()
                .map(|config| (config.number, config.legs))
                .collect::<Vec<_>>(),
            [(0, 3), (1, 3)]
        );
    }
}
