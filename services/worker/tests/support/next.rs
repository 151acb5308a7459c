//! The next version of Trunkline, as far as its records go: this code behind a store whose records have a newer format, and a
//! field that this version does not know.
//!
//! Of a field that stands twice in a protobuf message the last one counts, so both are appended. Its own reader takes them
//! off again; the format that it reads is told with its beats.

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::FutureExt as _;
use trunkline_store::SharedStore;
use trunkline_store::contract::{Beat, Commit, Committed, Loaded, Pulse};
use trunkline_store::key::{Key, ShardId};

use super::layered::{Answer, Layer, Layered};

/// The format of the next version: two bytes as a varint, far above any that this version reads.
pub const NEXT_FORMAT: u32 = 1_000;
#[allow(clippy::cast_possible_truncation, reason = "of two times seven bits")]
const VARINT: [u8; 2] = [0x80 | (NEXT_FORMAT & 0x7f) as u8, (NEXT_FORMAT >> 7) as u8];
/// Key of field 1, a number: the format of records and of inbox entries.
const FORMAT_FIELD: u8 = 1 << 3;
/// Key of field 8 of `NodePayload`, a number: the newest format that a node reads.
const READS_FIELD: u8 = 8 << 3;
/// Field 1,001, a text, as nobody writes it: `next`.
const UNKNOWN_FIELD: [u8; 7] = [0xCA, 0x3E, 4, b'n', b'e', b'x', b't'];

/// The store of a worker of the next version.
pub struct NextVersion(SharedStore);

impl NextVersion {
    pub fn on(store: SharedStore) -> SharedStore {
        Arc::new(Layered(Arc::new(Self(store))))
    }
}

fn written(bytes: &Bytes) -> Bytes {
    with(bytes, &[&UNKNOWN_FIELD, &[FORMAT_FIELD], &VARINT])
}

fn read(bytes: &Bytes) -> Bytes {
    with(bytes, &[&[FORMAT_FIELD, 1]])
}

fn with(bytes: &Bytes, fields: &[&[u8]]) -> Bytes {
    let mut longer = BytesMut::from(&bytes[..]);
    for field in fields {
        longer.put_slice(field);
    }
    longer.freeze()
}

/// Whether a field of an inbox holds accepted work, and no step or note.
fn is_work(field: &str) -> bool {
    field.parse::<u64>().is_ok()
}

impl Layer for NextVersion {
    fn behind(&self) -> &SharedStore {
        &self.0
    }

    fn load(&self, shard: ShardId, key: Key) -> Answer<'_, Loaded> {
        async move {
            let mut loaded = self.0.load(shard, key).await?;
            loaded.record = loaded.record.as_ref().map(read);
            for (_, entry) in loaded.inbox.iter_mut().filter(|(field, _)| is_work(field)) {
                *entry = read(entry);
            }
            Ok(loaded)
        }
        .boxed()
    }
    fn commit(&self, mut commit: Commit) -> Answer<'_, Committed> {
        commit.record = commit.record.as_ref().map(written);
        for (_, entry) in commit.accept.iter_mut().filter(|(field, _)| is_work(field)) {
            *entry = written(entry);
        }
        self.0.commit(commit)
    }
    fn beat(&self, beat: Beat) -> Answer<'_, Pulse> {
        let payload = with(&beat.payload, &[&[READS_FIELD], &VARINT]);
        self.0.beat(Beat { payload, ..beat })
    }
}
