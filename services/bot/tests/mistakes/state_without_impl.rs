use trunkline_bot::prelude::*;

#[derive(Default, Serialize, Deserialize)]
struct Count {
    heard: u32,
}

fn bot() -> Bot<Count> {
    Bot::new("count")
}

fn main() {
    let _ = bot();
}
