//! The part of the boundary that is about the media host which carries the sound of a call: what is asked of it, and what is heard
//! of that. Graph has no part in it.

use serde::{Deserialize, Serialize};

/// An operation on the leg that carries the sound of a call. Stored as JSON: `{"asks":"recordCall","with":{..}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "asks", content = "with", rename_all = "camelCase")]
#[non_exhaustive]
pub enum HostedOperation {
    /// Records the call from now on. A recording of a direction that runs already ends with it. Not in calls that a policy records:
    /// there the word on recording does it, after Graph has confirmed it.
    RecordCall(Directions),
    /// Ends the recording of that key.
    #[serde(rename_all = "camelCase")]
    StopRecordingCall {
        /// Key of the [`Self::RecordCall`].
        of: String,
    },
    /// Lets this call and another one hear each other; a bridge that either has ends with it.
    #[serde(rename_all = "camelCase")]
    Bridge {
        /// Where the sound of the other call is.
        with: CallLeg,
    },
    /// Ends the bridge, if there is one.
    Unbridge,
    /// Looks for another media host after the sound was lost, and tells the other side of it. It ends when the sound flows.
    Reopen,
}

/// Where the sound of a call is, while a media host carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallLeg {
    /// Name of the host.
    pub host: String,
    /// Name of the leg there.
    pub leg: String,
}

impl HostedOperation {
    /// Name in stored state, logs and [`crate::logic::OperationEnd::operation`].
    pub fn name(&self) -> &'static str {
        match self {
            Self::RecordCall(_) => Self::RECORD_CALL,
            Self::StopRecordingCall { .. } => "stopRecordingCall",
            Self::Bridge { .. } => "bridge",
            Self::Unbridge => "unbridge",
            Self::Reopen => Self::REOPEN,
        }
    }

    /// The name of [`Self::RecordCall`].
    pub const RECORD_CALL: &'static str = "recordCall";

    /// The name of [`Self::Reopen`].
    pub const REOPEN: &'static str = "reopen";
}

/// Which way the sound goes that is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Directions {
    /// What the other side says.
    Received,
    /// What the bot says.
    Sent,
    /// Both, each in a file of its own.
    Both,
    /// Both in one file, mixed while the call goes on. It needs room for codecs at the media host, and fails without.
    Mixed,
}

impl Directions {
    /// Whether what the other side says is among them.
    pub fn has_received(self) -> bool {
        matches!(self, Self::Received | Self::Both)
    }

    /// Whether what the bot says is among them.
    pub fn has_sent(self) -> bool {
        matches!(self, Self::Sent | Self::Both)
    }

    /// Whether both are in one file.
    pub fn is_mixed(self) -> bool {
        self == Self::Mixed
    }
}

/// Something about the recording of a call. Stored as JSON until its turn has committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordingTold {
    /// Key of the [`HostedOperation::RecordCall`].
    pub key: String,
    /// What.
    pub news: RecordingNews,
}

/// What is told of the recording of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "news", content = "of", rename_all = "camelCase")]
#[non_exhaustive]
pub enum RecordingNews {
    /// The files are open: what is said from now on is in them.
    #[serde(rename_all = "camelCase")]
    Started {
        /// What the names of its files begin with: a path below the recordings of the media host.
        name: String,
    },
    /// The media host's disk was too slow: something is missing.
    #[serde(rename_all = "camelCase")]
    Gap {
        /// `received` or `sent`.
        direction: String,
        /// Packets that are missing, most of them 20 ms long.
        packets: u32,
    },
    /// Everything is on the media host's disk, with its manifests.
    #[serde(rename_all = "camelCase")]
    Finished {
        /// One of each direction.
        files: Vec<RecordedFile>,
    },
    /// It did not begin, or was given up.
    #[serde(rename_all = "camelCase")]
    Failed {
        /// Why, for people and logs.
        reason: String,
        /// Directions that were finished all the same.
        files: Vec<RecordedFile>,
    },
    /// The call ended first. The media host finishes the files by itself: their manifests say what is in them.
    #[serde(rename_all = "camelCase")]
    CallEnded {
        /// As of [`Self::Started`].
        name: String,
    },
}

/// One direction of a call that was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedFile {
    /// `received`, `sent` or `mixed`.
    pub direction: String,
    /// The file of its last part: a path below the recordings of the media host. Its manifest has the same name with `.json` behind.
    pub file: String,
    /// Number of its parts: a long recording has one an hour.
    pub parts: u32,
    /// SHA-256 of that file, in hexadecimal digits. The manifests of the parts are a chain.
    pub sha256: String,
}

impl RecordedFile {
    /// Name of the manifest beside the file.
    pub fn manifest(&self) -> String {
        format!("{}.json", self.file)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_stored_keeps_its_words() {
        let stored = |value: &HostedOperation| serde_json::to_value(value).unwrap();
        let record = HostedOperation::RecordCall(Directions::Both);
        assert_eq!(stored(&record), json!({ "asks": "recordCall", "with": "both" }));
        let stop = HostedOperation::StopRecordingCall { of: "o1".to_owned() };
        assert_eq!(
            stored(&stop),
            json!({ "asks": "stopRecordingCall", "with": { "of": "o1" } })
        );
        let with = CallLeg {
            host: "media-1".to_owned(),
            leg: "1.a".to_owned(),
        };
        let bridge = HostedOperation::Bridge { with };
        let expected = json!({ "asks": "bridge", "with": { "with": { "host": "media-1", "leg": "1.a" } } });
        assert_eq!(stored(&bridge), expected);
        for operation in [record, stop, bridge, HostedOperation::Unbridge, HostedOperation::Reopen] {
            assert_eq!(stored(&operation)["asks"], operation.name());
        }
    }

    #[test]
    fn the_manifest_lies_beside_the_file() {
        let file = RecordedFile {
            direction: "sent".to_owned(),
            file: "t/c/leg-1-sent-2.opus".to_owned(),
            parts: 2,
            sha256: String::new(),
        };
        assert_eq!(file.manifest(), "t/c/leg-1-sent-2.opus.json");
        assert!(Directions::Both.has_received() && Directions::Both.has_sent());
        assert!(Directions::Mixed.is_mixed() && !Directions::Mixed.has_sent() && !Directions::Mixed.has_received());
        assert!(!Directions::Sent.has_received() && !Directions::Received.has_sent());
    }
}

/// What is wrong with the sound of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum TroubleKind {
    /// Nothing has come from the other side for 5 s: it has vanished, or sends nothing while it is muted.
    NothingComes,
    /// What has come for 30 s is next to nothing (below -70 dBov), though the other side sends. Only where it tells how loud it is.
    NothingHeard,
    /// The other side reports that nothing of what is sent to it arrives.
    NothingArrives,
    /// More than 5 % of what the other side sent within 10 s did not come: it is hard to understand.
    Losses,
}

impl TroubleKind {
    /// All there are.
    pub const ALL: [Self; 4] = [
        Self::NothingComes,
        Self::NothingHeard,
        Self::NothingArrives,
        Self::Losses,
    ];
}

/// Something is wrong with the sound of a call from now on, or not any more. Stored as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TroubleTold {
    /// What.
    pub kind: TroubleKind,
    /// Not any more.
    #[serde(default)]
    pub is_over: bool,
}
