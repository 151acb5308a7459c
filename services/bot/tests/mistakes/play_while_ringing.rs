use trunkline_bot::prelude::*;

async fn meet(ringing: &mut Ringing, _: &mut (), _: Invitation) -> Result<Decision> {
    ringing.play(Prompt::at("https://bot.example/hello.wav"));
    Ok(Decision::answer())
}

fn main() {
    let _ = CallBot::answering("bot", (), meet);
}
