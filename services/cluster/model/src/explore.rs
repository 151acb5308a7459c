//! Breadth-first search, so that what is found is as short as it can be.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;

use ahash::RandomState;

/// What is searched.
pub trait Model {
    /// Everything that decides what can happen next.
    type State: Clone + Hash;
    /// One thing that happens.
    type Step: Debug;

    /// Where every run begins.
    fn start(&self) -> Self::State;
    /// Everything that can happen next, with the state after it.
    fn next(&self, state: &Self::State, steps: &mut Vec<(Self::Step, Self::State)>);
    /// The invariant that `state` breaks, if it breaks one.
    fn broken(&self, state: &Self::State) -> Option<&'static str>;
    /// What is wrong with a run that ends in `state`, from which nothing can happen.
    fn broken_at_end(&self, _state: &Self::State) -> Option<&'static str> {
        None
    }
}

/// How much was searched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Explored {
    /// Different states.
    pub states: usize,
    /// Steps of the longest of the shortest ways to a state.
    pub depth: usize,
}

/// What a search found.
#[derive(Debug)]
pub enum Found<Step> {
    /// Every state within the bounds of the model was seen, and none breaks an invariant.
    Nothing(Explored),
    /// A shortest way to break one.
    Counterexample {
        /// Which invariant.
        broken: &'static str,
        /// What happens, in order.
        steps: Vec<Step>,
        /// How much was searched up to it.
        explored: Explored,
    },
}

/// Searches all states of a model. A state is remembered by 64 bits: among ten million states two that differ are taken for
/// one, and so one of them is not searched, with a chance of one in 300,000.
pub fn explore<M: Model>(model: &M) -> Found<M::Step> {
    let hasher = RandomState::with_seeds(0x7472, 0x756e, 0x6b6c, 0x696e);
    let print = |state: &M::State| hasher.hash_one(state);
    let start = model.start();
    let mut parents: HashMap<u64, u64, RandomState> = HashMap::with_hasher(hasher.clone());
    parents.insert(print(&start), print(&start));
    let (mut layer, mut following, mut steps) = (vec![start], Vec::new(), Vec::new());
    let mut depth = 0;
    while !layer.is_empty() {
        for state in layer.drain(..) {
            model.next(&state, &mut steps);
            let broken = model
                .broken(&state)
                .or_else(|| steps.is_empty().then(|| model.broken_at_end(&state)).flatten());
            if let Some(broken) = broken {
                return Found::Counterexample {
                    broken,
                    steps: way_to(model, &parents, print(&state), print),
                    explored: Explored {
                        states: parents.len(),
                        depth,
                    },
                };
            }
            let parent = print(&state);
            for (_, next) in steps.drain(..) {
                if let std::collections::hash_map::Entry::Vacant(vacant) = parents.entry(print(&next)) {
                    vacant.insert(parent);
                    following.push(next);
                }
            }
        }
        std::mem::swap(&mut layer, &mut following);
        depth += usize::from(!layer.is_empty());
    }
    Found::Nothing(Explored {
        states: parents.len(),
        depth,
    })
}

/// The steps to a state, found again by walking the remembered way.
fn way_to<M: Model>(
    model: &M,
    parents: &HashMap<u64, u64, RandomState>,
    last: u64,
    print: impl Fn(&M::State) -> u64,
) -> Vec<M::Step> {
    let mut way = vec![last];
    let mut at = last;
    while let Some(&parent) = parents.get(&at)
        && parent != at
    {
        way.push(parent);
        at = parent;
    }
    let mut state = model.start();
    let mut taken = Vec::new();
    for wanted in way.into_iter().rev().skip(1) {
        let mut steps = Vec::new();
        model.next(&state, &mut steps);
        let Some((step, next)) = steps.into_iter().find(|(_, next)| print(next) == wanted) else {
            break;
        };
        taken.push(step);
        state = next;
    }
    taken
}
