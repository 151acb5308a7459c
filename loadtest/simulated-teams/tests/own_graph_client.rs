//! Trunkline's own client of Graph, its reader of notifications and its verifier against the simulated Graph: neither was
//! written with the other's types, so that they agree means something.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use support::{
    BOT, INES, PATIENCE, PRIYA, TOMASZ, World,
    telephone::{Told as Received, Webhook},
};
use trunkline_simulated_teams::{
    CallDisorder, CallFault, CallState, CallView, Casing, FaultTime, RecorderInvitation, SimulatedTeamsConfig,
};
use trunkline_teams::{
    calls::{
        AudioRoutingGroup, Batch, Call, CallOptions, ChangeType, ChatInfo, CommsOperation, ContentSharingSession,
        IdentitySet, InvitationParticipantInfo, MediaConfig, MediaInfo, MeetingInfo, Modality, Notification,
        ParticipantInfo, RecordingStatus, RejectReason, RoutingMode, Subject, TeleconferenceDeviceQuality, Tone,
    },
    cloud::{Calling, Cloud},
    graph::{
        Answer, ById, CancelMedia, Client, CreateOrGetMeeting, Errand, GraphError, Invite, LogDeviceQuality, Mute,
        OfParticipant, OfUser, Operation, PlayPrompt, RecordResponse, Redirect, Reject, ScreenSharingRole,
        SendDtmfTones, StartHoldMusic, StopHoldMusic, SubscribeToTone, Told, Transfer, UpdateRecordingStatus,
    },
    identity::{BotIdentity, Verifier, VerifierConfig},
    token::{Proof, Secret, TenantCredentials, login_client},
};

/// A simulated Graph, a webhook, and the client.
struct Bench {
    world: World,
    webhook: Webhook,
    client: Client,
    tenant: String,
    received: Vec<Received>,
}

impl Bench {
    async fn with(change: impl FnOnce(&mut SimulatedTeamsConfig)) -> Self {
        Self::of(Webhook::accepting(), change).await
    }

    async fn of(webhook: Webhook, change: impl FnOnce(&mut SimulatedTeamsConfig)) -> Self {
        let mut settings = webhook.settings();
        change(&mut settings);
        let tenant = settings.tenant.clone();
        let world = World::start(settings).await;
        let bot = world.teams.bots().remove(0);
        let cloud = cloud(&world);
        let calling = cloud.calling.clone().unwrap();
        let proof = Proof::ClientSecret(Secret::new("a secret for this machine only"));
        let http = || login_client().unwrap();
        let tokens = TenantCredentials::new(&cloud, &calling.graph_scope, &bot.app_id, proof, http());
        let client = Client::new(http(), &calling.graph, Some(Arc::new(tokens)), "harbour").unwrap();
        Self {
            world,
            webhook,
            client,
            tenant,
            received: Vec::new(),
        }
    }

    async fn perform(&self, call: &str, operation: Operation) -> Result<Told, GraphError> {
        let callback = format!("{}/api/calls/key", self.webhook.origin);
        let errand = Errand {
            tenant: &self.tenant,
            call: Some(call),
            scenario: None,
            deadline: Instant::now() + PATIENCE,
        };
        let operation = operation.with_callback(&callback).with_client_context("context");
        self.client.perform(&operation, &errand).await
    }

    async fn done(&self, call: &str, operation: Operation) -> Told {
        let name = format!("{operation:?}");
        self.perform(call, operation)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The operation that Graph made of it.
    async fn started(&self, call: &str, operation: Operation) -> CommsOperation {
        match self.done(call, operation).await {
            Told::Operation(operation) => *operation,
            other => panic!("{other:?}"),
        }
    }

    async fn created(&self, call: Call) -> String {
        match self.done("", Operation::Create(Box::new(call))).await {
            Told::Call(call) => call.id.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The end of an operation, as the bot reads it.
    async fn ended(&mut self, operation: &CommsOperation) -> CommsOperation {
        let wanted = operation.id.clone();
        loop {
            let told = self.webhook.next().await;
            let body = told.body.to_string();
            self.received.push(told);
            for notification in read(&body) {
                if let Subject::Operation { id, operation } = notification.subject
                    && id == wanted
                {
                    assert!(operation.is_over());
                    assert_eq!(operation.client_context.as_deref(), Some("context"));
                    return *operation;
                }
            }
        }
    }

    /// The next that is told of content that is shared in this call.
    async fn sharing_told(&mut self, call: &str) -> (ChangeType, Vec<ContentSharingSession>) {
        loop {
            let told = self.webhook.next().await;
            let body = told.body.to_string();
            self.received.push(told);
            for notification in read(&body) {
                if let Subject::ContentSharing(sessions) = notification.subject
                    && notification.call.as_deref() == Some(call)
                {
                    return (notification.change, sessions);
                }
            }
        }
    }

    async fn talking(&self, call: &str) {
        let active = self.world.teams.call_when(call, PATIENCE, |call| call.is_audio_active);
        active.await.unwrap();
    }

    async fn over(&self, call: &str) {
        let over = self
            .world
            .teams
            .call_when(call, PATIENCE, |call| call.state == CallState::Terminated);
        over.await.unwrap();
    }

    fn who(&self, person: trunkline_simulated_teams::PersonNumber) -> InvitationParticipantInfo {
        InvitationParticipantInfo::to(IdentitySet::of_user(self.world.teams.object_id(person).unwrap()))
    }

    fn prompt(&self) -> MediaInfo {
        MediaInfo::new(format!("{}/prompt.wav", self.webhook.origin), "hello")
    }

    /// Everything that the webhook got is read, and is about a call.
    async fn all_is_read(mut self) {
        let teams = self.world.teams.clone();
        let ids: Vec<String> = teams.calls().into_iter().map(|call| call.id).collect();
        for id in ids {
            let told = teams.call_when(&id, PATIENCE, |call| call.notified().contains(&"deleted terminated"));
            told.await.unwrap();
        }
        while let Some(told) = self.webhook.now() {
            self.received.push(told);
        }
        assert!(self.received.len() > 5);
        for told in &self.received {
            for notification in read(&told.body.to_string()) {
                assert!(notification.call.is_some(), "{}", told.body);
                assert!(!matches!(notification.subject, Subject::Other), "{}", told.body);
            }
        }
    }
}

fn cloud(world: &World) -> Cloud {
    let graph = world.teams.graph_url();
    Cloud {
        token_endpoint: format!("{}/{{tenant}}/oauth2/v2.0/token", world.teams.login_url()),
        calling: Some(Calling {
            graph_scope: format!("{}/.default", graph.trim_end_matches("/v1.0")),
            graph,
            metadata: world.teams.calls_metadata_url(),
            ..Cloud::public().calling.unwrap()
        }),
        ..Cloud::public()
    }
}

fn read(body: &str) -> Vec<Notification> {
    let Batch::Notifications(all) = Batch::read(body.as_bytes()) else {
        panic!("{body} is no batch")
    };
    let read = all.into_iter().map(|raw| Notification::read(raw.get().as_bytes()));
    read.collect::<Result<_, _>>().unwrap()
}

fn answer() -> Operation {
    Operation::Answer(Box::new(Answer {
        accepted_modalities: vec![Modality::Audio],
        media_config: Some(MediaConfig::service_hosted(Vec::new())),
        ..Answer::default()
    }))
}

fn call(targets: Vec<InvitationParticipantInfo>) -> Call {
    Call {
        targets,
        requested_modalities: vec![Modality::Audio],
        media_config: Some(MediaConfig::service_hosted(Vec::new())),
        ..Call::default()
    }
}

fn of<B>(participant: &str, body: B) -> OfParticipant<B> {
    OfParticipant {
        participant: participant.to_owned(),
        body,
    }
}

async fn one_to_one(mut bench: Bench) {
    let id = bench.world.teams.ring(INES, BOT).unwrap();
    assert_eq!(bench.done(&id, answer()).await, Told::Nothing);
    bench.talking(&id).await;
    let Told::Call(read) = bench.done(&id, Operation::Get).await else {
        panic!("no call")
    };
    assert_eq!(read.id.as_deref(), Some(id.as_str()));
    bench.done(&id, Operation::KeepAlive).await;
    let tones = bench
        .started(&id, Operation::SubscribeToTone(SubscribeToTone::default()))
        .await;
    assert!(tones.is_over());
    bench.world.teams.press_key(&id, "#").unwrap();
    let prompt = bench
        .started(&id, Operation::PlayPrompt(Box::new(PlayPrompt::one(bench.prompt()))))
        .await;
    assert!(!prompt.is_over());
    bench.ended(&prompt).await;
    let record = RecordResponse {
        initial_silence_timeout_in_seconds: Some(1),
        play_beep: Some(false),
        ..RecordResponse::default()
    };
    let record = bench.started(&id, Operation::RecordResponse(Box::new(record))).await;
    let silent = bench.ended(&record).await;
    assert_eq!(silent.result_info.unwrap().subcode(), 8510);
    let tones = SendDtmfTones {
        tones: vec![Tone::Tone1, Tone::Star],
        delay_between_tones_ms: Some(5),
        client_context: None,
    };
    let tones = bench.started(&id, Operation::SendDtmfTones(tones)).await;
    bench.ended(&tones).await;
    let cancel = bench
        .started(&id, Operation::CancelMediaProcessing(CancelMedia::default()))
        .await;
    assert!(cancel.is_over());
    let transfer = Transfer {
        transfer_target: bench.who(TOMASZ),
        transferee: None,
    };
    bench.done(&id, Operation::Transfer(Box::new(transfer))).await;
    bench.over(&id).await;
    let gone = bench.perform(&id, Operation::KeepAlive).await;
    assert!(matches!(gone, Err(GraphError::Refused { status: 404, .. })), "{gone:?}");
    bench.all_is_read().await;
}

#[actix_web::test]
async fn a_one_to_one_call_is_led_by_our_client_and_read_by_our_reader() {
    one_to_one(Bench::with(|_| ()).await).await;
}

#[actix_web::test]
async fn the_same_when_enums_are_spelled_as_in_logs_and_things_go_astray() {
    let unruly = |settings: &mut SimulatedTeamsConfig| {
        settings.calls.casing = Casing::Log;
        settings.calls.disorder = CallDisorder {
            swapped: 1.0,
            repeated: 0.5,
            batched: 0.5,
            early: 0.5,
            compact: 0.5,
            nameless: 1.0,
            ..CallDisorder::default()
        };
    };
    one_to_one(Bench::with(unruly).await).await;
}

#[actix_web::test]
async fn a_bot_decides_calls_people_and_widens_a_call() {
    let mut bench = Bench::with(|_| ()).await;
    let id = bench.world.teams.ring(INES, BOT).unwrap();
    let reject = Reject {
        reason: Some(RejectReason::Busy),
        callback_uri: None,
    };
    bench.done(&id, Operation::Reject(reject)).await;
    let id = bench.world.teams.ring(INES, BOT).unwrap();
    let redirect = Redirect {
        targets: vec![bench.who(TOMASZ), bench.who(PRIYA)],
        timeout: Some(20),
        callback_uri: None,
    };
    bench.done(&id, Operation::Redirect(Box::new(redirect))).await;
    let id = bench.created(call(vec![bench.who(TOMASZ)])).await;
    bench.talking(&id).await;
    let invite = Invite {
        participants: vec![bench.who(PRIYA)],
        client_context: None,
    };
    let invite = bench.started(&id, Operation::Invite(Box::new(invite))).await;
    bench.ended(&invite).await;
    bench.done(&id, Operation::Delete).await;
    let id = bench.created(call(vec![bench.who(INES), bench.who(PRIYA)])).await;
    bench.talking(&id).await;
    bench.world.teams.hang_up(&id).unwrap();
    bench.over(&id).await;
    bench.all_is_read().await;
}

#[actix_web::test]
async fn a_bot_in_a_meeting_does_what_meetings_offer() {
    let mut bench = Bench::with(|_| ()).await;
    let meeting = bench.world.teams.open_meeting(INES, false).unwrap();
    for person in [INES, TOMASZ] {
        bench.world.teams.join(meeting.number, person).unwrap();
    }
    let join = Call {
        chat_info: Some(ChatInfo {
            thread_id: Some(meeting.thread.clone()),
            message_id: Some("0".to_owned()),
            ..ChatInfo::default()
        }),
        meeting_info: Some(MeetingInfo::of_organizer(&meeting.organizer, &bench.tenant)),
        tenant_id: Some(bench.tenant.clone()),
        ..call(Vec::new())
    };
    let id = bench.created(join).await;
    bench.talking(&id).await;
    for mute in [Operation::Mute(Mute::default()), Operation::Unmute(Mute::default())] {
        assert!(bench.started(&id, mute).await.is_over());
    }
    let gallery = bench
        .started(&id, Operation::AddLargeGalleryView(Mute::default()))
        .await;
    bench.ended(&gallery).await;
    let Told::Roster(roster) = bench.done(&id, Operation::ListParticipants).await else {
        panic!("no roster")
    };
    let tomasz = roster[1].participant_id().unwrap().to_owned();
    let Told::Participant(_) = bench.done(&id, Operation::GetParticipant(of(&tomasz, ()))).await else {
        panic!("no participant")
    };
    let muted = bench
        .started(&id, Operation::MuteParticipant(of(&tomasz, Mute::default())))
        .await;
    assert!(muted.is_over());
    let hold = Operation::StartHoldMusic(Box::new(of(&tomasz, StartHoldMusic::default())));
    let hold = bench.started(&id, hold).await;
    bench.ended(&hold).await;
    let back = bench
        .started(&id, Operation::StopHoldMusic(of(&tomasz, StopHoldMusic::default())))
        .await;
    bench.ended(&back).await;
    bench.done(&id, Operation::RemoveParticipant(of(&tomasz, ()))).await;
    bench.done(&id, Operation::Delete).await;
    let second = Call {
        meeting_info: Some(MeetingInfo::of_meeting_id(&meeting.join_id, meeting.passcode.clone())),
        ..call(Vec::new())
    };
    let id = bench.created(second).await;
    bench.talking(&id).await;
    let wrong_media = bench.perform(
        &id,
        Operation::ChangeScreenSharingRole(ScreenSharingRole {
            role: "viewer".to_owned(),
        }),
    );
    let wrong_media = wrong_media.await;
    assert!(
        matches!(&wrong_media, Err(GraphError::Refused { code, .. }) if code == "8500"),
        "{wrong_media:?}"
    );
    let transfer = Transfer {
        transfer_target: bench.who(PRIYA),
        transferee: Some(ParticipantInfo {
            identity: bench.who(INES).identity,
            ..ParticipantInfo::default()
        }),
    };
    bench.done(&id, Operation::Transfer(Box::new(transfer))).await;
    bench.over(&id).await;
    bench.all_is_read().await;
}

#[actix_web::test]
async fn a_recorder_is_invited_and_reports_through_our_client() {
    let mut bench = Bench::with(|_| ()).await;
    let invitation = RecorderInvitation {
        person: INES,
        other: TOMASZ,
        bot: BOT,
        is_callee: true,
    };
    let id = bench.world.teams.invite_recorder(&invitation).unwrap();
    let told = bench.webhook.next().await;
    let notification = read(&told.body.to_string()).remove(0);
    assert!(matches!(notification.subject, Subject::Call(call) if call.is_recording_invitation()));
    bench.done(&id, answer()).await;
    bench.talking(&id).await;
    let status = UpdateRecordingStatus {
        status: Some(RecordingStatus::Recording),
        client_context: None,
    };
    let status = bench.started(&id, Operation::UpdateRecordingStatus(status)).await;
    assert!(status.is_over());
    bench.done(&id, Operation::Delete).await;
    bench.all_is_read().await;
}

#[actix_web::test]
async fn further_people_of_a_recording_are_read_as_they_join_and_leave() {
    // 200 with a body decides; the webhook accepts whoever joins.
    let mut bench = Bench::of(Webhook::answering(|_| 200), |_| ()).await;
    let invitation = RecorderInvitation {
        person: INES,
        other: TOMASZ,
        bot: BOT,
        is_callee: true,
    };
    let id = bench.world.teams.invite_recorder(&invitation).unwrap();
    let Operation::Answer(mut answer) = answer() else {
        panic!()
    };
    answer.participant_capacity = Some(10);
    bench.done(&id, Operation::Answer(answer)).await;
    bench.talking(&id).await;
    bench.world.teams.record_another(&id, PRIYA).unwrap();
    let joined = |call: &CallView| call.participants.iter().any(|who| who.person == Some(PRIYA));
    bench.world.teams.call_when(&id, PATIENCE, joined).await.unwrap();
    bench.world.teams.stop_recording_of(&id, PRIYA).unwrap();
    let (mut joins, mut left) = (None, None);
    while left.is_none() {
        let told = bench.webhook.next().await;
        let body = told.body.to_string();
        bench.received.push(told);
        for notification in read(&body) {
            match notification.subject {
                Subject::Joining(joining) => joins = joining.call.unwrap().incoming_context,
                Subject::Left(who) => left = who.participant_id,
                _ => {}
            }
        }
    }
    assert_eq!(joins.unwrap().observed_participant_id, left);
    bench.done(&id, Operation::Delete).await;
    bench.all_is_read().await;
}

/// A meeting of Ines that our client has made, joined by it.
async fn made_and_joined(bench: &Bench) -> (usize, String) {
    let make = || {
        Operation::CreateOrGetMeeting(Box::new(OfUser {
            user: bench.world.teams.object_id(INES).unwrap(),
            body: CreateOrGetMeeting {
                external_id: "berths".to_owned(),
                ..CreateOrGetMeeting::default()
            },
        }))
    };
    let (Told::Meeting(meeting), Told::Meeting(again)) = (bench.done("", make()).await, bench.done("", make()).await)
    else {
        panic!("no meeting")
    };
    assert_eq!(meeting, again);
    let organizer = meeting.participants.unwrap().organizer.unwrap().identity.unwrap();
    let organizer = organizer.user.unwrap().id.unwrap();
    let join = Call {
        chat_info: meeting.chat_info.clone(),
        meeting_info: Some(MeetingInfo::of_organizer(organizer, &bench.tenant)),
        tenant_id: Some(bench.tenant.clone()),
        call_options: Some(CallOptions {
            odata_type: Some("#microsoft.graph.outgoingCallOptions".to_owned()),
            is_content_sharing_notification_enabled: Some(true),
            ..CallOptions::default()
        }),
        ..call(Vec::new())
    };
    let id = bench.created(join).await;
    bench.talking(&id).await;
    let number = (0..100).find(|number| {
        let view = bench.world.teams.meeting(*number).unwrap();
        view.thread == meeting.chat_info.as_ref().unwrap().thread_id.as_deref().unwrap()
    });
    (number.unwrap(), id)
}

#[actix_web::test]
async fn our_client_makes_a_meeting_routes_its_sound_and_reads_what_is_shared() {
    let mut bench = Bench::with(|_| ()).await;
    let (meeting, id) = made_and_joined(&bench).await;
    for person in [INES, TOMASZ] {
        bench.world.teams.join(meeting, person).unwrap();
    }
    let Told::Roster(roster) = bench.done(&id, Operation::ListParticipants).await else {
        panic!("no roster")
    };
    let people: Vec<String> = roster
        .iter()
        .map(|who| who.participant_id().unwrap().to_owned())
        .collect();
    let group = AudioRoutingGroup {
        id: Some("whisper".to_owned()),
        routing_mode: Some(RoutingMode::OneToOne),
        sources: vec![people[0].clone()],
        receivers: vec![people[1].clone()],
        ..AudioRoutingGroup::default()
    };
    let by_id = || ById {
        id: "whisper".to_owned(),
    };
    let created = bench
        .done(&id, Operation::CreateAudioRoutingGroup(Box::new(group.clone())))
        .await;
    let wider = AudioRoutingGroup {
        routing_mode: Some(RoutingMode::Multicast),
        receivers: people[1..].to_vec(),
        ..group
    };
    let changed = bench
        .done(&id, Operation::UpdateAudioRoutingGroup(Box::new(wider)))
        .await;
    assert_ne!(created, changed);
    assert_eq!(bench.done(&id, Operation::GetAudioRoutingGroup(by_id())).await, changed);
    let Told::RoutingGroups(all) = bench.done(&id, Operation::ListAudioRoutingGroups).await else {
        panic!("no groups")
    };
    assert_eq!(all.len(), 1);
    bench.done(&id, Operation::DeleteAudioRoutingGroup(by_id())).await;

    bench.world.teams.share(meeting, INES, true).unwrap();
    let Told::Sessions(sessions) = bench.done(&id, Operation::ListContentSharingSessions).await else {
        panic!("no sessions")
    };
    let session = ById {
        id: sessions[0].id.clone().unwrap(),
    };
    let Told::Session(_) = bench.done(&id, Operation::GetContentSharingSession(session)).await else {
        panic!("no session")
    };
    let told = bench.sharing_told(&id).await;
    assert_eq!(told, (ChangeType::Created, sessions));
    bench.world.teams.share(meeting, INES, false).unwrap();
    assert_eq!(bench.sharing_told(&id).await.0, ChangeType::Deleted);

    let mute = bench.started(&id, Operation::Mute(Mute::default())).await;
    let Told::Operations(operations) = bench.done(&id, Operation::ListOperations).await else {
        panic!("no operations")
    };
    assert_eq!(operations.last().unwrap().id, mute.id);
    let one = ById { id: mute.id.unwrap() };
    assert!(bench.started(&id, Operation::GetOperation(one)).await.is_over());
    let quality = LogDeviceQuality {
        quality: TeleconferenceDeviceQuality {
            odata_type: Some("#microsoft.graph.teleconferenceDeviceQuality".to_owned()),
            ..TeleconferenceDeviceQuality::default()
        },
    };
    bench
        .done("", Operation::LogTeleconferenceDeviceQuality(Box::new(quality)))
        .await;
    bench.done(&id, Operation::Delete).await;
    bench.all_is_read().await;
}

#[actix_web::test]
async fn our_verifier_takes_the_tokens_of_notifications() {
    let mut bench = Bench::with(|_| ()).await;
    let cloud = cloud(&bench.world);
    let calling = cloud.calling.clone().unwrap();
    let identity = BotIdentity {
        name: "pilot".to_owned(),
        app_id: bench.world.teams.bots()[0].app_id.clone(),
        ..BotIdentity::default()
    };
    let rules = VerifierConfig::for_calls(cloud, calling.issuers, calling.metadata, vec![identity]);
    let verifier = Arc::new(Verifier::new(rules, login_client().unwrap()).unwrap());
    let keeper = Arc::clone(&verifier);
    actix_rt::spawn(async move { keeper.keep_keys_fresh(std::future::pending()).await });
    bench.world.teams.ring(INES, BOT).unwrap();
    let told = bench.webhook.next().await;
    let header = told.header("authorization").unwrap().as_bytes();
    let claim = verifier.check([header], SystemTime::now()).await;
    assert!(claim.is_ok(), "{claim:?}");
}

#[actix_web::test]
async fn our_client_waits_as_long_as_a_throttled_answer_says_and_leaves_a_create_in_doubt() {
    let bench = Bench::with(|_| ()).await;
    let fault = |operation: &str, status, when, retry_after| CallFault {
        operation: Some(operation.to_owned()),
        status,
        when,
        share: 1.0,
        times: Some(1),
        retry_after,
    };
    let id = bench.world.teams.ring(INES, BOT).unwrap();
    bench
        .world
        .teams
        .set_call_faults(vec![fault("answer", 429, FaultTime::BeforeStore, Some(0.125))]);
    let begun = Instant::now();
    bench.done(&id, answer()).await;
    assert!(begun.elapsed() >= Duration::from_millis(125));
    bench
        .world
        .teams
        .set_call_faults(vec![fault("create", 504, FaultTime::AfterStore, None)]);
    let doubt = bench
        .perform("", Operation::Create(Box::new(call(vec![bench.who(TOMASZ)]))))
        .await;
    assert!(matches!(doubt, Err(GraphError::Doubt { .. })), "{doubt:?}");
    assert_eq!(bench.world.teams.call_counters().began, 2);
}
