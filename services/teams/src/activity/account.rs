//! Who and where: accounts and conversations.

use crate::wire::wire_object;

wire_object! {
    /// A person, a bot, or another thing that can be mentioned.
    ///
    /// Source: Activity protocol specification, "Channel account"; Teams "Get Teams-specific context for a bot".
    pub struct ChannelAccount {
        /// `29:..` a user as this bot knows it, `28:{app id}` a bot. Ids of users differ from bot to bot.
        id: Option<String> => "id",
        /// Display name. Absent in `from` of events.
        name: Option<String> => "name",
        /// Entra object id; absent for anonymous users and for bots.
        aad_object_id: Option<String> => "aadObjectId",
        /// `user`, `bot` and others.
        role: Option<String> => "role",
        /// On targets of mentions that are no person: `bot`, `channel`, `team`, `tag`.
        kind: Option<String> => "type",
        /// The message is shown to this member only.
        is_targeted: Option<bool> => "isTargeted",
        /// Tenant of the person, where it is said.
        tenant_id: Option<String> => "tenantId",
        /// Application id of an agentic identity.
        agentic_app_id: Option<String> => "agenticAppId",
        /// User id of an agentic identity.
        agentic_user_id: Option<String> => "agenticUserId",
    }
}

impl ChannelAccount {
    /// An account of which only the id is known.
    pub fn with_id(id: impl Into<String>) -> Self {
        Self {
            id: Some(id.into()),
            ..Self::default()
        }
    }
}

wire_object! {
    /// A person as a roster lists them.
    ///
    /// Source: Teams "Get Teams-specific context for a bot", roster.
    pub struct RosterMember {
        /// The person as this bot knows them.
        id: Option<String> => "id",
        /// Display name.
        name: Option<String> => "name",
        /// Entra object id; the older roster calls write `objectId` instead.
        aad_object_id: Option<String> => "aadObjectId",
        /// See [`Self::entra_object_id`].
        object_id: Option<String> => "objectId",
        /// First name.
        given_name: Option<String> => "givenName",
        /// Last name.
        surname: Option<String> => "surname",
        /// Mail address.
        email: Option<String> => "email",
        /// Name for signing in.
        user_principal_name: Option<String> => "userPrincipalName",
        /// Tenant of the person.
        tenant_id: Option<String> => "tenantId",
        /// `user`, `guest` or `anonymous`.
        user_role: Option<String> => "userRole",
    }
}

impl RosterMember {
    /// Entra object id, under whichever name the answer carries it; absent for anonymous people.
    pub fn entra_object_id(&self) -> Option<&str> {
        self.aad_object_id.as_deref().or(self.object_id.as_deref())
    }
}

wire_object! {
    /// The conversation that an activity belongs to.
    ///
    /// Source: Activity protocol specification, "Conversation account".
    pub struct ConversationAccount {
        /// Opaque. In a channel thread with `;messageid=` and the id of the thread's first message.
        id: Option<String> => "id",
        /// Channel name on installation events, topic of a group chat if there is one.
        name: Option<String> => "name",
        /// `personal`, `groupChat` or `channel`; compare without case.
        conversation_type: Option<String> => "conversationType",
        /// Absent in personal chats.
        is_group: Option<bool> => "isGroup",
        /// Entra tenant; missing in old traffic.
        tenant_id: Option<String> => "tenantId",
        /// Entra object id.
        aad_object_id: Option<String> => "aadObjectId",
        /// See [`ChannelAccount::role`].
        role: Option<String> => "role",
    }
}

/// What kind of conversation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// A chat of one person with the bot.
    Personal,
    /// A chat of several, also the chat of a meeting.
    GroupChat,
    /// A channel of a team.
    Channel,
}

impl ConversationAccount {
    /// The kind of conversation; `None` if it is not said or new to us.
    pub fn scope(&self) -> Option<Scope> {
        let text = self.conversation_type.as_deref()?;
        [
            ("personal", Scope::Personal),
            ("groupChat", Scope::GroupChat),
            ("channel", Scope::Channel),
        ]
        .into_iter()
        .find_map(|(name, scope)| text.eq_ignore_ascii_case(name).then_some(scope))
    }

    /// The channel of a thread: the id without `;messageid=..`. The roster is that of the channel.
    pub fn without_thread(&self) -> Option<&str> {
        let id = self.id.as_deref()?;
        Some(id.split_once(";messageid=").map_or(id, |(channel, _)| channel))
    }
}
