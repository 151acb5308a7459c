//! What becomes of a call: of one that rings, and of one that goes on.

use std::time::Duration;

use trunkline_teams::calls::{CallOptions, MediaConfig, Modality, RejectReason};
use trunkline_teams::graph::{self, Operation, Redirect, Reject};

use super::callee::{CallKey, Callee};
use super::media::Prompt;
use super::op::{Op, Voice};
use super::problem::{CallProblem, count, seconds, within};
use crate::logic::CallLeg;

/// Most targets of a redirect. Source: Graph, `call: redirect`.
const TARGETS: u64 = 25;
/// Shortest and longest ringing of a redirect in seconds. Source: Graph, `call: redirect`.
const RING_SECONDS: (u64, u64) = (15, 90);

/// What is done with a call that rings. The handler of an incoming call returns it, so that none is left ringing.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Takes it.
    Answer(Media),
    /// Does not take it.
    Reject(RejectReason),
    /// Lets others ring instead; the first to pick up has it.
    Redirect {
        /// One to 25.
        to: Vec<Callee>,
        /// How long they ring, 15 to 90 s; `None` is Graph's: 55 s for one, 60 s for several.
        ring: Option<Duration>,
    },
}

impl Decision {
    /// Takes the call, with sound.
    pub fn answer() -> Self {
        Self::Answer(Media::audio())
    }

    /// Lets somebody else ring instead.
    pub fn redirect(to: Callee) -> Self {
        Self::Redirect {
            to: vec![to],
            ring: None,
        }
    }

    pub(crate) fn operation(&self) -> Result<Operation, CallProblem> {
        Ok(match self {
            Self::Answer(media) => Operation::Answer(Box::new(media.answer()?)),
            Self::Reject(reason) => Operation::Reject(Reject {
                reason: Some(reason.clone()),
                callback_uri: None,
            }),
            Self::Redirect { to, ring } => {
                count("the targets of a redirect", to.len(), 1, TARGETS)?;
                let (least, most) = RING_SECONDS;
                let timeout = ring.map(|ring| seconds("the ringing of a redirect in seconds", ring, least, most));
                Operation::Redirect(Box::new(Redirect {
                    targets: to.iter().map(Callee::invitation).collect::<Result<_, _>>()?,
                    timeout: timeout.transpose()?,
                    callback_uri: None,
                }))
            }
        })
    }
}

/// Which media a call has and who hosts them.
#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    modalities: Vec<Modality>,
    prefetch: Vec<Prompt>,
    is_hosted: bool,
    near: Option<CallLeg>,
    capacity: Option<u32>,
    options: Option<CallOptions>,
}

impl Media {
    /// Sound, hosted by Graph: it plays prompts, records and reports keys.
    pub fn audio() -> Self {
        Self {
            modalities: vec![Modality::Audio],
            prefetch: Vec::new(),
            is_hosted: false,
            near: None,
            capacity: None,
            options: None,
        }
    }

    /// Sound, carried by a media host of Trunkline's own: it plays prompts, sends keys and reports them like Graph does, and recordings
    /// are not made there yet. A prompt's name at the host is the part of its address after `/prompts/`.
    ///
    /// Teams itself cannot be the other end of such a call: its application-hosted media speaks a protocol that only Microsoft's own
    /// library on Windows knows (documented: "Requirements and considerations for application-hosted media bots"). Peers are
    /// browsers, gateways and the simulated Teams. Where no host has room the call is rejected as busy.
    pub fn hosted() -> Self {
        Self {
            is_hosted: true,
            ..Self::audio()
        }
    }

    /// At the media host of another call, so that the two can be bridged ([`crate::Call::bridge`]); if that has no room it is another one.
    /// Of [`Media::hosted`] only.
    #[must_use]
    pub fn near(mut self, leg: &CallLeg) -> Self {
        self.near = Some(leg.clone());
        self
    }

    /// Another kind of media beside sound.
    #[must_use]
    pub fn and(mut self, modality: Modality) -> Self {
        self.modalities.push(modality);
        self
    }

    /// Lets Graph load prompts when the call begins, so that they play without a wait.
    #[must_use]
    pub fn prefetch(mut self, prompts: impl IntoIterator<Item = Prompt>) -> Self {
        self.prefetch.extend(prompts);
        self
    }

    /// How many recorded people this call serves; policy recording only.
    #[must_use]
    pub fn capacity(mut self, people: u32) -> Self {
        self.capacity = Some(people);
        self
    }

    /// What Graph offers beside, as it names it (`incomingCallOptions`).
    #[must_use]
    pub fn options(mut self, options: CallOptions) -> Self {
        self.options = Some(options);
        self
    }

    pub(crate) fn config(&self) -> Result<MediaConfig, CallProblem> {
        if self.is_hosted {
            let config = MediaConfig::app_hosted();
            return Ok(match &self.near {
                Some(near) => config.near(&near.host, &near.leg),
                None => config,
            });
        }
        let prefetch = self.prefetch.iter().map(Prompt::media).collect::<Result<_, _>>()?;
        Ok(MediaConfig::service_hosted(prefetch))
    }

    pub(crate) fn modalities(&self) -> Vec<Modality> {
        self.modalities.clone()
    }

    fn answer(&self) -> Result<graph::Answer, CallProblem> {
        let most = u64::from(i32::MAX.unsigned_abs());
        let capacity = self
            .capacity
            .map(|people| within("the capacity of a call", people.into(), 0, most));
        Ok(graph::Answer {
            accepted_modalities: self.modalities(),
            media_config: Some(self.config()?),
            participant_capacity: capacity.transpose()?.and_then(|people| i32::try_from(people).ok()),
            call_options: self.options.clone(),
            callback_uri: None,
        })
    }
}

/// How a call goes on after an event. What ends it is returned, so that nothing can follow a hang-up.
#[derive(Clone, Debug, PartialEq)]
pub enum Then {
    /// As it is.
    Stay,
    /// Ends it.
    HangUp,
    /// Ends it when this has been played.
    HangUpAfter(Op<Voice>),
    /// Hands the other one on to somebody else and leaves. If that fails the call goes on with `transfer_failed`.
    Transfer(Callee),
    /// The same, to somebody with whom the bot has this other call.
    TransferTo(Callee, CallKey),
    /// Hands one of a group call on to somebody else.
    HandOver {
        /// Who is handed on.
        who: Callee,
        /// To whom.
        to: Callee,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;
    use trunkline_teams::calls::Secret;

    use super::*;

    #[test]
    fn an_answer_says_who_hosts_the_media() {
        let prefetch = Prompt::at("https://bot.example/a.wav");
        let answer = Decision::Answer(Media::audio().prefetch([prefetch.clone()]))
            .operation()
            .unwrap();
        let id = prefetch.media().unwrap().resource_id;
        assert_eq!(
            serde_json::to_value(answer).unwrap()["with"],
            json!({
                "acceptedModalities": ["audio"],
                "mediaConfig": {
                    "@odata.type": "#microsoft.graph.serviceHostedMediaConfig",
                    "preFetchMedia": [{"uri": "https://bot.example/a.wav", "resourceId": id}],
                },
            })
        );
    }

    #[test]
    fn a_hosted_answer_leaves_the_blob_to_the_worker() {
        let answer = Decision::Answer(Media::hosted()).operation().unwrap();
        assert!(answer.wants_media_host());
        let config = &serde_json::to_value(answer).unwrap()["with"]["mediaConfig"];
        assert_eq!(*config, json!({"@odata.type": "#microsoft.graph.appHostedMediaConfig"}));
    }

    #[test]
    fn a_leg_that_it_shall_be_near_is_for_the_worker_and_not_for_graph() {
        let leg = CallLeg {
            host: "media-1".to_owned(),
            leg: "1.a".to_owned(),
        };
        let answer = Decision::Answer(Media::hosted().near(&leg)).operation().unwrap();
        let stored = serde_json::to_value(&answer).unwrap();
        let again: Operation = serde_json::from_value(stored).unwrap();
        let near = again.near_leg().unwrap();
        assert_eq!(
            (near.host.as_deref(), near.leg.as_deref()),
            (Some("media-1"), Some("1.a"))
        );
        let sent = again.with_media_blob(Secret::new("let me in".to_owned()));
        let config = &serde_json::to_value(sent).unwrap()["with"]["mediaConfig"];
        let expected = json!({"@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": "let me in"});
        assert_eq!(*config, expected);
    }

    #[test]
    fn a_redirect_rings_at_most_twenty_five_for_ninety_seconds() {
        let redirect = |many, ring| Decision::Redirect {
            to: vec![Callee::user("u"); many],
            ring: Some(Duration::from_secs(ring)),
        };
        assert!(redirect(25, 90).operation().is_ok());
        for (decision, why) in [
            (redirect(26, 90), "the targets of a redirect can be 1 to 25, not 26"),
            (redirect(0, 90), "the targets of a redirect can be 1 to 25, not 0"),
            (
                redirect(1, 14),
                "the ringing of a redirect in seconds can be 15 to 90, not 14",
            ),
        ] {
            assert_eq!(decision.operation().unwrap_err().to_string(), why);
        }
    }
}
