use trunkline_bot::prelude::*;

async fn handler(_: &mut Turn, _: &mut (), _: Message) -> Result<CardReply> {
    Ok(CardReply::toast("done"))
}

fn main() {
    let _ = Bot::new("bot").on(message(), handler);
}
