use trunkline_bot::prelude::*;

async fn ended(turn: &mut Turn, _: &mut (), _: Ended) -> Result {
    turn.play(Prompt::at("https://bot.example/bye.wav"));
    Ok(())
}

fn main() {}
