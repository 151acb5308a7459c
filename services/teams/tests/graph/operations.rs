//! What each operation sends, and what its answer tells.

use serde_json::{Value, json};
use trunkline_teams::calls::{
    AudioRoutingGroup, Call, CallState, IdentitySet, InvitationParticipantInfo, MediaConfig, MediaInfo, MediaPrompt,
    Modality, OperationStatus, ParticipantInfo, RecordingStatus, RejectReason, RoutingMode,
    TeleconferenceDeviceMediaQuality, TeleconferenceDeviceQuality, Tone,
};
use trunkline_teams::graph::{
    Answer, ById, CancelMedia, CreateOrGetMeeting, Errand, Invite, LogDeviceQuality, Mute, OfParticipant, OfUser,
    Operation, OperationKind, PlayPrompt, RecordResponse, Redirect, Reject, ScreenSharingRole, SendDtmfTones,
    StartHoldMusic, StopHoldMusic, SubscribeToTone, Told, Transfer, UpdateRecordingStatus,
};

use crate::support::{Loopback, Reply};
use crate::{CALL, CHAIN, TENANT, client_at, errand, perform, world};

const WHO: &str = "8:orgid:dcef2282-e79c-455b-b99a-7d97fc53772d";
const BELOW: &str = "8%3Aorgid%3Adcef2282-e79c-455b-b99a-7d97fc53772d";

const CONTEXT: &str = "o-1";

fn mute() -> Mute {
    Mute {
        client_context: Some(CONTEXT.to_owned()),
    }
}

fn ines() -> InvitationParticipantInfo {
    InvitationParticipantInfo::to(IdentitySet::of_user("dcef2282-e79c-455b-b99a-7d97fc53772d"))
}

fn prompt() -> MediaPrompt {
    MediaInfo::new("https://bot.lusitania.example/welcome.wav", "welcome-1").into()
}

fn of<B>(body: B) -> OfParticipant<B> {
    OfParticipant {
        participant: WHO.to_owned(),
        body,
    }
}

fn whisper() -> AudioRoutingGroup {
    AudioRoutingGroup {
        id: Some("whisper".to_owned()),
        routing_mode: Some(RoutingMode::Multicast),
        sources: vec!["p-1".to_owned()],
        receivers: vec!["p-2".to_owned(), "p-3".to_owned()],
        ..AudioRoutingGroup::default()
    }
}

fn id(id: &str) -> ById {
    ById { id: id.to_owned() }
}

fn quality() -> LogDeviceQuality {
    let stream = TeleconferenceDeviceMediaQuality {
        odata_type: Some("#microsoft.graph.teleconferenceDeviceVideoQuality".to_owned()),
        channel_index: Some(1),
        media_duration: Some("PT20M".to_owned()),
        average_inbound_packet_loss_rate_in_percentage: Some(0.5),
        average_inbound_frame_rate: Some(24.5),
        ..TeleconferenceDeviceMediaQuality::default()
    };
    LogDeviceQuality {
        quality: TeleconferenceDeviceQuality {
            odata_type: Some("#microsoft.graph.teleconferenceDeviceQuality".to_owned()),
            call_chain_id: Some(CHAIN.to_owned()),
            media_leg_id: Some("0f8fad5b-d9cb-469f-a165-70867728950e".to_owned()),
            device_name: Some("Board room".to_owned()),
            media_quality_list: vec![stream],
            ..TeleconferenceDeviceQuality::default()
        },
    }
}

fn meeting() -> OfUser<CreateOrGetMeeting> {
    OfUser {
        user: "dcef2282-e79c-455b-b99a-7d97fc53772d".to_owned(),
        body: CreateOrGetMeeting {
            external_id: "harbour-7".to_owned(),
            subject: Some("Berths".to_owned()),
            ..CreateOrGetMeeting::default()
        },
    }
}

/// Every operation once, with all that its body can hold.
#[allow(clippy::too_many_lines, reason = "one entry for each operation")]
pub(crate) fn every_operation() -> Vec<Operation> {
    let operations = vec![
        Operation::Create(Box::new(Call {
            odata_type: Some("#microsoft.graph.call".to_owned()),
            targets: vec![ines()],
            requested_modalities: vec![Modality::Audio],
            media_config: Some(MediaConfig::service_hosted(Vec::new())),
            tenant_id: Some(TENANT.to_owned()),
            ..Call::default()
        })),
        Operation::Answer(Box::new(Answer {
            accepted_modalities: vec![Modality::Audio],
            media_config: Some(MediaConfig::service_hosted(vec![MediaInfo::new(
                "https://bot.lusitania.example/welcome.wav",
                "welcome-1",
            )])),
            participant_capacity: Some(100),
            ..Answer::default()
        })),
        Operation::Reject(Reject {
            reason: Some(RejectReason::Busy),
            callback_uri: None,
        }),
        Operation::Redirect(Box::new(Redirect {
            targets: vec![ines()],
            timeout: Some(30),
            callback_uri: None,
        })),
        Operation::Transfer(Box::new(Transfer {
            transfer_target: ines(),
            transferee: Some(ParticipantInfo {
                identity: Some(IdentitySet::of_phone("+351210000000")),
                ..ParticipantInfo::default()
            }),
        })),
        Operation::Delete,
        Operation::Get,
        Operation::KeepAlive,
        Operation::Mute(mute()),
        Operation::Unmute(mute()),
        Operation::ChangeScreenSharingRole(ScreenSharingRole {
            role: "viewer".to_owned(),
        }),
        Operation::PlayPrompt(Box::new(PlayPrompt {
            prompts: vec![prompt()],
            client_context: Some(CONTEXT.to_owned()),
        })),
        Operation::RecordResponse(Box::new(RecordResponse {
            prompts: vec![prompt()],
            barge_in_allowed: Some(true),
            initial_silence_timeout_in_seconds: Some(5),
            max_silence_timeout_in_seconds: Some(3),
            max_record_duration_in_seconds: Some(60),
            play_beep: Some(true),
            stop_tones: vec!["#".to_owned()],
            client_context: Some(CONTEXT.to_owned()),
        })),
        Operation::SubscribeToTone(SubscribeToTone {
            client_context: Some(CONTEXT.to_owned()),
        }),
        Operation::SendDtmfTones(SendDtmfTones {
            tones: vec![Tone::Tone1, Tone::Pound],
            delay_between_tones_ms: Some(200),
            client_context: Some(CONTEXT.to_owned()),
        }),
        Operation::CancelMediaProcessing(CancelMedia {
            client_context: Some(CONTEXT.to_owned()),
        }),
        Operation::UpdateRecordingStatus(UpdateRecordingStatus {
            status: Some(RecordingStatus::Recording),
            client_context: Some(CONTEXT.to_owned()),
        }),
        Operation::AddLargeGalleryView(mute()),
        Operation::ListParticipants,
        Operation::GetParticipant(of(())),
        Operation::Invite(Box::new(Invite {
            participants: vec![ines()],
            client_context: Some(CONTEXT.to_owned()),
        })),
        Operation::RemoveParticipant(of(())),
        Operation::MuteParticipant(of(mute())),
        Operation::StartHoldMusic(Box::new(of(StartHoldMusic {
            custom_prompt: Some(prompt()),
            client_context: Some(CONTEXT.to_owned()),
        }))),
        Operation::StopHoldMusic(of(StopHoldMusic {
            client_context: Some(CONTEXT.to_owned()),
        })),
        Operation::CreateAudioRoutingGroup(Box::new(whisper())),
        Operation::ListAudioRoutingGroups,
        Operation::GetAudioRoutingGroup(id("whisper")),
        Operation::UpdateAudioRoutingGroup(Box::new(whisper())),
        Operation::DeleteAudioRoutingGroup(id("whisper")),
        Operation::ListOperations,
        Operation::GetOperation(id("op-1")),
        Operation::ListContentSharingSessions,
        Operation::GetContentSharingSession(id("s-1")),
        Operation::LogTeleconferenceDeviceQuality(Box::new(quality())),
        Operation::CreateOrGetMeeting(Box::new(meeting())),
    ];
    let kinds: Vec<OperationKind> = operations.iter().map(Operation::kind).collect();
    assert_eq!(kinds, OperationKind::ALL, "every operation is here");
    let callback = "https://bot.lusitania.example/api/calls/o7";
    operations
        .into_iter()
        .map(|operation| operation.with_callback(callback))
        .collect()
}

/// Method and path below the base, and what Graph answers.
fn expected(kind: OperationKind) -> (String, Reply) {
    let call = format!("/v1.0/communications/calls/{CALL}");
    let post = |below: &str| format!("POST {call}/{below}");
    let of = |below: &str| format!("{call}/participants/{BELOW}{below}");
    let nothing = |status| Reply::Answer(status, &[], "");
    let ended = Reply::Answer(200, &[], r#"{"id":"op-1","status":"completed","clientContext":"o-1"}"#);
    let running = |status| Reply::Answer(status, &[], r#"{"id":"op-1","status":"running","clientContext":"o-1"}"#);
    match kind {
        OperationKind::Create => (
            "POST /v1.0/communications/calls".to_owned(),
            Reply::Answer(201, &[], r#"{"id":"c-1","state":"establishing"}"#),
        ),
        OperationKind::Answer => (post("answer"), nothing(202)),
        OperationKind::Reject => (post("reject"), nothing(202)),
        OperationKind::Redirect => (post("redirect"), nothing(202)),
        OperationKind::Transfer => (post("transfer"), nothing(202)),
        OperationKind::Delete => (format!("DELETE {call}"), nothing(204)),
        OperationKind::Get => (
            format!("GET {call}"),
            Reply::Answer(200, &[], r#"{"id":"c-1","state":"Established"}"#),
        ),
        OperationKind::KeepAlive => (post("keepAlive"), nothing(200)),
        OperationKind::Mute => (post("mute"), ended),
        OperationKind::Unmute => (post("unmute"), ended),
        OperationKind::ChangeScreenSharingRole => (post("changeScreenSharingRole"), nothing(202)),
        OperationKind::PlayPrompt => (post("playPrompt"), running(200)),
        OperationKind::RecordResponse => (post("recordResponse"), running(200)),
        OperationKind::SubscribeToTone => (post("subscribeToTone"), ended),
        OperationKind::SendDtmfTones => (post("sendDtmfTones"), running(200)),
        OperationKind::CancelMediaProcessing => (post("cancelMediaProcessing"), ended),
        OperationKind::UpdateRecordingStatus => (post("updateRecordingStatus"), ended),
        OperationKind::AddLargeGalleryView => (post("addLargeGalleryView"), running(202)),
        OperationKind::ListParticipants => (
            format!("GET {call}/participants"),
            Reply::Answer(200, &[], r#"{"value":[{"id":"p-1"},{"id":"p-2"}]}"#),
        ),
        OperationKind::GetParticipant => (
            format!("GET {}", of("")),
            Reply::Answer(200, &[], r#"{"id":"p-1","isMuted":true}"#),
        ),
        OperationKind::Invite => (post("participants/invite"), running(200)),
        OperationKind::RemoveParticipant => (format!("DELETE {}", of("")), nothing(204)),
        OperationKind::MuteParticipant => (format!("POST {}", of("/mute")), ended),
        OperationKind::StartHoldMusic => (format!("POST {}", of("/startHoldMusic")), running(202)),
        OperationKind::StopHoldMusic => (format!("POST {}", of("/stopHoldMusic")), running(202)),
        other => expected_beside(other),
    }
}

/// The same of what is not about the sound or the people of a call.
fn expected_beside(kind: OperationKind) -> (String, Reply) {
    let calls = "/v1.0/communications/calls";
    let get = |below: &str| format!("GET {calls}/{CALL}/{below}");
    let group = r#"{"id":"whisper","routingMode":"Multicast","sources":["p-1"],"receivers":["p-2","p-3"]}"#;
    let all = |body| Reply::Answer(200, &[], body);
    match kind {
        OperationKind::CreateAudioRoutingGroup => (format!("POST {calls}/{CALL}/audioRoutingGroups"), all(group)),
        OperationKind::ListAudioRoutingGroups => (get("audioRoutingGroups"), all(r#"{"value":[{"id":"whisper"}]}"#)),
        OperationKind::GetAudioRoutingGroup => (get("audioRoutingGroups/whisper"), all(group)),
        OperationKind::UpdateAudioRoutingGroup => {
            (format!("PATCH {calls}/{CALL}/audioRoutingGroups/whisper"), all(group))
        }
        OperationKind::DeleteAudioRoutingGroup => (
            format!("DELETE {calls}/{CALL}/audioRoutingGroups/whisper"),
            Reply::Answer(204, &[], ""),
        ),
        OperationKind::ListOperations => (
            get("operations"),
            all(r#"{"value":[{"id":"op-1","status":"Running"}]}"#),
        ),
        OperationKind::GetOperation => (
            get("operations/op-1"),
            all(r#"{"id":"op-1","status":"completed","clientContext":"o-1"}"#),
        ),
        OperationKind::ListContentSharingSessions => (
            get("contentSharingSessions"),
            all(r#"{"value":[{"id":"s-1"},{"id":"s-2"}]}"#),
        ),
        OperationKind::GetContentSharingSession => (get("contentSharingSessions/s-1"), all(r#"{"id":"s-1"}"#)),
        OperationKind::LogTeleconferenceDeviceQuality => (
            format!("POST {calls}/logTeleconferenceDeviceQuality"),
            Reply::Answer(200, &[], ""),
        ),
        OperationKind::CreateOrGetMeeting => (
            "POST /v1.0/users/dcef2282-e79c-455b-b99a-7d97fc53772d/onlineMeetings/createOrGet".to_owned(),
            Reply::Answer(
                201,
                &[],
                r#"{"id":"m-1","externalId":"harbour-7","chatInfo":{"threadId":"19:m"}}"#,
            ),
        ),
        other => panic!("{other:?} is not tested"),
    }
}

#[tokio::test]
async fn each_operation_has_its_method_path_body_and_answer() {
    for operation in every_operation() {
        let kind = operation.kind();
        let (line, reply) = expected(kind);
        let has_answer = !matches!(reply, Reply::Answer(_, _, ""));
        let (server, client) = world([reply]).await;
        let told = perform(&client, &operation).await.unwrap();
        let request = &server.requests()[0];
        assert_eq!(request.line, format!("{line} HTTP/1.1"));
        let sent = operation.request(Some(CALL)).unwrap().body.unwrap_or_default();
        assert_eq!(request.body.as_bytes(), &sent, "{kind:?}");
        if !sent.is_empty() {
            assert_eq!(request.header("content-type"), Some("application/json; charset=utf-8"));
        }
        match told {
            Told::Nothing => assert!(!has_answer, "{kind:?}"),
            Told::Call(call) => assert_eq!(call.id.as_deref(), Some("c-1"), "{kind:?}"),
            Told::Operation(told) => {
                assert_eq!(told.client_context.as_deref(), Some(CONTEXT), "{kind:?}");
                let is_over = told.status == Some(OperationStatus::Completed);
                assert_eq!(told.is_over(), is_over, "{kind:?}");
            }
            Told::Roster(all) => assert_eq!(all.len(), 2, "{kind:?}"),
            Told::Participant(who) => assert_eq!(who.is_muted, Some(true), "{kind:?}"),
            Told::RoutingGroup(group) => assert_eq!(group.routing_mode, Some(RoutingMode::Multicast), "{kind:?}"),
            Told::RoutingGroups(all) => assert_eq!(all[0].id.as_deref(), Some("whisper"), "{kind:?}"),
            Told::Operations(all) => assert_eq!(all[0].status, Some(OperationStatus::Running), "{kind:?}"),
            Told::Session(session) => assert_eq!(session.id.as_deref(), Some("s-1"), "{kind:?}"),
            Told::Sessions(all) => assert_eq!(all.len(), 2, "{kind:?}"),
            Told::Meeting(meeting) => assert_eq!(meeting.external_id.as_deref(), Some("harbour-7"), "{kind:?}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_operation_can_be_done_by_any_thread() {
    let (_server, client) = world([Reply::Answer(200, &[], "")]).await;
    let done = tokio::spawn(async move { perform(&client, &Operation::KeepAlive).await });
    assert_eq!(done.await.unwrap().unwrap(), Told::Nothing);
}

#[tokio::test]
async fn a_request_without_a_body_says_that_it_has_none() {
    let (server, client) = world([Reply::Answer(200, &[], "")]).await;
    perform(&client, &Operation::KeepAlive).await.unwrap();
    assert_eq!(server.requests()[0].header("content-length"), Some("0"));
}

#[tokio::test]
async fn every_request_has_its_own_id_and_all_of_a_call_one_scenario() {
    let (server, client) = world(vec![Reply::Answer(200, &[], ""); 4]).await;
    perform(&client, &Operation::KeepAlive).await.unwrap();
    perform(&client, &Operation::KeepAlive).await.unwrap();
    let without = Errand {
        scenario: None,
        ..errand()
    };
    client.perform(&Operation::KeepAlive, &without).await.unwrap();
    let odd = Errand {
        scenario: Some("no guid\r\nX-Evil: 1"),
        ..errand()
    };
    client.perform(&Operation::KeepAlive, &odd).await.unwrap();
    let requests = server.requests();
    let scenarios: Vec<_> = requests.iter().map(|request| request.header("scenario-id")).collect();
    assert_eq!(scenarios, [Some(CHAIN), Some(CHAIN), Some(CALL), Some(CALL)]);
    let ids: std::collections::HashSet<_> = requests
        .iter()
        .map(|request| request.header("client-request-id").unwrap())
        .collect();
    assert_eq!(ids.len(), 4);
    assert!(ids.iter().all(|id| trunkline_teams::calls::normal_id(id).is_some()));
    let agent = requests[0].header("user-agent").unwrap();
    assert_eq!(
        agent,
        format!("GraphCommunicationsClient-harbour-desk/{}", env!("CARGO_PKG_VERSION"))
    );
    assert!(requests.iter().all(|request| request.connection == 0));
}

#[tokio::test]
async fn a_call_that_has_no_id_yet_gets_a_new_scenario() {
    let created = Reply::Answer(201, &[], r#"{"id":"c-1"}"#);
    let (server, client) = world([created.clone(), created]).await;
    let create = every_operation().remove(0);
    let errand = Errand {
        call: None,
        scenario: None,
        ..errand()
    };
    client.perform(&create, &errand).await.unwrap();
    client.perform(&create, &errand).await.unwrap();
    let requests = server.requests();
    let [first, second] = [0, 1].map(|number| requests[number].header("scenario-id").unwrap().to_owned());
    assert!(first != second && trunkline_teams::calls::normal_id(&first).is_some());
}

#[tokio::test]
async fn tokens_are_those_of_the_calls_tenant() {
    let (server, client) = world(vec![Reply::Answer(200, &[], ""); 2]).await;
    perform(&client, &Operation::KeepAlive).await.unwrap();
    let other = Errand {
        tenant: "lusitania.example",
        ..errand()
    };
    client.perform(&Operation::KeepAlive, &other).await.unwrap();
    let requests = server.requests();
    assert_eq!(
        requests[0].header("authorization").unwrap(),
        format!("Bearer {TENANT}-0")
    );
    assert_eq!(requests[1].header("authorization"), Some("Bearer lusitania.example-0"));
}

#[tokio::test]
async fn a_roster_that_comes_in_pages_is_read_whole_and_from_one_host_only() {
    let page = |next: &str| {
        let body = json!({"value": [{"id": "p-1"}], "@odata.nextLink": next}).to_string();
        Reply::Answer(200, &[], body.leak())
    };
    let server = Loopback::start_with(|origin| {
        [
            page(&format!("{origin}/v1.0/next?$skiptoken=7")),
            Reply::Answer(200, &[], r#"{"value":[{"id":"p-2"}]}"#),
            page("http://127.0.0.1:1/v1.0/next"),
        ]
    })
    .await;
    let client = client_at(&format!("{}/v1.0", server.origin()));
    let Told::Roster(all) = perform(&client, &Operation::ListParticipants).await.unwrap() else {
        panic!("a roster")
    };
    assert_eq!(all.len(), 2);
    assert_eq!(server.requests()[1].line, "GET /v1.0/next?$skiptoken=7 HTTP/1.1");
    let error = perform(&client, &Operation::ListParticipants).await.unwrap_err();
    assert!(error.is_certain(), "{error:?}");
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_call_is_known_by_its_location_when_its_answer_is_not_readable() {
    let location = "https://graph.microsoft.com/v1.0/communications/calls/6B1F2F004C214F0E9A550C7BE1D2A901";
    let headers: &[_] = Box::leak(Box::new([("Location", location)]));
    let cut = |text| Reply::Answer(201, headers, text);
    let (_server, client) = world([cut("<html>"), cut(""), cut(r#"{"state":"establishing"}"#)]).await;
    let create = every_operation().remove(0);
    for _ in 0..3 {
        let Told::Call(call) = perform(&client, &create).await.unwrap() else {
            panic!("a call")
        };
        assert_eq!(call.id.as_deref(), Some(CALL));
        assert!(matches!(call.state, None | Some(CallState::Establishing)));
    }
}

#[tokio::test]
async fn an_operation_is_known_by_its_location_when_its_answer_has_no_id() {
    let location = "https://graph.microsoft.com/v1.0/communications/calls/6b1f2f00-4c21-4f0e-9a55-0c7be1d2a901/operations/0FE0623FD62842EDB4BD8AC290072CC5";
    let headers: &[_] = Box::leak(Box::new([("Location", location)]));
    let (_server, client) = world([
        Reply::Answer(200, headers, ""),
        Reply::Answer(200, headers, r#"{"status":"running"}"#),
        Reply::Answer(200, &[], "nonsense"),
    ])
    .await;
    let prompt = every_operation().remove(11);
    for _ in 0..2 {
        let Told::Operation(operation) = perform(&client, &prompt).await.unwrap() else {
            panic!("an operation")
        };
        assert_eq!(operation.id.as_deref(), Some("0fe0623f-d628-42ed-b4bd-8ac290072cc5"));
    }
    assert_eq!(perform(&client, &prompt).await.unwrap(), Told::Nothing);
}

#[test]
fn no_operation_is_sent_with_members_that_are_null() {
    for operation in every_operation() {
        let Some(body) = operation.request(Some(CALL)).unwrap().body else {
            continue;
        };
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert!(!body.to_string().contains("null"), "{body}");
    }
}
