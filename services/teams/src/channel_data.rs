//! What Teams adds to the common activity schema: `channelData`.
//!
//! Sources: Teams platform "Bot conversations", "Conversation events"; `TeamsChannelData` of the Bot Framework SDKs.

use serde_json::Value;

use crate::wire::wire_object;

wire_object! {
    /// `channelData` of an activity, in both directions.
    pub struct ChannelData {
        /// The tenant.
        tenant: Option<Tenant> => "tenant",
        /// What happened, on conversation updates in a team, edits and deletions; compare without case.
        event_type: Option<String> => "eventType",
        /// The channel, in channel scope.
        channel: Option<Box<Channel>> => "channel",
        /// The team, in channel scope.
        team: Option<Box<Team>> => "team",
        /// Deprecated, still sent.
        teams_channel_id: Option<String> => "teamsChannelId",
        /// Deprecated, still sent.
        teams_team_id: Option<String> => "teamsTeamId",
        /// The meeting, in meeting chats and events.
        meeting: Option<Meeting> => "meeting",
        /// The channel chosen when the bot was installed into a team.
        settings: Option<Box<Settings>> => "settings",
        /// Where an invoke or an event was raised: `message`, `compose` and others.
        source: Option<Source> => "source",
        /// Opaque ids of invokes raised from a card.
        legacy: Option<Legacy> => "legacy",
        /// The installed app and its version, in personal scope.
        app: Option<Box<App>> => "app",
        /// Teams that a channel is shared with, on `channelShared`.
        shared_with_teams: Vec<Team> => "sharedWithTeams",
        /// Teams that a channel is no more shared with, on `channelUnshared`.
        unshared_from_teams: Vec<Team> => "unsharedFromTeams",
        /// How a member of a channel came or went.
        membership_source: Option<Box<MembershipSource>> => "membershipSource",
        /// Outgoing: alert in the activity feed, bubble in a meeting.
        notification: Option<Box<Notification>> => "notification",
        /// Outgoing: on whose behalf the bot speaks.
        on_behalf_of: Vec<OnBehalfOf> => "onBehalfOf",
        /// Outgoing: thumbs below the message.
        feedback_loop: Option<FeedbackLoop> => "feedbackLoop",
        /// Outgoing, older form of a default feedback loop.
        feedback_loop_enabled: Option<bool> => "feedbackLoopEnabled",
        /// Outgoing, written by some SDKs beside the `streaminfo` entity, which decides.
        stream_id: Option<String> => "streamId",
        /// See [`Self::stream_id`].
        stream_type: Option<String> => "streamType",
        /// See [`Self::stream_id`].
        stream_sequence: Option<u64> => "streamSequence",
    }
}

wire_object! {
    /// A tenant by its Entra id.
    pub struct Tenant {
        /// Entra tenant id.
        id: Option<String> => "id",
    }
}

wire_object! {
    /// A channel of a team.
    pub struct Channel {
        /// `19:..@thread.tacv2`. That of the General channel equals the team's.
        id: Option<String> => "id",
        /// Only on events of channels and on installation.
        name: Option<String> => "name",
        /// `standard`, `private` or `shared`.
        kind: Option<String> => "type",
        /// Tenant of the channel.
        tenant_id: Option<String> => "tenantId",
    }
}

wire_object! {
    /// A team.
    pub struct Team {
        /// Id as a conversation.
        id: Option<String> => "id",
        /// Name for people.
        name: Option<String> => "name",
        /// Entra group id; on installations and events of members.
        aad_group_id: Option<String> => "aadGroupId",
        /// Tenant of the team.
        tenant_id: Option<String> => "tenantId",
    }
}

wire_object! {
    /// A meeting.
    pub struct Meeting {
        /// Base64 id that the meeting calls of the Connector take.
        id: Option<String> => "id",
    }
}

wire_object! {
    /// What was chosen at installation.
    pub struct Settings {
        /// Channel in which the bot introduces itself.
        selected_channel: Option<Channel> => "selectedChannel",
    }
}

wire_object! {
    /// Where something was raised.
    pub struct Source {
        /// `message`, `compose` and others.
        name: Option<String> => "name",
    }
}

wire_object! {
    /// Ids in an older form.
    pub struct Legacy {
        /// Opaque id of the message whose card was used.
        reply_to_id: Option<String> => "replyToId",
    }
}

wire_object! {
    /// The installed app.
    pub struct App {
        /// App id of the manifest.
        id: Option<String> => "id",
        /// Version of the manifest.
        version: Option<String> => "version",
    }
}

wire_object! {
    /// How a member of a channel came or went.
    pub struct MembershipSource {
        /// `channel` or `team`.
        source_type: Option<String> => "sourceType",
        /// Id of the channel or team.
        id: Option<String> => "id",
        /// `direct` or `transitive`.
        membership_type: Option<String> => "membershipType",
        /// Entra group of the team.
        team_group_id: Option<String> => "teamGroupId",
        /// Tenant of the team.
        tenant_id: Option<String> => "tenantId",
    }
}

wire_object! {
    /// How Teams draws attention to a message.
    pub struct Notification {
        /// Show it in the activity feed.
        alert: Option<bool> => "alert",
        /// Show it as a bubble in the meeting.
        alert_in_meeting: Option<bool> => "alertInMeeting",
        /// Page shown in the bubble.
        external_resource_url: Option<String> => "externalResourceUrl",
    }
}

wire_object! {
    /// A person on whose behalf the bot speaks.
    pub struct OnBehalfOf {
        /// 0.
        item_id: Option<u64> => "itemid",
        /// `person`.
        mention_type: Option<String> => "mentionType",
        /// The person as this bot knows it.
        mri: Option<String> => "mri",
        /// Name for people.
        display_name: Option<String> => "displayName",
    }
}

wire_object! {
    /// Thumbs below a message.
    pub struct FeedbackLoop {
        /// `default`, or `custom` for a form of the bot's own.
        kind: Option<String> => "type",
    }
}

impl ChannelData {
    /// Entra tenant id.
    pub fn tenant_id(&self) -> Option<&str> {
        self.tenant.as_ref()?.id.as_deref()
    }

    /// Whether [`Self::event_type`] is this one; documents differ in case.
    pub fn is_event(&self, event_type: &str) -> bool {
        self.event_type
            .as_deref()
            .is_some_and(|known| known.eq_ignore_ascii_case(event_type))
    }

    /// A member that has no field here.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.extra.get(name)
    }
}
