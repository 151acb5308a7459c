use trunkline_bot::prelude::*;

#[derive(Serialize, Deserialize)]
struct Pay;

fn main() {
    let _ = Card::new("Bill").button("Pay", Pay);
}
