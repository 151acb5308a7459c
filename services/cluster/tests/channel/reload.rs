//! Certificates that change while streams are open.

use crate::authority::Authority;
use crate::world::{Client, Files, Log, Worker, until};

const RELOADS: &str = "trunkline_worker_cluster_certificate_reloads_total";
const FAILURES: &str = "trunkline_worker_cluster_certificate_failures_total";
const EXPIRES: &str = "trunkline_worker_cluster_certificate_expiry_timestamp_seconds";

#[tokio::test]
async fn an_authority_is_replaced_step_by_step_and_no_stream_is_dropped() {
    // The second has the name of the first: only their keys differ.
    let (old, new) = (Authority::named("of the cluster"), Authority::named("of the cluster"));
    let worker_files = Files::new(&[&old], &old.issue("worker"));
    let worker = Worker::start(&worker_files).await;
    let of_old = Files::new(&[&old], &old.issue("ingress"));
    let mut first = Client::connect(&of_old, &worker).await.unwrap();

    // Both are trusted, the worker still shows the old one's certificate.
    worker_files.write(&[&old, &new], &old.issue("worker"));
    until("the bundle is taken into use", || worker.metric(RELOADS) > 0.0).await;
    let of_both = Files::new(&[&old, &new], &new.issue("ingress"));
    Client::connect(&of_both, &worker)
        .await
        .expect("the new authority is trusted");

    worker_files.write(&[&old, &new], &new.issue("worker"));
    until("the new certificate is served", || worker.metric(RELOADS) > 1.0).await;
    Client::connect(&of_both, &worker).await.expect("the new certificate");
    let error = Client::connect(&of_old, &worker).await.err().expect("refused");
    assert!(
        error.contains("invalid peer certificate"),
        "who has not followed sees the new certificate: {error}"
    );

    worker_files.write(&[&new], &new.issue("worker"));
    until("the old authority is forgotten", || worker.metric(RELOADS) > 2.0).await;
    let late = Files::new(&[&old, &new], &old.issue("ingress"));
    assert!(
        Client::connect(&late, &worker).await.is_err(),
        "the old authority is not trusted any more"
    );
    first.exchange(1).await;
    assert!(worker.metric(FAILURES) < 1.0);
}

#[tokio::test]
async fn files_that_cannot_be_used_leave_the_old_ones_in_use() {
    let (log, _logging) = Log::start();
    let authority = Authority::new();
    let files = Files::new(&[&authority], &authority.issue("worker"));
    let worker = Worker::start(&files).await;
    let ingress = Files::new(&[&authority], &authority.issue("ingress"));
    let expires = worker.metric(EXPIRES);
    assert!(expires > 0.0);

    files.put("tls.crt", "not a certificate");
    until("it is noticed", || worker.metric(FAILURES) > 0.0).await;
    Client::connect(&ingress, &worker)
        .await
        .expect("the old certificate is shown");

    files.write(&[&Authority::new()], &authority.issue("worker"));
    until("an authority that is not the certificate's is noticed", || {
        log.text().contains("UnknownIssuer")
    })
    .await;
    Client::connect(&ingress, &worker)
        .await
        .expect("the old authority is trusted");

    std::fs::remove_file(files.path("ca.crt")).unwrap();
    until("it is noticed", || log.text().contains("ca.crt cannot be read")).await;
    let text = log.text();
    assert!(text.contains("cluster.tls_certificate = "), "{text}");
    assert!(text.contains("what they held before stays in use"), "{text}");
    assert!(
        (worker.metric(EXPIRES) - expires).abs() < 1.0,
        "that of the certificate in use"
    );

    files.write(&[&authority], &authority.issue("worker"));
    until("good files are taken into use again", || worker.metric(RELOADS) > 0.0).await;
    Client::connect(&ingress, &worker).await.expect("the new certificate");
}
