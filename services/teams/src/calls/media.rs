//! What a call's media are and where prompts lie.

use super::secret::Secret;
use super::word::wire_word;
use crate::wire::wire_object;

wire_word! {
    /// A kind of media. Source: Graph, `modality`.
    pub enum Modality {
        /// Sound.
        Audio => "audio",
        /// Pictures.
        Video => "video",
        /// A shared screen.
        VideoBasedScreenSharing => "videoBasedScreenSharing",
        /// Data.
        Data => "data",
    }
}

wire_object! {
    /// Who hosts a call's media. Source: Graph, `serviceHostedMediaConfig` and `appHostedMediaConfig`.
    pub struct MediaConfig {
        /// `#microsoft.graph.serviceHostedMediaConfig` or `#microsoft.graph.appHostedMediaConfig`.
        odata_type: Option<String> => "@odata.type",
        /// Prompts that Graph loads when the call starts; service-hosted only.
        pre_fetch_media: Vec<MediaInfo> => "preFetchMedia",
        /// Opaque; app-hosted only. Lets whoever has it into the media session.
        blob: Option<Secret> => "blob",
        /// A leg that the media session should be near; app-hosted only. Ours: it is never sent.
        near: Option<NearLeg> => "@trunkline.near",
    }
}

wire_object! {
    /// Where another call's sound is: a leg of a media host of our own. Graph knows nothing of it.
    pub struct NearLeg {
        /// Name of the host.
        host: Option<String> => "host",
        /// Name of the leg there.
        leg: Option<String> => "leg",
    }
}

wire_object! {
    /// Where a prompt lies. Source: Graph, `mediaInfo`.
    pub struct MediaInfo {
        /// Fetched by Graph over the public internet: WAV, one channel, 16 bit, 16 kHz.
        uri: Option<String> => "uri",
        /// Cache key: Graph takes a known one from its cache; new content needs a new one.
        resource_id: Option<String> => "resourceId",
    }
}

wire_object! {
    /// One prompt. Source: Graph, `mediaPrompt`.
    pub struct MediaPrompt {
        /// `#microsoft.graph.mediaPrompt`: required, the declared type is abstract.
        odata_type: Option<String> => "@odata.type",
        /// Where it lies.
        media_info: Option<MediaInfo> => "mediaInfo",
    }
}

impl MediaConfig {
    /// Graph plays, records and reports tones.
    pub fn service_hosted(pre_fetch_media: Vec<MediaInfo>) -> Self {
        Self {
            odata_type: Some("#microsoft.graph.serviceHostedMediaConfig".to_owned()),
            pre_fetch_media,
            ..Self::default()
        }
    }

    /// A host of the bot's own carries the media; the blob that says which is put in when it is sent.
    pub fn app_hosted() -> Self {
        Self {
            odata_type: Some("#microsoft.graph.appHostedMediaConfig".to_owned()),
            ..Self::default()
        }
    }

    /// The same at the host of another leg, if that has room.
    #[must_use]
    pub fn near(mut self, host: impl Into<String>, leg: impl Into<String>) -> Self {
        self.near = Some(NearLeg {
            host: Some(host.into()),
            leg: Some(leg.into()),
            ..NearLeg::default()
        });
        self
    }

    /// Whether a host of the bot's own is wanted and not named yet.
    pub fn wants_host(&self) -> bool {
        let kind = self.odata_type.as_deref().unwrap_or_default();
        kind.ends_with("appHostedMediaConfig") && self.blob.is_none()
    }
}

impl MediaInfo {
    /// A prompt by its address and cache key.
    pub fn new(uri: impl Into<String>, resource_id: impl Into<String>) -> Self {
        Self {
            uri: Some(uri.into()),
            resource_id: Some(resource_id.into()),
            ..Self::default()
        }
    }
}

impl From<MediaInfo> for MediaPrompt {
    fn from(media_info: MediaInfo) -> Self {
        Self {
            odata_type: Some("#microsoft.graph.mediaPrompt".to_owned()),
            media_info: Some(media_info),
            ..Self::default()
        }
    }
}
