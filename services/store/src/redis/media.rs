//! Media hosts: one hash on the key tag `{tl}`, on the connection of beats, so that commits hold nothing up.

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use redis::Value;

use super::membership::{beats, on_keys};
use super::tags::{MEDIA, META};
use super::{RedisStore, read};
use crate::contract::{MediaBook, MediaEntry, StoreError};
use crate::limits;

const ANNOUNCING: &str = "announcing a media host";
const WITHDRAWING: &str = "withdrawing a media host";
const LISTING: &str = "listing media hosts";

impl RedisStore {
    async fn run_announce_media(&self, host: MediaEntry, life_ms: u64) -> Result<(), StoreError> {
        limits::media(&host)?;
        let command = |by| {
            let mut command = on_keys(&self.scripts.media_announce, by, &[META, MEDIA], host.entry.len());
            command
                .arg(self.cluster())
                .arg(&host.name)
                .arg(host.entry.as_ref())
                .arg(life_ms.max(1));
            command
        };
        self.run_script(beats(ANNOUNCING), command).await?;
        Ok(())
    }

    async fn run_withdraw_media(&self, name: &str) -> Result<(), StoreError> {
        let mut command = redis::cmd("HDEL");
        command.arg(MEDIA).arg(name);
        let _: Value = self.run(beats(WITHDRAWING), &command).await?;
        Ok(())
    }

    async fn run_media_hosts(&self) -> Result<Vec<MediaEntry>, StoreError> {
        let command = |by| {
            let mut command = on_keys(&self.scripts.media_hosts, by, &[META, MEDIA], 0);
            command.arg(self.cluster());
            command
        };
        let answer = self.run_script(beats(LISTING), command).await?;
        let hosts: Vec<(String, Bytes)> = read(LISTING, answer)?;
        let entry = |(name, entry)| MediaEntry { name, entry };
        let mut hosts: Vec<MediaEntry> = hosts.into_iter().map(entry).collect();
        hosts.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(hosts)
    }
}

impl MediaBook for RedisStore {
    fn announce_media(&self, host: MediaEntry, life_ms: u64) -> BoxFuture<'_, Result<(), StoreError>> {
        self.run_announce_media(host, life_ms).boxed()
    }

    fn withdraw_media<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.run_withdraw_media(name).boxed()
    }

    fn media_hosts(&self) -> BoxFuture<'_, Result<Vec<MediaEntry>, StoreError>> {
        self.run_media_hosts().boxed()
    }
}
