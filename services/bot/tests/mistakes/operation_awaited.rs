use trunkline_bot::prelude::*;

async fn greet(call: &mut Call, _: &mut (), _: Connected) -> Result<Then> {
    call.play(Prompt::at("https://bot.example/hello.wav")).await;
    Ok(Then::Stay)
}

fn main() {}
