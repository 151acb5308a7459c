//! From errors of the file to errors of the store.

use std::io::ErrorKind;

use redb::Error;

use crate::contract::StoreError;

/// What the writer thread does.
pub(super) const WRITING: &str = "writing to the embedded store";
/// What readers do.
pub(super) const READING: &str = "reading the embedded store";
/// What `open` does.
pub(super) const OPENING: &str = "opening the embedded store";

/// Turns an error of the file into one of the store; for `map_err`.
pub(super) fn failed<E: Into<Error>>(doing: &'static str) -> impl Fn(E) -> StoreError {
    move |error| {
        let error = error.into();
        let reason = error.to_string();
        match error {
            Error::Io(io) if matches!(io.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                StoreError::Refused { doing, reason }
            }
            Error::Corrupted(_)
            | Error::TableTypeMismatch { .. }
            | Error::TypeDefinitionChanged { .. }
            | Error::ValueTooLarge(_) => StoreError::Corrupt { doing, reason },
            _ => StoreError::Unavailable { doing, reason },
        }
    }
}

/// The writer thread ended without a word.
pub(super) fn writer_ended() -> StoreError {
    StoreError::Unavailable {
        doing: WRITING,
        reason: "its writer thread has ended; start the process again".to_owned(),
    }
}
