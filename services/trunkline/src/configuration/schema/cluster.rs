//! `[cluster]`: what holds for the processes of a cluster among themselves.

use std::path::PathBuf;

use super::super::section::section;

section! {
    /// What the processes of one cluster have in common.
    pub struct ClusterSection {
        /// Label of this process among the others, for operators and logs: another for each, the same again after a restart, so
        /// that a worker gets its shards back. Unset: the host's name, the role and a worker's port.
        pub name: Option<String> => "worker-1",
        /// Certificates (PEM) of the cluster's own authority: whoever holds a certificate of it belongs to the cluster. Two of them
        /// while it is being replaced. Set all three files or none: without them processes meet on loopback addresses only.
        pub tls_ca: Option<PathBuf> => "/etc/trunkline/cluster/ca.crt",
        /// Certificate chain (PEM) by which this process proves its role to the others, as a server and as a client.
        pub tls_certificate: Option<PathBuf> => "/etc/trunkline/cluster/tls.crt",
        /// Private key of that certificate, in PEM. All three files are read again when they change.
        pub tls_key: Option<PathBuf> => "/etc/trunkline/cluster/tls.key",
        /// Certificates name roles, not machines: ingress.DOMAIN, worker.DOMAIN or operator.DOMAIN is among their DNS names.
        pub tls_domain: String = "trunkline.internal",
    }
}
