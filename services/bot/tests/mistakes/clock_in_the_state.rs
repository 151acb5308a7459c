use std::time::Instant;
use trunkline_bot::prelude::*;

#[derive(Serialize)]
struct Count {
    since: Instant,
}

fn main() {}
