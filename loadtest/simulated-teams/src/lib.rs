//! A simulated Microsoft Teams: a login service, a Connector, Graph's calls, and a chat page for people on a laptop.
//!
//! It knows the wire of Teams and nothing of the bots behind it: bots are HTTP endpoints and a registration. The core is
//! a value without I/O: `world` holds the tenant, people and conversations and composes the activities of what people do;
//! `connector` holds the rules by which calls of bots are answered, refused and throttled; `calls` holds telephony, the
//! calls API of Graph and the notifications that follow, by simulated time; `login` holds keys and tokens. Around it stand
//! `delivery`, which posts activities and notifications, and `server`, one HTTP server on loopback for login, Connector,
//! Graph and page. A person's action enters by the page or by a [`Handle`], becomes a message and its activities in the
//! world, travels to the bot by the postman, and what the bot then does at the Connector changes the world again; a ring
//! goes the same way, by the caller and Graph. Open pages follow by server-sent events.
//!
//! Calls whose bot handles the sound itself have real sound, of a browser or of a simulated caller: `docs/audio.md`. What of calls Microsoft documents, what was observed and what is inferred is told in `docs/calls.md`.
//!
//! It binds to loopback and trusts whoever reaches its page: it is a tool for authors and tests.

mod calls;
mod config;
mod connector;
mod delivery;
mod error;
mod handle;
mod login;
mod server;
mod shared;
mod traffic;
mod world;

#[cfg(feature = "lines")]
pub use self::handle::Line;
pub use self::{
    calls::{
        Between, CallCounters, CallDelays, CallDirection, CallDisorder, CallEnd, CallEvent, CallFault, CallKind,
        CallLimits, CallRefusal, CallSettings, CallState, CallView, Callee, Casing, Deed, LineInvitation, LineState,
        MeetingView, ParticipantView, PromptState, PromptView, RecorderInvitation, Speech,
    },
    config::{Fault, FaultTime, Limits, Repeats, SimulatedBot, SimulatedPerson, SimulatedTeamsConfig},
    delivery::DeliveryOutcome,
    error::SimulatedTeamsError,
    handle::{BotMessages, Handle, Sent},
    login::{ConnectorClaims, Overlap, calling::CallClaims},
    server::{Running, SimulatedTeams},
    traffic::{Direction, Exchange},
    world::{
        action::{ActionRefusal, UserAction},
        id::MessageId,
        invoke::InvokeOutcome,
        people::{BotNumber, PersonNumber},
        press::Press,
        view::{
            AuthorView, BotView, ConversationView, MessageView, PersonView, ReactionView, ReplacedView, StreamView,
        },
    },
};
