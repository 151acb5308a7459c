//! Commands and events of calls in the words of `media.proto`.

use serde::Serialize;
use trunkline_bot::logic::{TroubleKind, TroubleTold};
use trunkline_proto::media as wire;
use trunkline_proto::media::acknowledgement::What as Ack;
use trunkline_proto::media::command::What;
use trunkline_proto::media::event::What as Told;
use trunkline_proto::media::refused::Reason;
use trunkline_teams::calls::{Secret, Tone};
use trunkline_teams::graph;

use super::choice::Candidate;
use crate::call::{AnswerEnd, Clip, KeptFile, LOST, LegCommand, LegDirection, LegEnd, LegNews, OpenedLeg};
use crate::conversation::{GraphAnswer, LegAnswer, LegTold};

/// What lets a peer in. Documented in `services/media/docs/media.md`.
#[derive(Serialize)]
struct Blob<'a> {
    whip: &'a str,
    token: &'a str,
}

pub(super) fn command(command: LegCommand) -> What {
    match command {
        LegCommand::Play(prompts) => What::Play(wire::Play {
            prompts,
            repeat: false,
            stops_at_tone: false,
        }),
        LegCommand::StopPlaying => What::StopPlaying(wire::StopPlaying { of: 0 }),
        LegCommand::SendTones(keys) => What::SendTones(wire::SendTones { keys }),
        LegCommand::RecordAnswer(answer) => What::RecordAnswer(wire::RecordAnswer {
            prompts: answer.prompts,
            beep: answer.beep,
            barge_in: answer.barge_in,
            first_silence_ms: answer.first_silence_ms,
            silence_ms: answer.silence_ms,
            longest_ms: answer.longest_ms,
            stop_keys: answer.stop_keys,
        }),
        LegCommand::RecordCall {
            name,
            received,
            sent,
            mixed,
            confirmed_by,
        } => What::Record(wire::Record {
            name,
            received,
            sent,
            mixed,
            confirmed_by,
        }),
        LegCommand::Bridge(other) => What::Bridge(wire::Bridge { other }),
        LegCommand::Unbridge => What::Relay(wire::Relay { echo: false }),
        LegCommand::StopRecordingCall { of } => What::StopRecording(wire::StopRecording { of }),
    }
}

/// What came of opening: `Err` says why another host is to be asked.
pub(super) fn opened(candidate: &Candidate, leg: String, ack: Ack) -> Result<OpenedLeg, String> {
    match ack {
        Ack::Opened(opened) => {
            let whip = format!("{}{}", candidate.host.whip.trim_end_matches('/'), opened.path);
            let blob = Blob {
                whip: &whip,
                token: &opened.token,
            };
            Ok(OpenedLeg {
                host: candidate.name.clone(),
                address: candidate.host.address.clone(),
                name: leg,
                blob: Secret::new(serde_json::to_string(&blob).unwrap_or_default()),
            })
        }
        Ack::Refused(refused) => Err(refused.detail),
        _ => Err(UNEXPECTED.to_owned()),
    }
}

pub(super) fn attached(ack: Ack) -> LegAnswer {
    match ack {
        Ack::Attached(attached) => LegAnswer::Attached {
            last_command: attached.last_operation,
            events_lost: attached.events_lost,
        },
        Ack::Fenced(_) => LegAnswer::Withheld,
        Ack::Refused(refused) => LegAnswer::Gone { reason: refused.detail },
        _ => LegAnswer::Gone {
            reason: UNEXPECTED.to_owned(),
        },
    }
}

/// Whatever it is, there is nothing more to close.
pub(super) fn closed(ack: &Ack) -> LegAnswer {
    match ack {
        Ack::Fenced(_) => LegAnswer::Withheld,
        _ => LegAnswer::Closed,
    }
}

pub(super) fn carried_out(ack: Ack) -> GraphAnswer {
    match ack {
        Ack::Accepted(_) => GraphAnswer::Told(graph::Told::Nothing),
        // Another owner is known: this process will hear of it, too.
        Ack::Fenced(_) => GraphAnswer::Later {
            after_ms: Some(1_000),
            reason: "the leg has another owner".to_owned(),
        },
        Ack::Refused(refused) => match refused.reason() {
            Reason::Full => GraphAnswer::Later {
                after_ms: None,
                reason: refused.detail,
            },
            Reason::Gone => refusal(LOST.0, LOST.1, refused.detail),
            Reason::NoCodecs => refusal(NO_CODECS.0, NO_CODECS.1, refused.detail),
            _ => refusal(400, "TRUNKLINE_LEG_REFUSED", refused.detail),
        },
        _ => refusal(500, "TRUNKLINE_LEG_REFUSED", UNEXPECTED.to_owned()),
    }
}

/// Status and code of what needs a codec thread where none has room.
const NO_CODECS: (u16, &str) = (503, "TRUNKLINE_NO_CODECS");

const UNEXPECTED: &str = "the media host answered something else than it was asked for";

fn refusal(status: u16, code: &str, message: String) -> GraphAnswer {
    GraphAnswer::Refused {
        status,
        code: code.to_owned(),
        message,
    }
}

/// An event; `None` for one without content, which a newer host may have meant.
pub(super) fn told(event: wire::Event) -> Option<LegTold> {
    Some(LegTold {
        news: news_of(event.what?),
        leg: event.leg,
        number: event.number,
    })
}

fn news_of(told: Told) -> LegNews {
    match told {
        Told::Connected(_) => LegNews::Connected,
        Told::Tone(tone) => {
            let key = tone.key.chars().next().and_then(Tone::from_key);
            key.map_or(LegNews::Other("an unknown key"), LegNews::Tone)
        }
        Told::Finished(finished) => LegNews::Finished {
            command: finished.operation,
            how: match finished.reason.as_str() {
                "played" => LegEnd::Done,
                "leg_ended" => LegEnd::Cut,
                _ => LegEnd::Stopped,
            },
        },
        Told::Answered(answered) => LegNews::Answered {
            command: answered.operation,
            how: answer_end(&answered.reason),
            clip: (!answered.location.is_empty()).then(|| Clip {
                location: answered.location,
                token: Secret::new(answered.token),
            }),
        },
        Told::Ended(reason) => LegNews::Ended {
            by_peer: matches!(reason.as_str(), "peer_hung_up" | "peer_closed"),
            reason,
        },
        Told::Nominated(_) => LegNews::Other("the peer has an address"),
        Told::Moved(_) => LegNews::Other("the peer's address changed"),
        Told::Unstable(_) => LegNews::Other("the peer is silent"),
        Told::Stable(_) => LegNews::Other("the peer is heard again"),
        Told::ToneStarted(_) => LegNews::Other("a key went down"),
        Told::Started(_) => LegNews::Other("a prompt begins"),
        Told::RecordingGap(gap) => {
            direction(&gap.direction).map_or(LegNews::Other("a gap in a recording"), |direction| {
                LegNews::RecordingGap {
                    command: gap.operation,
                    direction,
                    packets: gap.packets,
                }
            })
        }
        Told::RecordingEnded(ended) => recording_ended(ended),
        Told::Speech(speech) => LegNews::Speech(speech.speaks),
        Told::BridgeEnded(_) => LegNews::BridgeEnded,
        Told::HostEnds(within_ms) => LegNews::HostEnds(u64::from(within_ms)),
        Told::Offered(_) => LegNews::Other("the peer's offer is answered"),
        Told::FirstPacket(first) if first.received => LegNews::Other("the first packet came"),
        Told::FirstPacket(_) => LegNews::Other("the first packet was sent"),
        Told::Alarm(alarm) => trouble(&alarm),
    }
}

fn direction(name: &str) -> Option<LegDirection> {
    let mut known = [LegDirection::Received, LegDirection::Sent, LegDirection::Mixed].into_iter();
    known.find(|direction| direction.name() == name)
}

fn recording_ended(ended: wire::RecordingEnded) -> LegNews {
    let Some(direction) = direction(&ended.direction) else {
        return LegNews::Other("a recording ended");
    };
    let file = KeptFile {
        direction: ended.direction,
        file: ended.file,
        parts: ended.parts,
        sha256: ended.sha256,
    };
    LegNews::RecordingEnded {
        command: ended.operation,
        direction,
        end: if ended.error.is_empty() {
            Ok(file)
        } else {
            Err(ended.error)
        },
    }
}

fn trouble(alarm: &wire::Alarm) -> LegNews {
    let kind = match alarm.kind.as_str() {
        "no_audio_in" => TroubleKind::NothingComes,
        "silent_in" => TroubleKind::NothingHeard,
        "one_way" => TroubleKind::NothingArrives,
        "loss_high" => TroubleKind::Losses,
        _ if alarm.over => return LegNews::Other("the end of an alarm that this build does not know"),
        _ => return LegNews::Other("an alarm that this build does not know"),
    };
    LegNews::Trouble(TroubleTold {
        kind,
        is_over: alarm.over,
    })
}

fn answer_end(reason: &str) -> AnswerEnd {
    match reason {
        "silence" => AnswerEnd::Silence,
        "stop_key" => AnswerEnd::StopKey,
        "full_length" => AnswerEnd::FullLength,
        "nothing_said" => AnswerEnd::NothingSaid,
        "stopped" => AnswerEnd::Stopped,
        "leg_ended" => AnswerEnd::Cut,
        _ => AnswerEnd::Failed,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn candidate() -> Candidate {
        Candidate {
            name: "media-1".to_owned(),
            host: wire::Host {
                address: "10.0.0.1:7".to_owned(),
                whip: "https://media.example:8445/".to_owned(),
                ..wire::Host::default()
            },
        }
    }

    #[test]
    fn the_peer_is_told_where_it_posts_and_the_token_is_not_printed() {
        let ack = Ack::Opened(wire::Opened {
            path: "/legs/1.abc".to_owned(),
            token: "sesame".to_owned(),
            expires_ms: 30_000,
        });
        let opened = opened(&candidate(), "1.abc".to_owned(), ack).unwrap();
        let blob: serde_json::Value = serde_json::from_str(opened.blob.expose()).unwrap();
        let expected = serde_json::json!({ "whip": "https://media.example:8445/legs/1.abc", "token": "sesame" });
        assert_eq!(blob, expected);
        assert!(!format!("{opened:?}").contains("sesame"));
    }

    #[test]
    fn a_late_host_is_asked_again_and_a_wrong_command_is_not() {
        let refused = |reason: Reason| {
            carried_out(Ack::Refused(wire::Refused {
                reason: reason.into(),
                detail: "why".to_owned(),
            }))
        };
        assert!(matches!(refused(Reason::Full), GraphAnswer::Later { .. }));
        let no_codecs = refused(Reason::NoCodecs);
        assert!(
            matches!(&no_codecs, GraphAnswer::Refused { status: 503, code, .. } if code == "TRUNKLINE_NO_CODECS"),
            "{no_codecs:?}"
        );
        assert!(matches!(
            refused(Reason::Gone),
            GraphAnswer::Refused { status: 503, .. }
        ));
        assert!(matches!(
            refused(Reason::Invalid),
            GraphAnswer::Refused { status: 400, .. }
        ));
        assert!(matches!(carried_out(Ack::Fenced(9)), GraphAnswer::Later { .. }));
    }

    #[test]
    fn each_alarm_is_a_trouble_of_its_own_and_a_newer_host_s_is_told_to_people() {
        let heard = |kind: &str, over| {
            let kind = kind.to_owned();
            news_of(Told::Alarm(wire::Alarm { kind, over }))
        };
        let kinds = ["no_audio_in", "silent_in", "one_way", "loss_high"];
        for (name, kind) in kinds.into_iter().zip(TroubleKind::ALL) {
            for is_over in [false, true] {
                assert_eq!(heard(name, is_over), LegNews::Trouble(TroubleTold { kind, is_over }));
            }
            assert!(matches!(heard("of a newer host", false), LegNews::Other(words) if words.contains("alarm")));
        }
    }

    #[test]
    fn the_end_of_a_leg_says_who_ended_it() {
        let ended = |reason: &str| news_of(Told::Ended(reason.to_owned()));
        assert!(matches!(ended("peer_hung_up"), LegNews::Ended { by_peer: true, .. }));
        assert!(matches!(
            ended("consent_expired"),
            LegNews::Ended { by_peer: false, .. }
        ));
    }
}
