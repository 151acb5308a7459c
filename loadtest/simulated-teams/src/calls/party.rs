//! Who takes part in calls, and how Graph writes an identity.

use serde_json::{Map, Value, json};

use super::settings::Callee;
use crate::world::people::{BotNumber, PersonNumber};

/// Somebody, or something, in a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Party {
    /// Somebody of the tenant.
    Person(PersonNumber),
    /// A telephone, E.164.
    Phone(String),
    /// A bot under its application id.
    Bot(BotNumber),
    /// A bot under the object id of its application instance.
    Instance(BotNumber),
    /// A visitor.
    Guest { id: String, name: String },
    /// An object id that nobody in the tenant has.
    Stranger(String),
    /// The large gallery of a meeting.
    Gallery,
}

/// A person as the telephone sees one.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) object_id: String,
    pub(super) locale: String,
    pub(super) callee: Callee,
}

/// A bot as Graph's registration knows it.
#[derive(Debug)]
pub(super) struct CallingBot {
    pub(super) name: String,
    pub(super) app_id: String,
    /// Object id of the application instance.
    pub(super) instance: String,
}

/// Everybody who can take part.
#[derive(Debug)]
pub(super) struct Parties {
    pub(super) tenant: String,
    pub(super) people: Vec<Person>,
    pub(super) bots: Vec<CallingBot>,
}

impl Parties {
    /// Reads the identity of a target; `None` when it names nobody.
    pub(super) fn read(&self, info: &Value) -> Option<Party> {
        let identity = info.get("identity")?;
        let id = |kind: &str| identity.get(kind)?.get("id")?.as_str();
        if let Some(id) = id("user") {
            let person = self
                .people
                .iter()
                .position(|person| person.object_id.eq_ignore_ascii_case(id));
            return Some(person.map_or_else(
                || Party::Stranger(id.to_owned()),
                |place| Party::Person(PersonNumber(place)),
            ));
        }
        if let Some(number) = id("phone") {
            return Some(Party::Phone(number.to_owned()));
        }
        let bot = |wanted: &str, of: fn(&CallingBot) -> &str| {
            let place = self.bots.iter().position(|bot| of(bot).eq_ignore_ascii_case(wanted));
            place.map(BotNumber)
        };
        if let Some(id) = id("applicationInstance") {
            return bot(id, |bot| &bot.instance).map(Party::Instance);
        }
        id("application")
            .and_then(|id| bot(id, |bot| &bot.app_id))
            .map(Party::Bot)
    }

    /// The name that people see.
    pub(super) fn name(&self, party: &Party) -> String {
        match party {
            Party::Person(person) => self.people[person.0].name.clone(),
            Party::Phone(number) => number.clone(),
            Party::Bot(bot) | Party::Instance(bot) => self.bots[bot.0].name.clone(),
            Party::Guest { name, .. } => name.clone(),
            Party::Stranger(id) => id.clone(),
            Party::Gallery => "Large Gallery".to_owned(),
        }
    }

    /// `identitySet` with the one identity of this party.
    pub(super) fn identity(&self, party: &Party) -> Value {
        let (key, mut identity) = match party {
            Party::Person(person) => {
                let person = &self.people[person.0];
                let of_tenant = json!({ "id": person.object_id, "displayName": person.name, "tenantId": self.tenant });
                ("user", of_tenant)
            }
            Party::Stranger(id) => ("user", json!({ "id": id })),
            Party::Phone(number) => ("phone", json!({ "id": number })),
            Party::Bot(bot) => {
                let bot = &self.bots[bot.0];
                ("application", json!({ "id": bot.app_id, "displayName": bot.name }))
            }
            Party::Instance(bot) => {
                let bot = &self.bots[bot.0];
                let of_tenant = json!({ "id": bot.instance, "displayName": bot.name, "tenantId": self.tenant });
                ("applicationInstance", of_tenant)
            }
            Party::Guest { id, name } => ("guest", json!({ "id": id, "displayName": name })),
            Party::Gallery => (
                "application",
                json!({ "id": "large-gallery", "displayName": "Large Gallery", "applicationType": "LargeGallery-V2" }),
            ),
        };
        identity["@odata.type"] = "#microsoft.graph.identity".into();
        let mut set = Map::new();
        set.insert("@odata.type".to_owned(), "#microsoft.graph.identitySet".into());
        set.insert(key.to_owned(), identity);
        Value::Object(set)
    }

    /// The language that a client of this party speaks.
    pub(super) fn language(&self, party: &Party) -> Value {
        match party {
            Party::Person(person) => Value::String(self.people[person.0].locale.clone()),
            _ => Value::Null,
        }
    }
}
