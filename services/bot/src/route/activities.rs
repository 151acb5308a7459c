//! Routes for everything else that Teams sends.

use serde_json::Value;
use trunkline_teams::activity::Activity;

use super::{Listen, Shape, of_activity};
use crate::event::{
    ChannelChanged, Deleted, Installed, MeetingEnded, MeetingStarted, Members, Participants, Reaction, ReadReceipt,
    Removed, TeamChanged, Upgraded,
};

/// A route whose event is the activity in a type of its own.
fn of_kind<E: 'static>(
    name: &'static str,
    fits: impl Fn(&Activity) -> bool + Send + Sync + 'static,
    make: fn(Box<Activity>) -> E,
) -> Listen<E> {
    of_activity(Shape::Kind(name), fits, move |activity| Ok(make(activity)))
}

/// A message was deleted.
pub fn deleted() -> Listen<Deleted> {
    of_kind("deleted", |activity| activity.is("messageDelete"), Deleted::new)
}

/// Somebody reacted to a message of the bot, or took it back.
pub fn reaction() -> Listen<Reaction> {
    of_kind("reaction", |activity| activity.is("messageReaction"), Reaction::new)
}

/// The app was installed here, or an upgrade brought the bot into it.
pub fn installed() -> Listen<Installed> {
    of_kind(
        "installed",
        |activity| is_installation(activity, &["add", "add-upgrade"]),
        Installed::new,
    )
}

/// The app was uninstalled here, or an upgrade took the bot out of it: nothing can be sent any more.
pub fn removed() -> Listen<Removed> {
    of_kind(
        "removed",
        |activity| is_installation(activity, &["remove", "remove-upgrade"]),
        Removed::new,
    )
}

/// The app was upgraded here.
pub fn upgraded() -> Listen<Upgraded> {
    of_kind(
        "upgraded",
        |activity| is_installation(activity, &["upgrade"]),
        Upgraded::new,
    )
}

fn is_installation(activity: &Activity, actions: &[&str]) -> bool {
    let action = activity.action.as_deref().unwrap_or_default();
    activity.is("installationUpdate") && actions.iter().any(|known| action.eq_ignore_ascii_case(known))
}

/// People, or the bot, came to a chat or team, or left it.
pub fn members() -> Listen<Members> {
    let somebody_moved =
        |activity: &Activity| !(activity.members_added.is_empty() && activity.members_removed.is_empty());
    of_kind(
        "members",
        move |activity| activity.is("conversationUpdate") && somebody_moved(activity),
        Members::new,
    )
}

/// A channel was created, renamed, deleted, restored, shared or unshared.
pub fn channel() -> Listen<ChannelChanged> {
    of_kind(
        "channel",
        |activity| is_change_of(activity, "channel"),
        ChannelChanged::new,
    )
}

/// A team was renamed, archived, unarchived, deleted or restored.
pub fn team() -> Listen<TeamChanged> {
    of_kind("team", |activity| is_change_of(activity, "team"), TeamChanged::new)
}

/// `channelMemberAdded` and its like belong to [`members`].
fn is_change_of(activity: &Activity, what: &str) -> bool {
    activity.is("conversationUpdate")
        && crate::event::change_of(activity, what).is_some_and(|change| !change.starts_with("member"))
}

/// A meeting began.
pub fn meeting_started() -> Listen<MeetingStarted> {
    of_kind(
        "meeting_started",
        |activity| is_event(activity, &["meetingStart"]),
        MeetingStarted::new,
    )
}

/// A meeting ended.
pub fn meeting_ended() -> Listen<MeetingEnded> {
    of_kind(
        "meeting_ended",
        |activity| is_event(activity, &["meetingEnd"]),
        MeetingEnded::new,
    )
}

/// People joined or left a meeting.
pub fn participants() -> Listen<Participants> {
    let names = &["meetingParticipantJoin", "meetingParticipantLeave"];
    of_kind("participants", |activity| is_event(activity, names), Participants::new)
}

/// A person read messages of the bot.
pub fn read_receipt() -> Listen<ReadReceipt> {
    of_kind(
        "read_receipt",
        |activity| is_event(activity, &["readReceipt"]),
        ReadReceipt::new,
    )
}

fn is_event(activity: &Activity, names: &[&str]) -> bool {
    let name = activity
        .trimmed_name()
        .and_then(|name| name.strip_prefix("application/vnd.microsoft."));
    activity.is("event") && name.is_some_and(|name| names.iter().any(|known| name.eq_ignore_ascii_case(known)))
}

/// Every activity that no route above took, as it came. The returned value is the body of the answer if it is an invoke; null
/// is an empty one.
pub fn any() -> Listen<Activity, Value> {
    of_activity(Shape::Any, |_| true, |activity| Ok(*activity))
}
