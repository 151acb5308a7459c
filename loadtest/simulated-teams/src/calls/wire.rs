//! How Graph writes calls: JSON as on Microsoft's pages, or as in observed logs.

use serde_json::{Map, Value, json};

use super::{
    call::{Call, CallDirection},
    conference::Member,
    party::{Parties, Party},
};

/// The spelling that one call keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Page,
    Log,
}

impl Style {
    /// An enum's word: `established` on pages, `Established` in logs.
    pub(super) fn word(self, word: &str) -> String {
        let mut letters = word.chars();
        match (self, letters.next()) {
            (Self::Log, Some(first)) => first.to_uppercase().collect::<String>() + letters.as_str(),
            _ => word.to_owned(),
        }
    }
}

/// An id as 32 upper-case hex digits, which some notifications carry.
pub(super) fn compact(id: &str) -> String {
    id.replace('-', "").to_uppercase()
}

/// `participantInfo` of somebody.
pub(super) fn participant_info(parties: &Parties, party: &Party, style: Style, participant: &str) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.participantInfo",
        "identity": parties.identity(party),
        "endpointType": style.word("default"),
        "region": "amer",
        "languageId": parties.language(party),
        "id": participant,
    })
}

/// `invitationParticipantInfo` of somebody.
pub(super) fn target_info(parties: &Parties, party: &Party, style: Style, participant: &str) -> Value {
    let mut info = participant_info(parties, party, style, participant);
    info["@odata.type"] = "#microsoft.graph.invitationParticipantInfo".into();
    info
}

/// The call as a GET and a create show it.
pub(super) fn call(call: &Call, tenant: &str) -> Value {
    let mut body = json!({
        "@odata.type": "#microsoft.graph.call",
        "id": call.id,
        "state": call.style.word(call.state.word()),
        "direction": call.style.word(call.direction.word()),
        "callChainId": call.chain,
        "source": call.source,
        "targets": call.targets,
        "requestedModalities": call.modalities,
        "mediaConfig": call.media_config,
        "mediaState": media_state(call),
        "chatInfo": call.chat_info,
        "meetingInfo": call.meeting_info,
        "tenantId": tenant,
        "myParticipantId": call.my_participant,
        "subject": call.subject,
        "callRoutes": [],
        "ringingTimeoutInSeconds": null,
        "resultInfo": null,
        "answeredBy": null,
        "transcription": null,
        "toneInfo": null,
    });
    if let Some(callback) = &call.callback {
        body["callbackUri"] = callback.as_str().into();
    }
    body
}

fn media_state(call: &Call) -> Value {
    if call.answered.is_none() && call.direction == CallDirection::Incoming {
        return Value::Null;
    }
    let word = if call.media.is_active { "active" } else { "inactive" };
    json!({ "@odata.type": "#microsoft.graph.callMediaState", "audio": call.style.word(word) })
}

/// What the first notification of an incoming call carries.
pub(super) fn incoming(call: &Call, tenant: &str) -> Map<String, Value> {
    let mut data = Map::new();
    let mut put = |name: &str, value: Value| {
        data.insert(name.to_owned(), value);
    };
    put("@odata.type", "#microsoft.graph.call".into());
    put("state", call.style.word("incoming").into());
    put("direction", call.style.word("incoming").into());
    put("source", call.source.clone());
    put("targets", call.targets.clone());
    put("requestedModalities", call.modalities.clone());
    put("tenantId", tenant.into());
    put("myParticipantId", call.my_participant.as_str().into());
    put("callChainId", call.chain.as_str().into());
    for (name, value) in [("chatInfo", &call.chat_info), ("meetingInfo", &call.meeting_info)] {
        if let Some(value) = value {
            put(name, value.clone());
        }
    }
    for (name, value) in &call.invitation {
        put(name, value.clone());
    }
    put("id", call.id.as_str().into());
    data
}

/// The older Skype form of an incoming call (observed).
pub(super) fn legacy_incoming(call: &Call, tenant: &str) -> Value {
    let participant = |originator: bool| {
        json!({
            "identity": "", "participantId": "", "endpointId": "00000000-0000-0000-0000-000000000000", "languageId": "en-us",
            "tenantId": tenant, "region": "amer", "originator": originator, "isHidden": false, "endPointType": "default",
            "removeFromDefaultAudioRoutingGroup": false,
        })
    };
    json!({
        "id": call.id, "participants": [participant(true), participant(false)], "isMultiparty": call.has_roster(),
        "presentedModalityTypes": call.modalities, "callState": "incoming", "tenantId": tenant,
    })
}

/// `participant` of a roster.
pub(super) fn participant(parties: &Parties, member: &Member, style: Style) -> Value {
    let direction = if member.is_on_hold { "inactive" } else { "sendReceive" };
    let mut streams = Vec::new();
    if !member.is_in_lobby {
        streams.push(json!({
            "@odata.type": "#microsoft.graph.mediaStream", "mediaType": style.word("audio"), "label": "main-audio",
            "sourceId": member.source_id.to_string(), "direction": style.word(direction), "serverMuted": member.is_server_muted,
        }));
        if let Some(role) = member.screen {
            streams.push(json!({
                "@odata.type": "#microsoft.graph.mediaStream", "mediaType": style.word("videoBasedScreenSharing"),
                "label": "applicationsharing-video", "sourceId": (member.source_id + 1).to_string(),
                "direction": style.word(role), "serverMuted": false,
            }));
        }
    }
    let hidden = matches!(member.party, Party::Gallery) || member.is_hidden;
    let metadata = hidden.then_some(r#"{"__platform":{"ui":{"hidden":true}}}"#);
    let mut body = json!({
        "@odata.type": "#microsoft.graph.participant",
        "id": member.id,
        "info": {
            "@odata.type": "#microsoft.graph.participantInfo",
            "identity": parties.identity(&member.party),
            "endpointType": style.word("default"),
            "languageId": parties.language(&member.party),
        },
        "mediaStreams": streams,
        "isMuted": member.is_muted || member.is_server_muted,
        "isInLobby": member.is_in_lobby,
        "metadata": metadata,
        "rosterSequenceNumber": member.sequence,
    });
    if let Some(status) = &member.recording {
        body["recordingInfo"] = json!({
            "@odata.type": "#microsoft.graph.recordingInfo", "recordingStatus": style.word(status), "initiator": null,
        });
    }
    if member.is_removed {
        body["removedState"] = json!({ "@odata.type": "#microsoft.graph.removedState", "reason": "Removed" });
    }
    body
}
