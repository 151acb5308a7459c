//! What people see when something did not work and the bot says nothing of its own.

use bytes::Bytes;
use serde_json::{Value, json};
use trunkline_teams::activity::Activity;

use crate::address::Locale;
use crate::card;
use crate::draft::{Draft, plain};
use crate::logic::{Answer, Failure};
use crate::route::is_card_action;

/// One language's texts.
struct Words {
    language: &'static str,
    gave_up: &'static str,
    failed: &'static str,
    still_working: &'static str,
}

const ENGLISH: Words = Words {
    language: "en",
    gave_up: "Sorry, that did not work. Reference:",
    failed: "Sorry, that did not work. Please try again.",
    still_working: "Still working on it.",
};

const OTHERS: [Words; 5] = [
    Words {
        language: "de",
        gave_up: "Das hat leider nicht funktioniert. Referenz:",
        failed: "Das hat leider nicht funktioniert. Bitte noch einmal versuchen.",
        still_working: "Das dauert noch einen Moment.",
    },
    Words {
        language: "fr",
        gave_up: "Désolé, cela n'a pas fonctionné. Référence :",
        failed: "Désolé, cela n'a pas fonctionné. Veuillez réessayer.",
        still_working: "Encore un instant.",
    },
    Words {
        language: "es",
        gave_up: "Lo siento, no ha funcionado. Referencia:",
        failed: "Lo siento, no ha funcionado. Inténtelo de nuevo.",
        still_working: "Un momento más.",
    },
    Words {
        language: "pt",
        gave_up: "Desculpe, não funcionou. Referência:",
        failed: "Desculpe, não funcionou. Tente novamente.",
        still_working: "Só mais um momento.",
    },
    Words {
        language: "it",
        gave_up: "Spiacenti, non ha funzionato. Riferimento:",
        failed: "Spiacenti, non ha funzionato. Riprova.",
        still_working: "Ancora un momento.",
    },
];

fn words(locale: &Locale) -> &'static Words {
    let language = locale.language();
    OTHERS
        .iter()
        .find(|words| words.language == language)
        .unwrap_or(&ENGLISH)
}

fn words_for(activity: &Activity) -> &'static Words {
    activity
        .locale
        .as_deref()
        .map_or(&ENGLISH, |tag| words(&Locale::new(tag)))
}

/// What the person is told when a turn was given up: never the error's text.
pub(super) fn told(failure: &Failure, locale: &Locale) -> Draft {
    plain(&format!("{} {}", words(locale).gave_up, failure.reference)).into()
}

/// The answer of an invoke whose turn failed, in the form of its kind.
pub(super) fn answer(activity: &Activity) -> Answer {
    let text = words_for(activity).failed;
    if is_card_action(activity) {
        return card::fault(500, "BotFailed", text);
    }
    with_body(500, &json!({ "error": { "code": "BotFailed", "message": text } }))
}

/// An answer with a JSON body.
pub(super) fn with_body(status: u16, body: &Value) -> Answer {
    Answer {
        status,
        body: Some(Bytes::from(body.to_string())),
    }
}

/// The answer of a button whose turn outlived its budget.
pub(super) fn late(activity: &Activity) -> Option<Answer> {
    let text = words_for(activity).still_working;
    is_card_action(activity).then(|| card::answer(&card::CardReply::toast(text)))
}

/// The answer of an invoke that nobody handles; SDKs send the same (Bot Framework, `ActivityHandler`).
pub(crate) fn not_implemented() -> Answer {
    Answer {
        status: 501,
        body: None,
    }
}
