//! A body of the webhook, and what routing needs of each notification in it.

use serde_json::value::RawValue;

use super::kind::{Signs, SubjectKind};
use super::members::{list, object, pick, text};
use super::path::ResourcePath;
use crate::calls::normal_id;

/// A body of the webhook.
#[derive(Clone, Debug)]
pub enum Batch<'a> {
    /// `commsNotifications`: one or several, each as it came; they may be about several calls.
    Notifications(Vec<&'a RawValue>),
    /// An incoming call in the older format of Skype: the answer 204 asks for it in Graph's format (documented).
    Legacy,
    /// Neither.
    Nothing,
}

impl<'a> Batch<'a> {
    /// Tells what a body is. Nothing in it is built.
    pub fn read(body: &'a [u8]) -> Self {
        let Ok([value, state, modalities]) = pick(body, ["value", "callState", "presentedModalityTypes"]) else {
            return Self::Nothing;
        };
        match value.and_then(|value| serde_json::from_str(value.get()).ok()) {
            Some(all) => Self::Notifications(all),
            None if state.or(modalities).is_some() => Self::Legacy,
            None => Self::Nothing,
        }
    }
}

/// What routing needs of a notification: cheap, whatever the size of its resource. Of anything else than a notification it
/// tells that nothing is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// What it is about.
    pub kind: SubjectKind,
    /// Graph's id of the call in [normal form](normal_id), if the notification says it.
    pub call: Option<String>,
    /// Entra tenant, if the notification says it.
    pub tenant: Option<String>,
}

impl Outline {
    /// Reads a notification.
    pub fn read(notification: &[u8]) -> Self {
        match Parts::read(notification) {
            Ok(parts) => parts.outline(),
            Err(_) => Self {
                kind: SubjectKind::Other,
                call: None,
                tenant: None,
            },
        }
    }
}

/// A notification taken apart, its resource unread.
pub(super) struct Parts<'a> {
    pub(super) change: Option<String>,
    pub(super) kind: SubjectKind,
    pub(super) path: Option<ResourcePath>,
    /// The entity, or the list of entities.
    pub(super) resource: Option<&'a RawValue>,
    /// In normal form.
    pub(super) call: Option<String>,
    /// Id of the resource as it came.
    pub(super) resource_id: Option<String>,
    tenant: Option<String>,
}

/// Members of a resource that are looked at before it is read.
const OF_RESOURCE: [&str; 5] = ["@odata.type", "@odata.id", "id", "tenantId", "call"];

impl<'a> Parts<'a> {
    /// # Errors
    /// It is no object of JSON.
    pub(super) fn read(notification: &'a [u8]) -> Result<Self, serde_json::Error> {
        let names = ["changeType", "resourceUrl", "resource", "resourceData"];
        let [change, url, older_url, resource] = pick(notification, names)?;
        let resource = resource.filter(|raw| raw.get() != "null");
        let change = text(change);
        let [url, older_url] = [url, older_url].map(|url| ResourcePath::parse(&text(url)?));
        // Of a list the first entity tells the type; where the path tells enough it is left alone.
        let is_list = list(resource).is_some();
        let needs_first = is_list
            && url
                .as_ref()
                .or(older_url.as_ref())
                .is_none_or(|path| path.below.is_empty());
        let entity = if needs_first { first(resource) } else { object(resource) };
        let [type_name, odata_id, id, tenant, inner] = members_of(entity, OF_RESOURCE);
        let type_name = text(type_name).unwrap_or_default().to_ascii_lowercase();
        let type_name = type_name.rsplit('.').next().unwrap_or_default();
        // Of notifications about a recorded person the call stands inside.
        let inner = object(inner);
        let [inner_id, inner_tenant] = members_of(inner, ["id", "tenantId"]);

        let of_resource = || ResourcePath::parse(&text(odata_id)?);
        let paths = [url, older_url, of_resource()];
        let of_path = paths.iter().flatten().find_map(|path| path.call.clone());
        let resource_id = text(id);
        let of_entity = match inner {
            Some(_) => text(inner_id),
            None => resource_id.clone().filter(|_| type_name == "call"),
        };
        let path = paths.into_iter().flatten().next();
        let is = |what: &str| change.as_ref().is_some_and(|change| change.eq_ignore_ascii_case(what));
        let signs = Signs {
            is_created: is("created"),
            is_deleted: is("deleted"),
            type_name,
            below: path.as_ref().map(|path| path.below.as_str()),
            is_list,
            is_there: resource.is_some(),
        };
        Ok(Self {
            kind: signs.kind(),
            call: of_path.or_else(|| normal_id(&of_entity?)),
            tenant: text(inner_tenant.or(tenant)).filter(|tenant| !tenant.is_empty()),
            change,
            path,
            resource,
            resource_id,
        })
    }

    pub(super) fn outline(self) -> Outline {
        Outline {
            kind: self.kind,
            call: self.call,
            tenant: self.tenant,
        }
    }
}

/// The members of an entity; of none, none.
fn members_of<'a, const N: usize>(entity: Option<&'a RawValue>, names: [&'static str; N]) -> [Option<&'a RawValue>; N] {
    entity
        .and_then(|entity| pick(entity.get().as_bytes(), names).ok())
        .unwrap_or([None; N])
}

/// The first entity of a list.
fn first(resource: Option<&RawValue>) -> Option<&RawValue> {
    let all: Vec<&RawValue> = serde_json::from_str(resource?.get()).ok()?;
    object(all.first().copied())
}
