//! Meetings that bots make for people: `onlineMeeting: createOrGet`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Calls,
    body::Body,
    call::ConferenceKey,
    conference::{Conference, chat_info},
    refusal::{No, Refusal},
    request::Done,
};
use crate::{
    world::people::PersonNumber,
    world::time::{self, Precision},
};

/// How long a meeting is whose end nobody says (documented), in milliseconds.
const LENGTH: u64 = 3_600_000;

/// What a bot asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scheduled {
    /// With its organizer the identity of the meeting (documented).
    external_id: String,
    subject: Option<String>,
    start: String,
    end: String,
}

impl Scheduled {
    fn read(body: &Body, now: u64) -> Result<Self, Refusal> {
        let external_id = body.text("externalId")?.filter(|id| !id.is_empty());
        let at = |name: &str| {
            let time = body.text(name)?.map(str::parse::<Timestamp>).transpose();
            time.map_err(|_| Refusal::argument(format!("{name} is no time.")))
        };
        let (start, end) = (at("startDateTime")?, at("endDateTime")?);
        if end.is_some() && start.is_none() {
            return Err(Refusal::argument("endDateTime without startDateTime."));
        }
        let start = start
            .and_then(|start| u64::try_from(start.as_millisecond()).ok())
            .unwrap_or(now);
        let end = end
            .and_then(|end| u64::try_from(end.as_millisecond()).ok())
            .unwrap_or(start + LENGTH);
        if end < start {
            return Err(Refusal::argument("endDateTime is before startDateTime."));
        }
        Ok(Self {
            external_id: external_id
                .ok_or_else(|| Refusal::argument("Missing externalId."))?
                .to_owned(),
            subject: body.text("subject")?.map(str::to_owned),
            start: time::utc(start, Precision::Event),
            end: time::utc(end, Precision::Event),
        })
    }
}

impl Calls {
    /// A new meeting, or the one that this organizer has under this id already. Whether the bot may act for the organizer
    /// (application access policy) is not simulated.
    pub(super) fn create_or_get_meeting(&mut self, user: &str, body: &Body, now: u64) -> Result<Done, Refusal> {
        let scheduled = Scheduled::read(body, now)?;
        let mut people = self.parties.people.iter();
        let organizer = people.position(|person| person.object_id.eq_ignore_ascii_case(user));
        let organizer = PersonNumber(organizer.ok_or(No::NotFound)?);
        let is_it = |conference: &Conference| {
            let known = conference.scheduled.as_ref();
            conference.organizer == Some(organizer)
                && known.is_some_and(|known| known.external_id == scheduled.external_id)
        };
        if let Some(place) = self.conferences.iter().position(is_it) {
            return Ok(Done::with(200, self.online_meeting(ConferenceKey(place))));
        }
        let key = self.open_conference(Some(organizer), false);
        self.conferences[key.0].scheduled = Some(scheduled);
        Ok(Done::with(201, self.online_meeting(key)))
    }

    /// `onlineMeeting`.
    fn online_meeting(&self, key: ConferenceKey) -> Value {
        let conference = self.conference(key);
        let (Some(view), Some(scheduled)) = (self.meeting_view(key), &conference.scheduled) else {
            return Value::Null;
        };
        json!({
            "@odata.type": "#microsoft.graph.onlineMeeting",
            "id": conference.token,
            "externalId": scheduled.external_id,
            "subject": scheduled.subject,
            "startDateTime": scheduled.start,
            "endDateTime": scheduled.end,
            "joinWebUrl": view.join_url,
            "chatInfo": chat_info(&conference.thread),
            "participants": {
                "organizer": { "role": "presenter", "identity": { "user": { "id": view.organizer } } },
                "attendees": [],
            },
        })
    }
}
