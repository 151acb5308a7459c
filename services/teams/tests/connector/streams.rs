//! Streamed messages.

use bytes::Bytes;
use rstest::rstest;
use trunkline_teams::connector::{Call, PartKind, Stream, StreamRefusal};

use crate::support::Reply;
use crate::{CREATED, MESSAGE, client, world};

#[tokio::test]
async fn a_streamed_message_counts_its_parts_and_ends_with_the_whole_text() {
    let (server, base) = world([CREATED, Reply::Answer(202, &[], "{}"), Reply::Answer(202, &[], "{}")]).await;
    let client = client();
    let mut stream = Stream::new();
    let note = stream.part(PartKind::Informative, "looking").unwrap();
    let first = client
        .attempt(&Call::stream_part(&base, "a:1", note).unwrap())
        .await
        .unwrap();
    stream.started(first.sent().id.unwrap());
    let text = stream.part(PartKind::Text, "All").unwrap();
    client
        .attempt(&Call::stream_part(&base, "a:1", text).unwrap())
        .await
        .unwrap();
    assert_eq!(stream.part(PartKind::Informative, "too late"), None);
    let whole = stream
        .finish(Bytes::from_static(br#"{"type":"message","text":"All of it"}"#))
        .unwrap();
    client.send(&base, "a:1", whole).await.unwrap();

    let bodies: Vec<_> = server.requests().into_iter().map(|request| request.body).collect();
    let expected = [
        r#"{"type":"typing","text":"looking","entities":[{"type":"streaminfo","streamType":"informative","streamSequence":1}]}"#,
        r#"{"type":"typing","text":"All","entities":[{"type":"streaminfo","streamId":"1801","streamType":"streaming","streamSequence":2}]}"#,
        r#"{"type":"message","text":"All of it","entities":[{"type":"streaminfo","streamId":"1801","streamType":"final"}]}"#,
    ];
    assert_eq!(bodies, expected);
}

#[rstest]
#[case(
    202,
    "ContentStreamSequenceOrderPreConditionFailed",
    "precondition",
    StreamRefusal::OutOfOrder
)]
#[case(
    403,
    "ContentStreamNotAllowed",
    "Stream was Cancelled By User",
    StreamRefusal::CancelledByUser
)]
#[case(
    403,
    "ContentStreamNotAllowed",
    "finished due to EXCEEDED streaming time.",
    StreamRefusal::TimeExceeded
)]
#[case(
    403,
    "ContentStreamNotAllowed",
    "not allowed on an already completed streamed message",
    StreamRefusal::Completed
)]
#[case(403, "ContentStreamNotAllowed", "Message size too large", StreamRefusal::TooLarge)]
#[case(
    403,
    "ContentStreamNotAllowed",
    "Content stream is not allowed",
    StreamRefusal::NotAllowed
)]
#[tokio::test]
async fn each_end_of_a_stream_is_told_apart(
    #[case] status: u16,
    #[case] code: &str,
    #[case] message: &str,
    #[case] refusal: StreamRefusal,
) {
    let body: &'static str = format!(r#"{{"error":{{"code":"{code}","message":"{message}"}}}}"#).leak();
    let (server, base) = world([Reply::Answer(status, &[], body)]).await;
    let error = client()
        .call(&Call::stream_part(&base, "a:1", MESSAGE).unwrap())
        .await
        .unwrap_err();
    assert_eq!(StreamRefusal::of(&error), Some(refusal));
    assert!(error.is_final() && !error.in_doubt);
    assert_eq!(server.requests().len(), 1);
}
