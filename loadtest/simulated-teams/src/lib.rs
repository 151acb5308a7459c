//! A simulated Microsoft Teams: a login service, a Connector, and a chat page for people on a laptop.
//!
//! It knows the wire of Teams and nothing of the bots behind it: bots are an HTTP endpoint and a registration. The core is
//! a value without I/O: `world` holds the tenant, people and conversations and composes the activities of what people do;
//! `connector` holds the rules by which calls of bots are answered, refused and throttled; `login` holds keys and
//! tokens. Around it stand `delivery`, which posts activities and repeats what is not answered, and `server`, one HTTP
//! server on loopback for login, Connector and page. A person's action enters by the page or by a [`Handle`], becomes a
//! message and its activities in the world, travels to the bot by the postman, and what the bot then does at the Connector
//! changes the world again; open pages follow by server-sent events.
//!
//! It binds to loopback and trusts whoever reaches its page: it is a tool for authors and tests.

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

pub use self::{
    config::{Fault, FaultTime, Limits, Repeats, SimulatedBot, SimulatedPerson, SimulatedTeamsConfig},
    delivery::DeliveryOutcome,
    error::SimulatedTeamsError,
    handle::{BotMessages, Handle, Sent},
    login::{ConnectorClaims, Overlap},
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
