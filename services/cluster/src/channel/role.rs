//! What a process is to the others, and how its certificate says so.

use std::fmt;
use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, DnsName, ServerName};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, OtherError};

use super::error::TlsError;

/// What a process is to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The edge: it delivers activities.
    Ingress,
    /// It holds conversations; ingresses, operators and other workers connect to it.
    Worker,
    /// A command of an operator.
    Operator,
    /// It ends the audio of calls; workers connect to it.
    Media,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Ingress, Self::Worker, Self::Operator, Self::Media];

    /// The domain of the names where nobody chose another. `internal` is kept for such names (ICANN, 2024-07-29).
    pub const DOMAIN: &str = "trunkline.internal";

    /// Whether others connect to it.
    pub(super) fn listens(self) -> bool {
        matches!(self, Self::Worker | Self::Media)
    }

    /// The first part of its DNS name.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Worker => "worker",
            Self::Operator => "operator",
            Self::Media => "media",
        }
    }

    /// The DNS name by which certificates name it.
    pub fn dns_name(self, domain: &str) -> String {
        format!("{}.{domain}", self.label())
    }
}

/// The names of all roles below one domain.
#[derive(Clone, Debug)]
pub(super) struct RoleNames([ServerName<'static>; Role::ALL.len()]);

impl RoleNames {
    pub(super) fn below(domain: &str) -> Result<Self, TlsError> {
        let wrong = |_| TlsError::Domain {
            domain: domain.to_owned(),
        };
        DnsName::try_from(domain).map_err(wrong)?;
        let name = |role: Role| ServerName::try_from(role.dns_name(domain)).map_err(wrong);
        let [ingress, worker, operator, media] = Role::ALL.map(name);
        Ok(Self([ingress?, worker?, operator?, media?]))
    }

    pub(super) fn of(&self, role: Role) -> &ServerName<'static> {
        &self.0[role as usize]
    }

    /// The roles that a certificate names, at least one. Whether it is genuine is not looked at.
    pub(super) fn roles_of(&self, certificate: &CertificateDer<'_>) -> Result<Vec<Role>, Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        let roles: Vec<Role> = Role::ALL
            .into_iter()
            .filter(|role| verify_server_name(&parsed, self.of(*role)).is_ok())
            .collect();
        if roles.is_empty() {
            let refusal = OtherError(Arc::new(NamesNoRole(self.clone())));
            return Err(Error::InvalidCertificate(CertificateError::Other(refusal)));
        }
        Ok(roles)
    }
}

/// A certificate that names no role of this cluster.
#[derive(Debug)]
struct NamesNoRole(RoleNames);

impl fmt::Display for NamesNoRole {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.0.each_ref().map(ServerName::to_str);
        write!(formatter, "its certificate names none of {}", names.join(", "))
    }
}

impl std::error::Error for NamesNoRole {}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use super::*;

    #[test]
    fn a_domain_that_is_none_is_refused_with_its_setting() {
        for wrong in ["", "-", "a b", "trunkline.internal/"] {
            let error = RoleNames::below(wrong).expect_err(wrong).to_string();
            assert!(error.starts_with("cluster.tls_domain = "), "{error}");
        }
        let names = RoleNames::below("cluster-1.example.org").expect("a domain");
        assert_eq!(names.of(Role::Worker).to_str(), "worker.cluster-1.example.org");
    }
}
