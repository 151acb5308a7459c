use trunkline_bot::prelude::*;

async fn recorded(call: &mut Call, prompt: &mut Option<Op<Voice>>, recorded: Recorded) -> Result<Then> {
    if *prompt == Some(recorded.recording) {
        call.stop_media();
    }
    Ok(Then::Stay)
}

fn main() {}
