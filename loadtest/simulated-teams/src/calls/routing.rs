//! Private ways of sound: who hears whom in a call of several. Nothing is heard here; they are kept, shown and refused.

use serde_json::{Value, json};

use super::{
    Calls,
    body::Body,
    call::CallKey,
    refusal::{No, Refusal},
    request::Done,
    wire::Style,
};

/// `audioRoutingGroup`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    id: String,
    /// `oneToOne` or `multicast`.
    mode: &'static str,
    sources: Vec<String>,
    receivers: Vec<String>,
}

impl Route {
    fn body(&self, style: Style) -> Value {
        json!({
            "@odata.type": "#microsoft.graph.audioRoutingGroup", "id": self.id, "routingMode": style.word(self.mode),
            "sources": self.sources, "receivers": self.receivers,
        })
    }
}

impl Calls {
    pub(super) fn create_route(&mut self, key: CallKey, body: &Body) -> Result<Done, Refusal> {
        let id = body.text("id")?.filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| Refusal::argument("Missing id."))?.to_owned();
        let mode = mode(body)?.ok_or_else(|| Refusal::argument("Missing routingMode."))?;
        let sources = self.people(key, body, "sources")?.unwrap_or_default();
        let receivers = self.people(key, body, "receivers")?.unwrap_or_default();
        if sources.is_empty() || receivers.is_empty() {
            return Err(Refusal::argument("Missing sources or receivers."));
        }
        if self.route(key, &id).is_ok() {
            return Err(No::Conflict.into());
        }
        let route = Route {
            id,
            mode,
            sources,
            receivers,
        };
        let done = Done::with(200, route.body(self.book[&key].style));
        if let Some(call) = self.book.get_mut(&key) {
            call.routes.push(route);
        }
        Ok(done)
    }

    pub(super) fn list_routes(&self, key: CallKey) -> Result<Done, Refusal> {
        self.established_call(key)?;
        let call = &self.book[&key];
        let routes: Vec<Value> = call.routes.iter().map(|route| route.body(call.style)).collect();
        Ok(Done::with(200, json!({ "value": routes })))
    }

    pub(super) fn get_route(&self, key: CallKey, id: &str) -> Result<Done, Refusal> {
        let route = self.route(key, id)?;
        Ok(Done::with(
            200,
            self.book[&key].routes[route].body(self.book[&key].style),
        ))
    }

    /// What the body does not name stays as it is.
    pub(super) fn update_route(&mut self, key: CallKey, id: &str, body: &Body) -> Result<Done, Refusal> {
        let mode = mode(body)?;
        let sources = self.people(key, body, "sources")?;
        let receivers = self.people(key, body, "receivers")?;
        let place = self.route(key, id)?;
        let Some(call) = self.book.get_mut(&key) else {
            return Err(No::NotFound.into());
        };
        let style = call.style;
        let route = &mut call.routes[place];
        route.mode = mode.unwrap_or(route.mode);
        route.sources = sources.unwrap_or_else(|| std::mem::take(&mut route.sources));
        route.receivers = receivers.unwrap_or_else(|| std::mem::take(&mut route.receivers));
        Ok(Done::with(200, route.body(style)))
    }

    pub(super) fn delete_route(&mut self, key: CallKey, id: &str) -> Result<Done, Refusal> {
        let place = self.route(key, id)?;
        if let Some(call) = self.book.get_mut(&key) {
            call.routes.remove(place);
        }
        Ok(Done::empty(204))
    }

    fn route(&self, key: CallKey, id: &str) -> Result<usize, Refusal> {
        self.established_call(key)?;
        let mut routes = self.book[&key].routes.iter();
        let place = routes.position(|route| route.id == id);
        place.ok_or_else(|| No::NotFound.into())
    }

    /// Ids of participants who are in the call.
    fn people(&self, key: CallKey, body: &Body, name: &str) -> Result<Option<Vec<String>>, Refusal> {
        self.established_call(key)?;
        self.group(key)?;
        if body.get(name).is_none() {
            return Ok(None);
        }
        let ids = body.list(name)?.iter().map(|id| {
            let id = id.as_str();
            let id = id.ok_or_else(|| Refusal::argument(format!("{name} has something that is no id.")))?;
            self.member(key, id)?;
            Ok(id.to_owned())
        });
        ids.collect::<Result<_, Refusal>>().map(Some)
    }
}

fn mode(body: &Body) -> Result<Option<&'static str>, Refusal> {
    let Some(word) = body.text("routingMode")? else {
        return Ok(None);
    };
    let known = ["oneToOne", "multicast"];
    let found = known.into_iter().find(|known| known.eq_ignore_ascii_case(word));
    found
        .map(Some)
        .ok_or_else(|| Refusal::argument("routingMode is not known."))
}
