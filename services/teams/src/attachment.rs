//! Attachments: files, pictures and cards.

use serde_json::Value;

use crate::wire::wire_object;

/// The message as Teams renders it; comes beside the text.
pub const HTML: &str = "text/html";
/// An Adaptive Card.
pub const ADAPTIVE_CARD: &str = "application/vnd.microsoft.card.adaptive";
/// A hero card.
pub const HERO_CARD: &str = "application/vnd.microsoft.card.hero";
/// A thumbnail card.
pub const THUMBNAIL_CARD: &str = "application/vnd.microsoft.card.thumbnail";
/// A receipt card.
pub const RECEIPT_CARD: &str = "application/vnd.microsoft.card.receipt";
/// A sign-in card.
pub const SIGNIN_CARD: &str = "application/vnd.microsoft.card.signin";
/// A card that starts single sign-on.
pub const OAUTH_CARD: &str = "application/vnd.microsoft.card.oauth";
/// A connector card of Office 365.
pub const O365_CONNECTOR_CARD: &str = "application/vnd.microsoft.teams.card.o365connector";
/// A file that the person uploaded, with [`FileDownload`] as content.
pub const FILE_DOWNLOAD: &str = "application/vnd.microsoft.teams.file.download.info";
/// Asks whether the bot may upload a file; personal chats only.
pub const FILE_CONSENT_CARD: &str = "application/vnd.microsoft.teams.card.file.consent";
/// Shows a file after its upload.
pub const FILE_INFO_CARD: &str = "application/vnd.microsoft.teams.card.file.info";

wire_object! {
    /// Something beside the text of a message.
    ///
    /// Source: Activity protocol specification, "Attachment"; Teams "Send and receive files through a bot".
    pub struct Attachment {
        /// Media type; one of the constants of this module, or `image/..`.
        content_type: Option<String> => "contentType",
        /// Where the content lies. Pictures of people lie at the Connector and need the bot's token.
        content_url: Option<String> => "contentUrl",
        /// The content itself; its shape depends on the type.
        content: Option<Value> => "content",
        /// Name of a file.
        name: Option<String> => "name",
        /// Small picture that stands for the content.
        thumbnail_url: Option<String> => "thumbnailUrl",
    }
}

wire_object! {
    /// Content of a file that a person uploaded.
    pub struct FileDownload {
        /// Needs no token and is valid for minutes.
        download_url: Option<String> => "downloadUrl",
        /// Id of the file in SharePoint.
        unique_id: Option<String> => "uniqueId",
        /// Extension without dot.
        file_type: Option<String> => "fileType",
        /// Version of the file.
        etag: Option<String> => "etag",
    }
}

impl Attachment {
    /// An Adaptive Card.
    pub fn adaptive_card(card: Value) -> Self {
        Self {
            content_type: Some(ADAPTIVE_CARD.to_owned()),
            content: Some(card),
            ..Self::default()
        }
    }

    /// Whether it is of this type; media types have no case (RFC 9110, section 8.3.1).
    pub fn is(&self, content_type: &str) -> bool {
        self.content_type
            .as_deref()
            .is_some_and(|known| known.eq_ignore_ascii_case(content_type))
    }

    /// Whether it is a picture.
    pub fn is_image(&self) -> bool {
        let prefix = self.content_type.as_deref().and_then(|known| known.get(..6));
        prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case("image/"))
    }

    /// The file that a person uploaded, if it is one.
    pub fn file(&self) -> Option<FileDownload> {
        if !self.is(FILE_DOWNLOAD) {
            return None;
        }
        serde::Deserialize::deserialize(self.content.as_ref()?).ok()
    }
}
