//! What happens around messages: reactions, installations, people, channels, teams, meetings.

use jiff::Timestamp;
use serde_json::Value;
use trunkline_teams::activity::{Activity, ChannelAccount};
use trunkline_teams::channel_data::{Channel, ChannelData, Team};

use super::{person_of, replied_to};
use crate::address::{ActivityId, Person};

macro_rules! events {
    ($($(#[doc = $text:literal])+ $name:ident),+ $(,)?) => {$(
        $(#[doc = $text])+
        #[derive(Clone, Debug)]
        pub struct $name {
            activity: Box<Activity>,
        }

        impl $name {
            pub(crate) fn new(activity: Box<Activity>) -> Self {
                Self { activity }
            }

            /// Who did it. Teams sends no name here.
            pub fn person(&self) -> Person {
                person_of(&self.activity)
            }

            /// All that Teams sent.
            pub fn activity(&self) -> &Activity {
                &self.activity
            }
        }
    )+};
}

events! {
    /// A message was deleted.
    Deleted,
    /// Somebody reacted to a message of the bot, or took it back.
    Reaction,
    /// The app was installed.
    Installed,
    /// The app was uninstalled: nothing can be sent here any more.
    Removed,
    /// The app was upgraded.
    Upgraded,
    /// People, or the bot, came or left.
    Members,
    /// Something happened to a channel.
    ChannelChanged,
    /// Something happened to a team.
    TeamChanged,
    /// A meeting began.
    MeetingStarted,
    /// A meeting ended.
    MeetingEnded,
    /// People joined or left a meeting.
    Participants,
    /// A person read messages of the bot.
    ReadReceipt,
}

impl Deleted {
    /// Which message.
    pub fn id(&self) -> Option<ActivityId> {
        self.activity.id.clone().map(ActivityId)
    }
}

impl Reaction {
    /// `like`, `heart`, .., or the id of an emoji.
    pub fn added(&self) -> impl Iterator<Item = &str> {
        self.activity
            .reactions_added
            .iter()
            .filter_map(|reaction| reaction.kind.as_deref())
    }

    /// What was taken back.
    pub fn removed(&self) -> impl Iterator<Item = &str> {
        self.activity
            .reactions_removed
            .iter()
            .filter_map(|reaction| reaction.kind.as_deref())
    }

    /// The bot's message.
    pub fn message(&self) -> Option<ActivityId> {
        replied_to(&self.activity)
    }
}

impl Installed {
    /// The bot came with an upgrade of an app that was there.
    pub fn is_by_upgrade(&self) -> bool {
        self.activity
            .action
            .as_deref()
            .is_some_and(|action| action.eq_ignore_ascii_case("add-upgrade"))
    }

    /// The team it was installed into.
    pub fn team(&self) -> Option<&Team> {
        channel_data(&self.activity)?.team.as_deref()
    }

    /// The channel that was chosen for the bot to introduce itself.
    pub fn channel(&self) -> Option<&Channel> {
        channel_data(&self.activity)?
            .settings
            .as_deref()?
            .selected_channel
            .as_ref()
    }
}

impl Upgraded {
    /// The app's new version.
    pub fn version(&self) -> Option<&str> {
        channel_data(&self.activity)?.app.as_deref()?.version.as_deref()
    }
}

impl Members {
    /// People who came, the bot apart.
    pub fn came(&self) -> impl Iterator<Item = Person> {
        self.activity.people_added().map(Person::from)
    }

    /// People who left, the bot apart.
    pub fn left(&self) -> impl Iterator<Item = Person> {
        let bot = self.activity.recipient.as_ref().and_then(|bot| bot.id.as_deref());
        let people = move |member: &&ChannelAccount| member.id.as_deref() != bot;
        self.activity.members_removed.iter().filter(people).map(Person::from)
    }

    /// The bot itself came.
    pub fn bot_came(&self) -> bool {
        self.activity.adds_bot()
    }

    /// The bot itself was taken out.
    pub fn bot_left(&self) -> bool {
        self.activity.removes_bot()
    }
}

/// What happened to a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelChange {
    /// It is new.
    Created,
    /// It has another name.
    Renamed,
    /// It is gone.
    Deleted,
    /// It came back.
    Restored,
    /// It was shared with other teams.
    Shared,
    /// It is no more shared with other teams.
    Unshared,
    /// Something that this version does not know, as Teams calls it.
    Other(String),
}

impl ChannelChanged {
    /// What happened.
    pub fn change(&self) -> ChannelChange {
        let change = change_of(&self.activity, "channel").unwrap_or_default();
        match change.as_str() {
            "created" => ChannelChange::Created,
            "renamed" => ChannelChange::Renamed,
            "deleted" => ChannelChange::Deleted,
            "restored" => ChannelChange::Restored,
            "shared" => ChannelChange::Shared,
            "unshared" => ChannelChange::Unshared,
            _ => ChannelChange::Other(event_type(&self.activity).to_owned()),
        }
    }

    /// Which channel.
    pub fn channel(&self) -> Option<&Channel> {
        channel_data(&self.activity)?.channel.as_deref()
    }
}

/// What happened to a team.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TeamChange {
    /// It has another name.
    Renamed,
    /// It can only be read.
    Archived,
    /// It can be written again.
    Unarchived,
    /// It is gone.
    Deleted,
    /// It is gone for good.
    HardDeleted,
    /// It came back.
    Restored,
    /// Something that this version does not know, as Teams calls it.
    Other(String),
}

impl TeamChanged {
    /// What happened.
    pub fn change(&self) -> TeamChange {
        let change = change_of(&self.activity, "team").unwrap_or_default();
        match change.as_str() {
            "renamed" => TeamChange::Renamed,
            "archived" => TeamChange::Archived,
            "unarchived" => TeamChange::Unarchived,
            "deleted" => TeamChange::Deleted,
            "harddeleted" => TeamChange::HardDeleted,
            "restored" => TeamChange::Restored,
            _ => TeamChange::Other(event_type(&self.activity).to_owned()),
        }
    }

    /// Which team.
    pub fn team(&self) -> Option<&Team> {
        channel_data(&self.activity)?.team.as_deref()
    }
}

macro_rules! of_a_meeting {
    ($event:ident, $at:literal) => {
        impl $event {
            /// Id by which the Connector knows the meeting.
            pub fn id(&self) -> Option<&str> {
                channel_data(&self.activity)?.meeting.as_ref()?.id.as_deref()
            }

            /// Title of the meeting.
            pub fn title(&self) -> Option<&str> {
                member(self.activity.value.as_ref()?, "title")?.as_str()
            }

            /// Page by which people join.
            pub fn join_url(&self) -> Option<&str> {
                member(self.activity.value.as_ref()?, "joinUrl")?.as_str()
            }

            /// When.
            pub fn at(&self) -> Option<Timestamp> {
                member(self.activity.value.as_ref()?, $at)?.as_str()?.parse().ok()
            }
        }
    };
}

of_a_meeting!(MeetingStarted, "startTime");
of_a_meeting!(MeetingEnded, "endTime");

/// Somebody in a meeting.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Participant {
    /// Who.
    pub person: Person,
    /// `Organizer`, `Presenter`, `Attendee`, ..
    pub role: Option<String>,
}

impl Participants {
    /// They joined; otherwise they left.
    pub fn joined(&self) -> bool {
        let name = self.activity.trimmed_name().unwrap_or_default();
        name.to_ascii_lowercase().ends_with("join")
    }

    /// Who.
    pub fn people(&self) -> impl Iterator<Item = Participant> {
        let members = self
            .activity
            .value
            .as_ref()
            .and_then(|value| member(value, "members")?.as_array());
        members.into_iter().flatten().filter_map(participant)
    }
}

fn participant(entry: &Value) -> Option<Participant> {
    let user = member(entry, "user")?;
    let text = |name| member(user, name).and_then(Value::as_str).map(str::to_owned);
    let role = member(entry, "meeting").and_then(|meeting| member(meeting, "role")?.as_str());
    Some(Participant {
        person: Person {
            id: text("id")?,
            name: text("name"),
            aad_object_id: text("aadObjectId"),
        },
        role: role.map(str::to_owned),
    })
}

impl ReadReceipt {
    /// Id of the last message that was read.
    pub fn last_read(&self) -> Option<ActivityId> {
        let id = member(self.activity.value.as_ref()?, "lastReadMessageId")?;
        Some(ActivityId(id.as_str().map_or_else(|| id.to_string(), str::to_owned)))
    }

    /// Whether a message was read: ids are times, so what is not newer than the last was.
    pub fn has_read(&self, message: &ActivityId) -> bool {
        let number = |id: &ActivityId| id.0.parse::<u64>().ok();
        match (self.last_read().as_ref().and_then(number), number(message)) {
            (Some(last), Some(asked)) => asked <= last,
            _ => false,
        }
    }
}

fn channel_data(activity: &Activity) -> Option<&ChannelData> {
    activity.channel_data.as_ref()
}

fn event_type(activity: &Activity) -> &str {
    channel_data(activity)
        .and_then(|data| data.event_type.as_deref())
        .unwrap_or_default()
}

/// What follows `what` in the event type, in lower case: documents differ in case.
pub(crate) fn change_of(activity: &Activity, what: &str) -> Option<String> {
    event_type(activity)
        .to_ascii_lowercase()
        .strip_prefix(what)
        .map(str::to_owned)
}

/// A member of an event's value; documents and SDKs differ in case (Teams platform, "Meeting apps APIs").
fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value
        .as_object()?
        .iter()
        .find(|(key, _)| key.trim().eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}
