//! An ingress over real sockets: between callers of HTTP, a login host and workers of the test's own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bounds;
mod calls;
mod forwarding;
mod login_host;
mod refusals;
mod rolling;
mod routing;
mod signer;
mod stopping;
mod streams;
mod tls;
mod vectors;
mod worker;
mod world;
