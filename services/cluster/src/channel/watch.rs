//! A value made of files that is made anew when they change.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus_client::metrics::counter::Counter;
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::xxh3_128;

use super::error::TlsError;
use super::pem::PemFile;

type Contents<const FILES: usize> = [Vec<u8>; FILES];
type Make<T, const FILES: usize> = Box<dyn Fn(&Contents<FILES>) -> Result<T, TlsError> + Send + Sync>;

/// A value made of files, made anew when their contents change. Contents that cannot be used leave the last good value in
/// use.
///
/// Contents are compared, not times: a mounted secret is replaced by renaming links, and time stamps of containers lie.
pub struct Watched<T, const FILES: usize> {
    files: [PemFile; FILES],
    interval: Duration,
    make: Make<T, FILES>,
    in_use: ArcSwap<T>,
    first: Fingerprint<FILES>,
}

/// What the files held. All are compared, because a renewal may write them one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fingerprint<const FILES: usize>([u128; FILES]);

/// Why the last look found nothing to use: told once, not at every look.
#[derive(Debug, PartialEq, Eq)]
enum Trouble<const FILES: usize> {
    Unreadable,
    Unusable(Fingerprint<FILES>),
}

impl<T, const FILES: usize> Watched<T, FILES> {
    /// Reads the files for the first time. `make` gets their contents in the same order.
    ///
    /// # Errors
    /// A file that cannot be read, or what `make` says of the contents.
    pub async fn load(
        files: [PemFile; FILES],
        interval: Duration,
        make: impl Fn(&[Vec<u8>; FILES]) -> Result<T, TlsError> + Send + Sync + 'static,
    ) -> Result<Self, TlsError> {
        let (first, contents) = read(&files).await?;
        let value = make(&contents)?;
        Ok(Self {
            files,
            interval,
            make: Box::new(make),
            in_use: ArcSwap::from_pointee(value),
            first,
        })
    }

    /// The value that holds now.
    pub fn current(&self) -> Arc<T> {
        self.in_use.load_full()
    }

    /// Looks at the files again and again until `stop`, and counts new values and contents that could not be used.
    pub async fn keep_fresh(&self, stop: CancellationToken, reloads: Counter, failures: Counter) {
        let mut in_use = self.first;
        let mut trouble = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.interval) => {}
            }
            let (now, error) = match self.look(&mut in_use).await {
                Ok(Look::Same) => (None, None),
                Ok(Look::Changed) => {
                    reloads.inc();
                    tracing::info!(files = %self, "changed certificate files taken into use");
                    (None, None)
                }
                Err((now, error)) => (Some(now), Some(error)),
            };
            if let Some(error) = error.filter(|_| now != trouble) {
                failures.inc();
                report(&error);
            }
            trouble = now;
        }
    }

    /// Contents that cannot be used are tried again at the next look: some are only not valid yet.
    async fn look(&self, in_use: &mut Fingerprint<FILES>) -> Result<Look, (Trouble<FILES>, TlsError)> {
        let (found, contents) = read(&self.files).await.map_err(|error| (Trouble::Unreadable, error))?;
        if found == *in_use {
            return Ok(Look::Same);
        }
        match (self.make)(&contents) {
            Ok(value) => {
                self.in_use.store(Arc::new(value));
                *in_use = found;
                Ok(Look::Changed)
            }
            Err(error) => Err((Trouble::Unusable(found), error)),
        }
    }
}

enum Look {
    Same,
    Changed,
}

impl<T, const FILES: usize> fmt::Display for Watched<T, FILES> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, file) in self.files.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(formatter, "{separator}{file}")?;
        }
        Ok(())
    }
}

impl<T, const FILES: usize> fmt::Debug for Watched<T, FILES> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Watched")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

async fn read<const FILES: usize>(files: &[PemFile; FILES]) -> Result<(Fingerprint<FILES>, Contents<FILES>), TlsError> {
    let mut contents = [const { Vec::new() }; FILES];
    for (file, contents) in files.iter().zip(&mut contents) {
        *contents = file.read().await?;
    }
    let fingerprint = contents.each_ref().map(|contents| xxh3_128(contents));
    Ok((Fingerprint(fingerprint), contents))
}

fn report(error: &TlsError) {
    let reason = std::error::Error::source(error)
        .map(ToString::to_string)
        .unwrap_or_default();
    tracing::error!(%error, reason, "changed certificate files cannot be used, what they held before stays in use");
}
