use trunkline_bot::prelude::*;

async fn handler(_: &mut Turn, _: &mut (), _: Message) -> Result {
    Ok(())
}

fn main() {
    let _ = Bot::new("bot").on("hello", handler);
}
