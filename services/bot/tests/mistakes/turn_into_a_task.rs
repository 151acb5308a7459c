use trunkline_bot::prelude::*;

// The bounds of tokio::spawn.
fn spawn<F: Future + Send + 'static>(_: F) {}

async fn handler(turn: &mut Turn, _: &mut (), _: Message) -> Result {
    spawn(async {
        turn.reply("not here");
    });
    Ok(())
}

fn main() {
    let _ = Bot::new("bot").on(message(), handler);
}
