//! Which ingresses have streams here: for operators, and to tell one that it shall drain.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use trunkline_proto::admin::Ingress;
use trunkline_proto::routing::{Hello, ToIngress};

use super::outgoing::{Outgoing, OutgoingSender};

/// The streams of ingresses. Locked when one opens, ends, or an operator asks; never on the way of an activity.
#[derive(Debug, Default)]
pub(crate) struct Ingresses(Mutex<HashMap<u64, Open>>);

#[derive(Debug)]
struct Open {
    name: String,
    protocol: u32,
    /// What the ingress was told last.
    is_draining: bool,
    outgoing: OutgoingSender,
}

impl Ingresses {
    /// A stream has opened. An ingress that was told to drain stays told: a new stream of it is told again.
    pub(super) fn opened(&self, stream: u64, hello: &Hello, outgoing: &OutgoingSender) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_draining = open
            .values()
            .any(|other| other.name == hello.ingress && other.is_draining);
        let opened = Open {
            name: hello.ingress.clone(),
            protocol: hello.protocol,
            is_draining,
            outgoing: outgoing.clone(),
        };
        if is_draining {
            opened.tell(true);
        }
        open.insert(stream, opened);
    }

    /// A stream has ended.
    pub(super) fn closed(&self, stream: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&stream);
    }

    /// Tells every thread of an ingress to drain, or to take requests again; `false` when no stream is its own.
    pub(crate) fn drain(&self, name: &str, drain: bool) -> bool {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut was_told = false;
        for stream in open.values_mut().filter(|stream| stream.name == name) {
            stream.is_draining = drain;
            stream.tell(drain);
            was_told = true;
        }
        was_told
    }

    /// One entry for each ingress, by name.
    pub(crate) fn list(&self) -> Vec<Ingress> {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ingresses: Vec<Ingress> = Vec::new();
        for stream in open.values() {
            match ingresses.iter_mut().find(|ingress| ingress.name == stream.name) {
                Some(ingress) => ingress.streams += 1,
                None => ingresses.push(Ingress {
                    name: stream.name.clone(),
                    streams: 1,
                    draining: stream.is_draining,
                    protocol: stream.protocol,
                }),
            }
        }
        ingresses.sort_by(|one, other| one.name.cmp(&other.name));
        ingresses
    }
}

impl Open {
    fn tell(&self, drain: bool) {
        let frame = ToIngress {
            drain: Some(drain),
            ..ToIngress::default()
        };
        // A stream that has just ended needs to be told nothing.
        let _ = self.outgoing.send(Outgoing::Frame(frame));
    }
}
