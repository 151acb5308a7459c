//! Calls that a bot begins.

use trunkline_teams::calls::{
    Call, CallDirection, CallOptions, ChatInfo, Identity, IdentitySet, JoinUrl, JoinUrlError, MeetingInfo,
    ParticipantInfo, Secret,
};

use super::callee::Callee;
use super::decision::Media;
use super::problem::{CallProblem, count, id};

/// Most people of a group call that a bot begins. Source: Graph, `Create call`.
const GROUP: u64 = 5;

/// A call to be begun: whom it rings, or which meeting it joins. Given to [`crate::Turn::start_call`].
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    whom: Whom,
    media: Media,
    subject: Option<String>,
    guest: Option<(String, String)>,
    options: Option<CallOptions>,
}

#[derive(Clone, Debug, PartialEq)]
enum Whom {
    Somebody(Callee),
    Phone { number: String, from: String },
    Group(Vec<Callee>),
    Meeting(Box<(ChatInfo, MeetingInfo)>),
    MeetingAlone(Box<MeetingInfo>),
}

impl Outgoing {
    /// Calls a person, by object id in Microsoft Entra.
    pub fn to_user(id: impl Into<String>) -> Self {
        Self::of(Whom::Somebody(Callee::user(id)))
    }

    /// Calls a telephone. Graph takes it only from a resource account that has a number, `from` its object id.
    pub fn to_phone(number: impl Into<String>, from: impl Into<String>) -> Self {
        Self::of(Whom::Phone {
            number: number.into(),
            from: from.into(),
        })
    }

    /// Calls two to five people together. Such a call has no chat.
    pub fn group(people: impl IntoIterator<Item = Callee>) -> Self {
        Self::of(Whom::Group(people.into_iter().collect()))
    }

    /// Joins a meeting by its coordinates, as Graph tells them of every call that was in it.
    pub fn join(chat: ChatInfo, meeting: MeetingInfo) -> Self {
        Self::of(Whom::Meeting(Box::new((chat, meeting))))
    }

    /// Joins a meeting by the link that people click.
    ///
    /// # Errors
    /// The link leads to no meeting that a bot can join by it; the error says why, and what to do.
    pub fn join_url(link: &str) -> Result<Self, JoinUrlError> {
        let JoinUrl { chat, meeting, .. } = link.parse()?;
        Ok(Self::join(chat, meeting))
    }

    /// Joins a meeting by the number that people type, and its pass code if it has one.
    pub fn join_by_id(meeting_id: impl Into<String>, passcode: Option<String>) -> Self {
        // People write the number in groups.
        let digits: String = meeting_id.into().split_whitespace().collect();
        Self::of(Whom::MeetingAlone(Box::new(MeetingInfo::of_meeting_id(
            digits, passcode,
        ))))
    }

    /// Joins a meeting again by the token that an earlier call of it brought.
    pub fn join_again(token: Secret) -> Self {
        Self::of(Whom::MeetingAlone(Box::new(MeetingInfo::of_token(token))))
    }

    /// Which media, if not sound alone.
    #[must_use]
    pub fn media(mut self, media: Media) -> Self {
        self.media = media;
        self
    }

    /// What it is about; shown to the people of a group call.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Joins as a guest of this id (a GUID) and name. Guests wait in the lobby unless it is open to everybody.
    #[must_use]
    pub fn as_guest(mut self, id: impl Into<String>, name: impl Into<String>) -> Self {
        self.guest = Some((id.into(), name.into()));
        self
    }

    /// What Graph offers beside, as it names it (`outgoingCallOptions`).
    #[must_use]
    pub fn options(mut self, options: CallOptions) -> Self {
        self.options = Some(options);
        self
    }

    fn of(whom: Whom) -> Self {
        Self {
            whom,
            media: Media::audio(),
            subject: None,
            guest: None,
            options: None,
        }
    }

    /// The call as Graph wants it, without callback address.
    pub(crate) fn call(self, tenant: &str) -> Result<Call, CallProblem> {
        let call = Call {
            odata_type: Some("#microsoft.graph.call".to_owned()),
            direction: Some(CallDirection::Outgoing),
            requested_modalities: self.media.modalities(),
            media_config: Some(self.media.config()?),
            subject: self.subject,
            call_options: self.options,
            source: self.guest.map(|(id, name)| guest(id, name)),
            ..Call::default()
        };
        Ok(match self.whom {
            Whom::Somebody(callee) => Call {
                targets: vec![callee.invitation()?],
                ..call
            },
            Whom::Phone { number, from } => Call {
                targets: vec![Callee::Phone(number).invitation()?],
                source: Some(source(IdentitySet::of_application_instance(id(
                    "the calling account",
                    &from,
                )?))),
                tenant_id: Some(tenant.to_owned()),
                ..call
            },
            Whom::Group(people) => {
                count("the people of a group call", people.len(), 2, GROUP)?;
                Call {
                    targets: people.iter().map(Callee::invitation).collect::<Result<_, _>>()?,
                    ..call
                }
            }
            Whom::Meeting(coordinates) => {
                let (chat, meeting) = *coordinates;
                same_tenant(&meeting, tenant)?;
                Call {
                    chat_info: Some(chat),
                    meeting_info: Some(meeting),
                    tenant_id: Some(tenant.to_owned()),
                    ..call
                }
            }
            Whom::MeetingAlone(meeting) => {
                let typed = meeting.join_meeting_id.as_deref();
                typed.map(|typed| id("the meeting", typed)).transpose()?;
                Call {
                    meeting_info: Some(*meeting),
                    tenant_id: Some(tenant.to_owned()),
                    ..call
                }
            }
        })
    }
}

/// Tokens and notifications of a call are of the meeting's tenant, and so is the call's place in the store.
fn same_tenant(meeting: &MeetingInfo, tenant: &str) -> Result<(), CallProblem> {
    let organizer = meeting.organizer.as_ref().and_then(IdentitySet::any);
    match organizer.and_then(|organizer| organizer.tenant_id.as_deref()) {
        Some(of_meeting) if !of_meeting.eq_ignore_ascii_case(tenant) => Err(CallProblem::OtherTenant {
            meeting: of_meeting.to_owned(),
            turn: tenant.to_owned(),
        }),
        _ => Ok(()),
    }
}

fn source(identity: IdentitySet) -> ParticipantInfo {
    ParticipantInfo {
        identity: Some(identity),
        ..ParticipantInfo::default()
    }
}

fn guest(id: String, name: String) -> ParticipantInfo {
    source(IdentitySet {
        guest: Some(Box::new(Identity {
            display_name: Some(name),
            ..Identity::of(id)
        })),
        ..IdentitySet::default()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;

    fn wire(outgoing: Outgoing) -> Value {
        serde_json::to_value(outgoing.call("t-1").unwrap()).unwrap()
    }

    fn problem(outgoing: Outgoing) -> String {
        outgoing.call("t-1").unwrap_err().to_string()
    }

    #[test]
    fn a_person_is_called_with_sound_that_graph_hosts() {
        assert_eq!(
            wire(Outgoing::to_user("u-1")),
            json!({
                "@odata.type": "#microsoft.graph.call",
                "direction": "outgoing",
                "targets": [{"identity": {"user": {"id": "u-1"}}}],
                "requestedModalities": ["audio"],
                "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
            })
        );
    }

    #[test]
    fn a_telephone_is_called_from_an_account_of_the_tenant() {
        let call = wire(Outgoing::to_phone("+4930123456", "i-1"));
        assert_eq!(
            call["source"],
            json!({"identity": {"applicationInstance": {"id": "i-1"}}})
        );
        assert_eq!(call["targets"], json!([{"identity": {"phone": {"id": "+4930123456"}}}]));
        assert_eq!(call["tenantId"], "t-1");
        assert!(problem(Outgoing::to_phone("12", "i-1")).contains("\"12\""));
    }

    #[test]
    fn a_group_is_two_to_five_people() {
        let group = |many| Outgoing::group(vec![Callee::user("u"); many]);
        assert!(group(5).call("t-1").is_ok());
        assert_eq!(problem(group(6)), "the people of a group call can be 2 to 5, not 6");
        assert_eq!(problem(group(1)), "the people of a group call can be 2 to 5, not 1");
    }

    #[test]
    fn a_meeting_is_joined_by_the_number_as_people_write_it() {
        let call = wire(Outgoing::join_by_id("123 456 789", Some("sesame".to_owned())).as_guest("g-1", "Bot"));
        assert_eq!(call["meetingInfo"]["joinMeetingId"], "123456789");
        assert_eq!(call["meetingInfo"]["passcode"], "sesame");
        assert_eq!(
            call["source"],
            json!({"identity": {"guest": {"id": "g-1", "displayName": "Bot"}}})
        );
        assert_eq!(
            problem(Outgoing::join_by_id(" ", None)),
            "the id of the meeting is empty"
        );
    }

    #[test]
    fn a_meeting_is_joined_by_its_link() {
        let link = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_x%40thread.v2/0?context=%7b%22Tid%22%3a%223c02559b-3c42-4cdd-b64e-2ec636ec8a8f%22%2c%22Oid%22%3a%22dcef2282-e79c-455b-b99a-7d97fc53772d%22%7d";
        let tenant = "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f";
        let call = serde_json::to_value(Outgoing::join_url(link).unwrap().call(tenant).unwrap()).unwrap();
        assert_eq!(
            call["chatInfo"],
            json!({"threadId": "19:meeting_x@thread.v2", "messageId": "0"})
        );
        assert_eq!(
            call["meetingInfo"]["organizer"]["user"]["id"],
            "dcef2282-e79c-455b-b99a-7d97fc53772d"
        );
        assert!(Outgoing::join_url("https://example.org/").is_err());
    }

    #[test]
    fn a_meeting_of_another_tenant_is_not_joined() {
        let join = |tenant| Outgoing::join(ChatInfo::default(), MeetingInfo::of_organizer("u-1", tenant));
        assert_eq!(wire(join("T-1"))["tenantId"], "t-1");
        assert!(problem(join("t-2")).contains("tenant t-2"));
    }
}
