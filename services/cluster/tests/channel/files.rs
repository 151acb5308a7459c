//! What is known at the start: files that cannot work are refused with their settings.

use std::error::Error as _;

use prometheus_client::registry::Registry;
use trunkline_cluster::channel::{Role, TlsError};

use crate::authority::Authority;
use crate::world::Files;

async fn refused(files: &Files, role: Role) -> String {
    let error = files.load(role, &mut Registry::default()).await.expect_err("refused");
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    format!("{error}: {cause}")
}

#[tokio::test]
async fn a_file_that_is_not_there_or_holds_something_else_is_named_with_its_setting() {
    let authority = Authority::new();
    let files = Files::new(&[&authority], &authority.issue("worker"));
    for (setting, name) in [
        ("cluster.tls_ca", "ca.crt"),
        ("cluster.tls_certificate", "tls.crt"),
        ("cluster.tls_key", "tls.key"),
    ] {
        let kept = std::fs::read_to_string(files.path(name)).unwrap();
        files.put(name, "nothing");
        let error = refused(&files, Role::Worker).await;
        assert!(
            error.starts_with(&format!("{setting} = ")) && error.contains("in PEM form"),
            "{error}"
        );
        std::fs::remove_file(files.path(name)).unwrap();
        let error = refused(&files, Role::Worker).await;
        assert!(
            error.starts_with(&format!("{setting} = ")) && error.contains("cannot be read"),
            "{error}"
        );
        files.put(name, &kept);
    }
    files.load(Role::Worker, &mut Registry::default()).await.unwrap();
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused() {
    let authority = Authority::new();
    let files = Files::new(&[&authority], &authority.issue("worker"));
    files.put("tls.key", &authority.issue("worker").key);
    let error = files
        .load(Role::Worker, &mut Registry::default())
        .await
        .expect_err("refused");
    assert!(matches!(error, TlsError::Pair { .. }), "{error}");
}

#[tokio::test]
async fn a_certificate_that_the_others_would_refuse_is_refused_at_the_start() {
    let authority = Authority::new();
    let foreign = Files::new(&[&authority], &Authority::new().issue("worker"));
    let error = refused(&foreign, Role::Worker).await;
    assert!(
        error.contains("cluster.tls_certificate = ") && error.contains("cluster.tls_ca"),
        "{error}"
    );
    assert!(error.contains("UnknownIssuer"), "{error}");

    let expired = Files::new(&[&authority], &authority.issue_expired("worker"));
    assert!(refused(&expired, Role::Worker).await.contains("certificate expired"));

    let edge = Files::new(&[&authority], &authority.issue("ingress"));
    let error = refused(&edge, Role::Worker).await;
    assert!(error.contains("name worker.trunkline.internal"), "{error}");
    edge.load(Role::Ingress, &mut Registry::default()).await.unwrap();
}
