//! Which media hosts there are. A host announces itself again and again and is forgotten when it stops, so a dead one is gone
//! after one life; the store does not read what a host says of itself.

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::StoreError;

/// Longest name of a media host in bytes.
pub const MEDIA_NAME_BYTES: usize = 256;
/// Largest entry of a media host in bytes.
pub const MEDIA_ENTRY_BYTES: usize = 4 * 1024;

/// What a media host says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaEntry {
    /// Its name, up to [`MEDIA_NAME_BYTES`]: another for each host, the same in each announcement of it.
    pub name: String,
    /// Where it is and how it does, up to [`MEDIA_ENTRY_BYTES`].
    pub entry: Bytes,
}

/// What every store engine knows of media hosts. Like beats, none of it is held up by commits.
pub trait MediaBook: Send + Sync + 'static {
    /// Says that a host lives, for `life_ms` from now, at least 1; in place of what it said before.
    fn announce_media(&self, host: MediaEntry, life_ms: u64) -> BoxFuture<'_, Result<(), StoreError>>;
    /// Removes a host that ends.
    fn withdraw_media<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;
    /// The hosts whose life has not run out, by name.
    fn media_hosts(&self) -> BoxFuture<'_, Result<Vec<MediaEntry>, StoreError>>;
}
