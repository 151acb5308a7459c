//! Keys that are found in the sound of a leg: of a peer that cannot send them as events, or where the owner wishes it.

use super::Actor;
use super::obey::refusal;
use crate::codec::Codec;
use crate::control::Reason;
use crate::thread::LegKey;

impl Actor {
    /// Finds keys in the sound until the leg ends.
    pub(super) async fn hear_keys(&mut self, key: LegKey, codec: Codec) -> Result<(), (Reason, String)> {
        if !self.hears_keys {
            let media = self.host.media.of(key).map_err(refusal)?;
            media.hear_keys(key, codec, &self.host.codecs).await.map_err(refusal)?;
            self.hears_keys = true;
        }
        Ok(())
    }

    /// The same of a peer that cannot send events. A call without keys is better than none: what has no room is only told in the log.
    pub(super) async fn hear_keys_if_there_is_room(&mut self, key: LegKey, codec: Codec) {
        if let Err((_, error)) = self.hear_keys(key, codec).await {
            tracing::warn!(leg = %self.leg, error, "a peer sends no events for keys, and they are not found in its sound");
        }
    }
}
