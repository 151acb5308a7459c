use trunkline_bot::prelude::*;

#[derive(Serialize, Deserialize)]
struct Remind;

fn main() {
    let _ = signal::<Remind>();
}
