//! Content that is shared in a call.

/// Somebody began to share content. Who, and what, Graph does not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharingStarted {
    /// Names it until it ends.
    pub session: String,
}

impl SharingStarted {
    pub(crate) fn new(session: String) -> Self {
        Self { session }
    }
}

/// Content is shared no more.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharingEnded {
    /// As when it began.
    pub session: String,
}

impl SharingEnded {
    pub(crate) fn new(session: String) -> Self {
        Self { session }
    }
}
