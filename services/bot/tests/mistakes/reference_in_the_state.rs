use trunkline_bot::prelude::*;

#[derive(Default, Serialize, Deserialize)]
struct Name<'a> {
    name: &'a str,
}

impl<'a> State for Name<'a> {}

fn main() {}
