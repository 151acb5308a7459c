//! The contract suite: what every engine promises, run on each of them.
//!
//! A test is an async function over a [`world::World`]; `on_every_engine!` makes a test of it for each engine.

// Tests with real failovers print what they measured.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod answers;
mod calls;
mod commits;
mod durability;
mod fences;
mod inbox;
mod leadership;
mod media;
mod members;
mod parked;
mod redis_alone;
mod sequences;
mod wakes;
mod world;

/// Runs each named function on each engine.
macro_rules! on_every_engine {
    ($($name:ident),+ $(,)?) => {
        mod embedded_on_disk {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&crate::world::World::embedded_on_disk()).await;
            })+
        }
        mod embedded_in_memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&crate::world::World::embedded_in_memory()).await;
            })+
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&crate::world::World::redis().await).await;
            })+
        }
    };
}
pub(crate) use on_every_engine;
