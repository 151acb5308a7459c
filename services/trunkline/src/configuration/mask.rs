//! Hides what may be secret in the text of a configuration file before any of it is shown in a message.
//!
//! Works on lines, not on parsed values, because a file that does not parse is shown too. Whatever is not known to be
//! harmless is hidden: values of secret settings, of unknown names and of the bots' own settings.

use super::schema;

/// The same text with stars in the place of every value that may be secret. Byte positions stay as they are.
pub(super) fn secrets(text: &str) -> String {
    let mut section = String::new();
    let mut previous_is_open = true;
    text.split_inclusive('\n')
        .map(|line| {
            let trimmed = line.trim_start();
            if trimmed.trim_end().is_empty() || (trimmed.starts_with('#') && !trimmed.contains('=')) {
                return line.to_owned();
            }
            if let Some(header) = trimmed.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                header.0.trim_matches(['[', ' ']).clone_into(&mut section);
                previous_is_open = true;
                return line.to_owned();
            }
            let Some(equals) = line.find('=') else {
                return if previous_is_open { line.to_owned() } else { stars(line) };
            };
            let key = line[..equals].trim().trim_start_matches(['#', ' ']);
            previous_is_open = schema::is_open(&section, key);
            if previous_is_open {
                line.to_owned()
            } else {
                line[..=equals].to_owned() + &stars(&line[equals + 1..])
            }
        })
        .collect()
}

fn stars(value: &str) -> String {
    value
        .chars()
        .map(|letter| {
            if letter.is_whitespace() {
                letter.to_string()
            } else {
                "*".repeat(letter.len_utf8())
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::secrets;

    #[test]
    fn secrets_unknown_names_and_settings_of_bots_are_hidden_in_place() {
        let text = "[ingress]\nlisten = \"127.0.0.1:1\"\n[bots.echo]\napp_id = \"a\"\nclient_secret = \"hunter2\"\nclient_secrt = 'hunter2'\n# client_secret = 'hunter2'\n[bots.echo.settings]\nkey = \"\"\"\nhunter2\n\"\"\"\n";
        let masked = secrets(text);
        assert!(!masked.contains("hunter2"), "{masked}");
        assert!(masked.contains("127.0.0.1:1"), "{masked}");
        assert_eq!(masked.len(), text.len());
    }

    #[test]
    fn a_key_with_a_path_and_an_inline_table_are_hidden() {
        let masked = secrets("store.url = \"redis://:hunter2@h\"\nbots = { echo = { client_secret = \"hunter2\" } }\n");
        assert!(!masked.contains("hunter2"), "{masked}");
    }
}
