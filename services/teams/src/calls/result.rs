//! Why something ended.

use crate::wire::wire_object;

wire_object! {
    /// Code, sub-code and text of an end. Source: Graph, `resultInfo`.
    pub struct ResultInfo {
        /// 2xx or 0 is good, 4xx the client's, 5xx the server's; documented as Int32, seen as text.
        code: Option<i64> => "code",
        /// The reason.
        subcode: Option<i64> => "subcode",
        /// The same under the name that one page of a failed transfer shows.
        sub_code: Option<i64> => "subCode",
        /// Often ends in `DiagCode: {code}#{subcode}.@`.
        message: Option<String> => "message",
    }
}

impl ResultInfo {
    /// A result of that code and sub-code.
    pub fn new(code: i64, subcode: i64) -> Self {
        Self {
            code: Some(code),
            subcode: Some(subcode),
            ..Self::default()
        }
    }

    /// The code; 0 where none came.
    pub fn code(&self) -> i64 {
        self.code.unwrap_or(0)
    }

    /// The sub-code under either of its names; 0 where none came.
    pub fn subcode(&self) -> i64 {
        self.subcode.or(self.sub_code).unwrap_or(0)
    }

    /// Whether it names a failure: a code of 400 or more.
    pub fn is_failure(&self) -> bool {
        self.code() >= 400
    }
}
