use trunkline_bot::prelude::*;

#[derive(Serialize, Deserialize)]
struct Pay;

impl Verb for Pay {
    const VERB: &'static str = "pay";
}

async fn handler(_: &mut Turn, _: &mut (), _: Pressed<Pay>) -> Result {
    Ok(())
}

fn main() {
    let _ = Bot::new("bot").on(verb::<Pay>(), handler);
}
