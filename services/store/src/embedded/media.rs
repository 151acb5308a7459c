//! Media hosts: the rules of the scripts `media_announce` and `media_hosts` as a value. One process uses the store, so its host
//! lives and ends with it, and nothing of this stands in the file.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::EmbeddedStore;
use crate::contract::{MediaBook, MediaEntry, StoreError};
use crate::limits;

/// The hosts with the ends of their lives.
#[derive(Debug, Default)]
pub(super) struct MediaHosts(BTreeMap<String, (u64, Bytes)>);

impl MediaHosts {
    fn announce(&mut self, host: MediaEntry, life_ms: u64, now_ms: u64) {
        self.0.retain(|_, (ends_ms, _)| *ends_ms > now_ms);
        let ends_ms = now_ms.saturating_add(life_ms.max(1));
        self.0.insert(host.name, (ends_ms, host.entry));
    }

    fn living(&self, now_ms: u64) -> Vec<MediaEntry> {
        let living = self.0.iter().filter(|(_, (ends_ms, _))| *ends_ms > now_ms);
        let entry = |(name, (_, entry)): (&String, &(u64, Bytes))| MediaEntry {
            name: name.clone(),
            entry: entry.clone(),
        };
        living.map(entry).collect()
    }
}

impl MediaBook for EmbeddedStore {
    fn announce_media(&self, host: MediaEntry, life_ms: u64) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            limits::media(&host)?;
            self.media_book()?.announce(host, life_ms, self.clock.now());
            Ok(())
        }
        .boxed()
    }

    fn withdraw_media<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            self.media_book()?.0.remove(name);
            Ok(())
        }
        .boxed()
    }

    fn media_hosts(&self) -> BoxFuture<'_, Result<Vec<MediaEntry>, StoreError>> {
        async move { Ok(self.media_book()?.living(self.clock.now())) }.boxed()
    }
}
