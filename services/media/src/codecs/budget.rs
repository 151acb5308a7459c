//! What codec work costs, and how much of it a thread takes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::NoCodecs;
use crate::codec::Codec;

/// What a thread may be charged with, in microseconds of each 20 ms: 65 % of a core, as for media threads. The rest is for what
/// comes at the same moment, and for the machine's other work.
const LIMIT: u32 = 13_000;

/// Something that a codec thread does for a leg, frame by frame.
///
/// Its price is what a frame of 20 ms takes, in microseconds: `cargo bench -p trunkline-media --bench codecs` measures it
/// (`docs/media.md` has the figures), and a price is that of a slow round, rounded up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Finds speech in Opus.
    Speech,
    /// Finds keys in what a leg hears.
    Keys(Codec),
    /// Makes frames of what a leg hears.
    Listen(Codec),
    /// Makes packets of frames.
    Speak(Codec),
    /// Makes packets of the one codec into packets of the other.
    Transcode(Codec, Codec),
    /// Makes one recording of both directions of a leg.
    Mix(Codec),
}

impl Purpose {
    /// Both ways of a leg whose sound somebody follows.
    pub const fn live(codec: Codec) -> [Self; 2] {
        [Self::Listen(codec), Self::Speak(codec)]
    }

    /// What is done for whoever follows the sound of a leg and may speak on it, or not.
    pub const fn followed(codec: Codec, hears_only: bool) -> &'static [Self] {
        match (codec, hears_only) {
            (Codec::Opus, false) => const { &Self::live(Codec::Opus) },
            (Codec::Pcmu, false) => const { &Self::live(Codec::Pcmu) },
            (Codec::Pcma, false) => const { &Self::live(Codec::Pcma) },
            (Codec::Opus, true) => &[Self::Listen(Codec::Opus)],
            (Codec::Pcmu, true) => &[Self::Listen(Codec::Pcmu)],
            (Codec::Pcma, true) => &[Self::Listen(Codec::Pcma)],
        }
    }

    /// Microseconds of each 20 ms.
    pub const fn price(self) -> u32 {
        match self {
            Self::Speech => 20,
            Self::Keys(Codec::Opus) => 24,
            Self::Listen(Codec::Opus) => 40,
            Self::Speak(Codec::Opus) => 60,
            Self::Transcode(Codec::Opus, _) => 30,
            Self::Transcode(_, Codec::Opus) => 50,
            Self::Listen(_) => 12,
            Self::Speak(_) | Self::Keys(_) => 8,
            // Two directions to decode, one packet to encode.
            Self::Mix(codec) => 2 * Self::Listen(codec).price() + Self::Speak(Codec::Opus).price(),
            Self::Transcode(..) => 4,
        }
    }

    /// The price of all of them.
    pub fn sum(purposes: &[Self]) -> u32 {
        purposes.iter().map(|purpose| purpose.price()).sum()
    }
}

/// What threads are charged with.
#[derive(Debug)]
pub(super) struct Budget {
    used: Box<[AtomicU32]>,
}

impl Budget {
    pub(super) fn new(threads: u8) -> Self {
        Self {
            used: (0..threads).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    /// Charges the thread that has most room.
    pub(super) fn claim(self: &Arc<Self>, price: u32) -> Result<Seat, NoCodecs> {
        let charged = |thread: &usize| self.used[*thread].load(Ordering::Relaxed);
        let mut threads: Vec<usize> = (0..self.used.len()).collect();
        threads.sort_by_key(charged);
        let with_it = |used: u32| used.checked_add(price).filter(|sum| *sum <= LIMIT);
        // Another one may have been charged meanwhile.
        let thread = threads.into_iter().find(|thread| {
            let used = &self.used[*thread];
            used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with_it).is_ok()
        });
        let thread = thread.ok_or(NoCodecs::NoRoom)?;
        Ok(Seat {
            budget: self.clone(),
            thread,
            price: AtomicU32::new(price),
        })
    }

    pub(super) fn used(&self) -> u32 {
        self.used.iter().map(|used| used.load(Ordering::Relaxed)).sum()
    }

    pub(super) fn limit(&self) -> u32 {
        let threads = u32::try_from(self.used.len()).unwrap_or(u32::MAX);
        LIMIT.saturating_mul(threads)
    }
}

/// Room on a codec thread. It is free again when this is dropped.
#[derive(Debug)]
pub struct Seat {
    budget: Arc<Budget>,
    thread: usize,
    price: AtomicU32,
}

impl Seat {
    pub(super) fn thread(&self) -> usize {
        self.thread
    }

    /// Gives back what is more than this: the codec is known by now.
    pub fn lower_to(&self, price: u32) {
        let before = self.price.fetch_min(price, Ordering::Relaxed);
        self.give_back(before.saturating_sub(price));
    }

    fn give_back(&self, price: u32) {
        self.budget.used[self.thread].fetch_sub(price, Ordering::Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.give_back(self.price.load(Ordering::Relaxed));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_and_fits_when_something_has_ended() {
        let budget = Arc::new(Budget::new(2));
        let seats: Vec<_> = (0..4).map(|_| budget.claim(LIMIT / 2).unwrap()).collect();
        let threads: Vec<_> = seats.iter().map(Seat::thread).collect();
        assert_eq!(threads, [0, 1, 0, 1], "the one with most room is charged");
        assert_eq!((budget.used(), budget.limit()), (2 * LIMIT, 2 * LIMIT));
        assert_eq!(budget.claim(1).err(), Some(NoCodecs::NoRoom));
        drop(seats.into_iter().nth(1));
        assert_eq!(budget.used(), 0);
        assert_eq!(budget.claim(LIMIT + 1).err(), Some(NoCodecs::NoRoom));
    }

    #[test]
    fn a_seat_gives_back_what_the_codec_does_not_need() {
        let budget = Arc::new(Budget::new(1));
        let opus = Purpose::sum(&Purpose::live(Codec::Opus));
        let seat = budget.claim(opus).unwrap();
        let pcmu = Purpose::sum(&Purpose::live(Codec::Pcmu));
        seat.lower_to(pcmu);
        seat.lower_to(opus);
        assert_eq!(budget.used(), pcmu);
        drop(seat);
        assert_eq!(budget.used(), 0);
    }

    proptest::proptest! {
        /// Whatever is claimed, no thread is charged with more than its limit, and all is given back.
        #[test]
        fn nobody_is_charged_with_more_than_it_can_do(prices in proptest::collection::vec(0u32..LIMIT, 0..50)) {
            let budget = Arc::new(Budget::new(3));
            let seats: Vec<_> = prices.iter().filter_map(|price| budget.claim(*price).ok()).collect();
            for used in &budget.used {
                proptest::prop_assert!(used.load(Ordering::Relaxed) <= LIMIT);
            }
            drop(seats);
            proptest::prop_assert_eq!(budget.used(), 0);
        }
    }
}
