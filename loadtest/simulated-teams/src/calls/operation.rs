//! Operations on calls: what Graph answers at once, and by a notification when they end.

use serde_json::{Map, Value, json};

use super::{
    Calls,
    call::CallKey,
    notify::Note,
    refusal::{No, Refusal},
    request::Done,
    wire::Style,
};

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OperationKind {
    PlayPrompt,
    Record,
    Invite,
    SendDtmfTones,
    AddLargeGalleryView,
    StartHoldMusic,
    StopHoldMusic,
    Mute,
    Unmute,
    SubscribeToTone,
    CancelMediaProcessing,
    UpdateRecordingStatus,
}

impl OperationKind {
    /// `@odata.type` without its `#microsoft.graph.`.
    pub(super) fn type_name(self) -> &'static str {
        match self {
            Self::PlayPrompt => "playPromptOperation",
            Self::Record => "recordOperation",
            Self::Invite => "inviteParticipantsOperation",
            Self::SendDtmfTones => "sendDtmfTonesOperation",
            Self::AddLargeGalleryView => "addLargeGalleryViewOperation",
            Self::StartHoldMusic => "startHoldMusicOperation",
            Self::StopHoldMusic => "stopHoldMusicOperation",
            Self::Mute => "muteParticipantOperation",
            Self::Unmute => "unmuteParticipantOperation",
            Self::SubscribeToTone => "subscribeToToneOperation",
            Self::CancelMediaProcessing => "cancelMediaProcessingOperation",
            Self::UpdateRecordingStatus => "updateRecordingStatusOperation",
        }
    }
}

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Running,
    Completed,
    Failed,
}

impl Status {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// One operation of a call.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) id: String,
    pub(super) kind: OperationKind,
    pub(super) status: Status,
    pub(super) context: Option<String>,
    /// A call that ends when the invited one is in.
    pub(super) replaces: Option<CallKey>,
    /// How many are still being rung.
    pub(super) unresolved: usize,
    /// How many came.
    pub(super) joined: usize,
    /// Members that only this kind has, as the request gave them.
    pub(super) echoed: Map<String, Value>,
}

impl Operation {
    pub(super) fn new(id: String, kind: OperationKind, status: Status, context: Option<String>) -> Self {
        Self {
            id,
            kind,
            status,
            context,
            replaces: None,
            unresolved: 0,
            joined: 0,
            echoed: Map::new(),
        }
    }

    /// The operation as the answer to its request shows it.
    pub(super) fn body(&self, style: Style) -> Value {
        let mut body = json!({
            "@odata.type": format!("#microsoft.graph.{}", self.kind.type_name()),
            "id": self.id, "status": style.word(self.status.word()), "clientContext": self.context, "resultInfo": null,
        });
        if self.kind == OperationKind::Record {
            body["recordingLocation"] = Value::Null;
        }
        for (name, value) in &self.echoed {
            body[name] = value.clone();
        }
        body
    }
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Completion {
    pub(super) status: Status,
    /// `code`, `subcode` and `message` of the result; `None` for kinds whose samples carry none.
    pub(super) result: Option<(u16, u32, &'static str)>,
    /// Members that only this kind has.
    pub(super) members: Vec<(&'static str, Value)>,
}

impl Completion {
    pub(super) fn completed() -> Self {
        Self {
            status: Status::Completed,
            result: None,
            members: Vec::new(),
        }
    }

    /// A prompt that was played to its end.
    pub(super) fn played() -> Self {
        Self {
            result: Some((200, 0, "Action completed successfully.")),
            ..Self::completed()
        }
    }

    pub(super) fn failed(code: u16, subcode: u32, message: &'static str) -> Self {
        Self {
            status: Status::Failed,
            result: Some((code, subcode, message)),
            members: Vec::new(),
        }
    }

    /// Dropped by the bot itself.
    pub(super) fn cancelled() -> Self {
        Self::failed(400, 8508, "Action failed, the operation was cancelled.")
    }
}

impl Calls {
    /// All operations that the call has had: what Graph shows of ended ones is not documented.
    pub(super) fn list_operations(&self, key: CallKey) -> Done {
        let call = &self.book[&key];
        let operations = call.operations.iter().map(|operation| operation.body(call.style));
        Done::with(200, json!({ "value": operations.collect::<Vec<Value>>() }))
    }

    pub(super) fn get_operation(&self, key: CallKey, id: &str) -> Result<Done, Refusal> {
        let call = &self.book[&key];
        let mut operations = call.operations.iter();
        let operation = operations.find(|operation| operation.id.eq_ignore_ascii_case(id));
        let operation = operation.ok_or(No::NotFound)?;
        Ok(Done::with(200, operation.body(call.style)))
    }

    /// Ends an operation and tells so; one that has ended stays as it is.
    pub(super) fn complete(&mut self, key: CallKey, operation: usize, completion: Completion, now: u64) {
        let Some(call) = self.book.get_mut(&key) else { return };
        let style = call.style;
        let Some(operation) = call.operations.get_mut(operation) else {
            return;
        };
        if operation.status != Status::Running || call.is_closed {
            return;
        }
        operation.status = completion.status;
        let mut data = Map::new();
        let type_name = operation.kind.type_name();
        data.insert("@odata.type".to_owned(), format!("#microsoft.graph.{type_name}").into());
        data.extend(operation.echoed.clone());
        data.insert("clientContext".to_owned(), operation.context.clone().into());
        data.insert("status".to_owned(), style.word(completion.status.word()).into());
        if let Some((code, subcode, message)) = completion.result {
            let result = json!({
                "@odata.type": "#microsoft.graph.resultInfo", "code": code, "subcode": subcode, "message": message,
            });
            data.insert("resultInfo".to_owned(), result);
        }
        let members = completion.members.into_iter();
        data.extend(members.map(|(name, value)| (name.to_owned(), value)));
        // The samples of prompts, hold music and gallery carry no id: only the path names the operation.
        let is_hold = matches!(
            operation.kind,
            OperationKind::StartHoldMusic | OperationKind::StopHoldMusic
        );
        let is_nameless = is_hold
            || matches!(
                operation.kind,
                OperationKind::PlayPrompt | OperationKind::AddLargeGalleryView
            );
        if !is_nameless {
            data.insert("id".to_owned(), operation.id.as_str().into());
        }
        let path = format!("/operations/{}", operation.id);
        let label = format!("{type_name} {}", completion.status.word());
        let note = Note::deleted(label, Value::Object(data)).below(path);
        let note = if is_hold { note.without_slash() } else { note };
        self.tell(key, note, now);
        self.changed(key);
    }
}
