//! The resource that a notification names.

use crate::calls::normal_id;

/// `/communications/calls/{call}/{below}/{item}`, or the same below the older root `/app/calls`, however it is spelt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ResourcePath {
    /// In normal form; `None` if it is no id.
    pub(super) call: Option<String>,
    /// In lower case; empty for the call itself.
    pub(super) below: String,
    /// In normal form where it is a GUID; empty if there is none.
    pub(super) item: String,
}

impl ResourcePath {
    /// Reads a path, with or without a leading slash, a host before it or a query behind it.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let path = path.split(['?', '#']).next()?;
        let mut segments = path.split('/').filter(|segment| !segment.is_empty()).peekable();
        loop {
            let root = segments.next()?;
            let is_root = root.eq_ignore_ascii_case("communications") || root.eq_ignore_ascii_case("app");
            if is_root
                && segments
                    .next_if(|segment| segment.eq_ignore_ascii_case("calls"))
                    .is_some()
            {
                break;
            }
        }
        let call = segments.next()?;
        let below = segments.next().unwrap_or_default();
        let item = segments.next().unwrap_or_default();
        Some(Self {
            call: normal_id(call),
            below: below.to_ascii_lowercase(),
            item: normal_id(item).unwrap_or_else(|| item.to_owned()),
        })
    }
}

/// The id that an address of Graph ends in: the call's, or that of what stands below it.
#[cfg(feature = "clients")]
pub(crate) fn id_in_path(path: &str, below: Option<&str>) -> Option<String> {
    let path = ResourcePath::parse(path)?;
    match below {
        Some(below) => (path.below == below && !path.item.is_empty()).then_some(path.item),
        None => path.call,
    }
}
