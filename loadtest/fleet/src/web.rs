//! Plain HTTP to the processes of a test.

use std::time::Duration;

use reqwest::blocking::Client;

/// A client that no proxy of this machine comes between.
pub fn client() -> Client {
    Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(10))
        .build()
        .unwrap()
}

/// Status and body, if anybody answers.
pub fn get(url: &str) -> Option<(u16, String)> {
    let response = client().get(url).send().ok()?;
    Some((response.status().as_u16(), response.text().ok()?))
}
