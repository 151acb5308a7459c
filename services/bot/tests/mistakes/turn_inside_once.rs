use trunkline_bot::prelude::*;

async fn handler(turn: &mut Turn, _: &mut (), _: Message) -> Result {
    turn.once("step", async |_| {
        turn.reply("not here");
        Ok(())
    })
    .await
}

fn main() {
    let _ = Bot::new("bot").on(message(), handler);
}
