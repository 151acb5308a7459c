//! The calls of the Connector as values: one can be attempted any number of times, by whoever drives the attempts.
//!
//! Source: Bot Framework "API reference for the Bot Connector service".

use bytes::Bytes;
use http::{HeaderValue, Method};
use url::Url;

use super::conversation::NewConversation;
use crate::limits;
use crate::retry::InDoubt;
use crate::service_url::{AddressError, ServiceUrl, Trust};

/// What a call does: for logs, metrics and budgets of rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// A message to a conversation.
    Send,
    /// A part of a streamed message, but not its end.
    StreamPart,
    /// A message that answers another.
    Reply,
    /// "Is typing".
    Typing,
    /// Another content for a message of the bot.
    Update,
    /// A message of the bot goes.
    Delete,
    /// A chat with a person, or a thread in a channel.
    CreateConversation,
    /// A page of the roster.
    Members,
    /// One person of the roster.
    Member,
}

/// One call, ready to be attempted.
#[derive(Clone, Debug)]
pub struct Call {
    pub(super) operation: Operation,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Option<Bytes>,
    pub(super) trust: Option<Trust>,
    pub(super) traceparent: Option<HeaderValue>,
    /// Repeating it shows something twice.
    pub(super) creates: bool,
    in_doubt: InDoubt,
}

impl Call {
    /// Sends an activity to a conversation; the end of a stream goes this way too.
    ///
    /// # Errors
    /// The conversation id cannot stand in a path.
    pub fn send(base: &ServiceUrl, conversation: &str, activity: Bytes) -> Result<Self, AddressError> {
        let url = base.join(&["v3", "conversations", conversation, "activities"])?;
        Ok(Self::new(Operation::Send, Method::POST, base, url)
            .with_body(activity)
            .creating())
    }

    /// Sends an activity that answers another. In a channel the conversation is that of the thread.
    ///
    /// # Errors
    /// An id cannot stand in a path.
    pub fn reply(base: &ServiceUrl, conversation: &str, answered: &str, activity: Bytes) -> Result<Self, AddressError> {
        let url = base.join(&["v3", "conversations", conversation, "activities", answered])?;
        Ok(Self::new(Operation::Reply, Method::POST, base, url)
            .with_body(activity)
            .creating())
    }

    /// Sends a part of a streamed message. A part that comes twice is dropped by Teams.
    ///
    /// # Errors
    /// The conversation id cannot stand in a path.
    pub fn stream_part(base: &ServiceUrl, conversation: &str, part: Bytes) -> Result<Self, AddressError> {
        let url = base.join(&["v3", "conversations", conversation, "activities"])?;
        Ok(Self::new(Operation::StreamPart, Method::POST, base, url).with_body(part))
    }

    /// Shows "is typing". Repeating it harms nobody.
    ///
    /// # Errors
    /// The conversation id cannot stand in a path.
    pub fn typing(base: &ServiceUrl, conversation: &str) -> Result<Self, AddressError> {
        let url = base.join(&["v3", "conversations", conversation, "activities"])?;
        let activity = Bytes::from_static(br#"{"type":"typing"}"#);
        Ok(Self::new(Operation::Typing, Method::POST, base, url).with_body(activity))
    }

    /// Replaces a message of the bot.
    ///
    /// # Errors
    /// An id cannot stand in a path.
    pub fn update(base: &ServiceUrl, conversation: &str, id: &str, activity: Bytes) -> Result<Self, AddressError> {
        let url = base.join(&["v3", "conversations", conversation, "activities", id])?;
        Ok(Self::new(Operation::Update, Method::PUT, base, url).with_body(activity))
    }

    /// Deletes a message of the bot. That it is gone already counts as done.
    ///
    /// # Errors
    /// An id cannot stand in a path.
    pub fn delete(base: &ServiceUrl, conversation: &str, id: &str) -> Result<Self, AddressError> {
        let url = base.join(&["v3", "conversations", conversation, "activities", id])?;
        Ok(Self::new(Operation::Delete, Method::DELETE, base, url))
    }

    /// Creates a conversation, or finds it: the chat with a person has the same id each time.
    ///
    /// # Errors
    /// The address cannot be used.
    pub fn create_conversation(base: &ServiceUrl, conversation: &NewConversation) -> Result<Self, AddressError> {
        let url = base.join(&["v3", "conversations"])?;
        let call = Self::new(Operation::CreateConversation, Method::POST, base, url).with_body(conversation.to_json());
        Ok(if conversation.has_activity() {
            call.creating()
        } else {
            call
        })
    }

    /// A page of the roster: at most `page_size` members, from where `continuation` points.
    ///
    /// # Errors
    /// The conversation id cannot stand in a path.
    pub fn members(
        base: &ServiceUrl,
        conversation: &str,
        page_size: usize,
        continuation: Option<&str>,
    ) -> Result<Self, AddressError> {
        let mut url = base.join(&["v3", "conversations", conversation, "pagedmembers"])?;
        let page_size = page_size.clamp(*limits::MEMBERS_PER_PAGE.start(), *limits::MEMBERS_PER_PAGE.end());
        url.query_pairs_mut().append_pair("pageSize", &page_size.to_string());
        if let Some(continuation) = continuation {
            url.query_pairs_mut().append_pair("continuationToken", continuation);
        }
        Ok(Self::new(Operation::Members, Method::GET, base, url))
    }

    /// One person of the roster, by `29:..` id, Entra object id or user principal name.
    ///
    /// # Errors
    /// An id cannot stand in a path.
    pub fn member(base: &ServiceUrl, conversation: &str, member: &str) -> Result<Self, AddressError> {
        let url = base.join(&["v3", "conversations", conversation, "members", member])?;
        Ok(Self::new(Operation::Member, Method::GET, base, url))
    }

    /// The message is shown to its recipient only: on sending, updating and deleting it.
    #[must_use]
    pub fn targeted(mut self) -> Self {
        self.url.query_pairs_mut().append_pair("isTargetedActivity", "true");
        self
    }

    /// Joins the call to a trace (W3C Trace Context); a value that no header can hold is left out.
    #[must_use]
    pub fn with_traceparent(mut self, traceparent: &str) -> Self {
        self.traceparent = HeaderValue::from_str(traceparent)
            .ok()
            .filter(|value| !value.is_empty());
        self
    }

    /// What to do when the message may have arrived although sending it failed.
    #[must_use]
    pub fn if_in_doubt(mut self, in_doubt: InDoubt) -> Self {
        self.in_doubt = in_doubt;
        self
    }

    /// What the call does.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// HTTP method of the call.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Address of the call. It holds the conversation's id: not for logs.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// What to do when it is in doubt: calls that change nothing when repeated are always repeated.
    pub fn in_doubt(&self) -> InDoubt {
        if self.creates { self.in_doubt } else { InDoubt::Resend }
    }

    fn new(operation: Operation, method: Method, base: &ServiceUrl, url: Url) -> Self {
        Self {
            operation,
            method,
            url,
            body: None,
            trust: base.trust(),
            traceparent: None,
            creates: false,
            in_doubt: InDoubt::Resend,
        }
    }

    fn with_body(mut self, body: Bytes) -> Self {
        self.body = Some(body);
        self
    }

    fn creating(mut self) -> Self {
        self.creates = true;
        self
    }
}
