//! What a notification is about, as far as its type and its path tell: the one table, for reading and for counting.

/// What a notification is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum SubjectKind {
    /// Somebody calls.
    Incoming,
    /// A call that is known: its state, a tone, its end.
    Call,
    /// The whole roster.
    Roster,
    /// What changed in the roster.
    RosterChanges,
    /// The end of an operation.
    Operation,
    /// Shared content.
    ContentSharing,
    /// A recorded person wants to join a call that the bot is in.
    Joining,
    /// A recorded person left.
    Left,
    /// Anything else.
    Other,
}

impl SubjectKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Incoming,
        Self::Call,
        Self::Roster,
        Self::RosterChanges,
        Self::Operation,
        Self::ContentSharing,
        Self::Joining,
        Self::Left,
        Self::Other,
    ];

    /// Name in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Incoming => "incoming",
            Self::Call => "call",
            Self::Roster => "roster",
            Self::RosterChanges => "roster_changes",
            Self::Operation => "operation",
            Self::ContentSharing => "content_sharing",
            Self::Joining => "joining",
            Self::Left => "left",
            Self::Other => "other",
        }
    }
}

/// What decides about the kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signs<'a> {
    pub(super) is_created: bool,
    pub(super) is_deleted: bool,
    /// Name of the resource's type in lower case, without namespace; empty if it tells none.
    pub(super) type_name: &'a str,
    /// First segment of the path below the call in lower case; `None` without a path.
    pub(super) below: Option<&'a str>,
    /// Whether the resource is a list.
    pub(super) is_list: bool,
    /// Whether there is a resource at all.
    pub(super) is_there: bool,
}

impl Signs<'_> {
    /// The type decides where it is told; the path where it is not.
    pub(super) fn kind(self) -> SubjectKind {
        match self.type_name {
            "participantjoiningnotification" => SubjectKind::Joining,
            "participantleftnotification" => SubjectKind::Left,
            "call" => self.of_call(),
            "deltaparticipants" => SubjectKind::RosterChanges,
            "participant" => self.of_participants(),
            "contentsharingsession" => SubjectKind::ContentSharing,
            name if name.ends_with("operation") => SubjectKind::Operation,
            _ => match self.below {
                Some("") if self.type_name.is_empty() => self.of_call(),
                Some("participants") => self.of_participants(),
                Some("operations") => SubjectKind::Operation,
                Some("contentsharingsessions") => SubjectKind::ContentSharing,
                _ => SubjectKind::Other,
            },
        }
    }

    fn of_call(self) -> SubjectKind {
        if self.is_created {
            SubjectKind::Incoming
        } else {
            SubjectKind::Call
        }
    }

    /// A list is the whole roster, and who is not in it has left: so nothing else may be taken for one. A single participant
    /// and a deletion of participants are in no document; the first can only be a change.
    fn of_participants(self) -> SubjectKind {
        match (self.is_there, self.is_list, self.is_deleted) {
            (true, true, false) => SubjectKind::Roster,
            (true, false, false) => SubjectKind::RosterChanges,
            _ => SubjectKind::Other,
        }
    }
}
