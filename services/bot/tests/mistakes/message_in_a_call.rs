use trunkline_bot::prelude::*;

async fn meet(_: &mut Ringing, _: &mut (), _: Invitation) -> Result<Decision> {
    Ok(Decision::answer())
}

async fn hear(_: &mut Call, _: &mut (), _: Message) -> Result<Then> {
    Ok(Then::Stay)
}

fn main() {
    let _ = CallBot::answering("bot", (), meet).on(message(), hear);
}
