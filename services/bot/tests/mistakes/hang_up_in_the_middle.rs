use trunkline_bot::prelude::*;

async fn key(call: &mut Call, _: &mut (), _: Tone) -> Result<Then> {
    call.hang_up();
    Ok(Then::Stay)
}

fn main() {}
