//! `trunkline dev certificate`: a small authority and certificates of nodes, for tests, laptops and first steps.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use trunkline_cluster::channel::Role;

use super::arguments::CertificateArguments;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Days that certificates of nodes hold, and that of an authority.
const NODE_DAYS: u32 = 365;
const AUTHORITY_DAYS: u32 = 3650;
/// Clocks of machines differ: certificates hold from before they were made.
const CLOCKS_DIFFER: Duration = Duration::from_secs(3600);
const AUTHORITY: &str = "ca";

/// Makes what was asked for. Returns what to print.
///
/// # Errors
/// A name without a role, a file that is there already, or one that cannot be written.
pub fn make(asked: &CertificateArguments) -> anyhow::Result<String> {
    let nodes = asked.nodes.iter().map(|name| Ok((name, role_of(name)?)));
    let nodes: Vec<(&String, Role)> = nodes.collect::<anyhow::Result<_>>()?;
    let out = &asked.out;
    fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    let out = fs::canonicalize(out)?;
    if !asked.force {
        for (name, _) in &nodes {
            refuse_what_is_there(&out, name)?;
        }
    }
    let authority = Authority::open(&out)?;
    let mut said = authority.said.clone();
    let mut sections = String::new();
    for (node, role) in nodes {
        let certificate = authority.issue(&out, node, role, &asked.domain)?;
        let name = role.dns_name(&asked.domain);
        let _ = writeln!(said, "Wrote {} with its key, for {name}", certificate.display());
        let _ = writeln!(sections, "\n# {node}");
        sections += &section(&out, &certificate, &asked.domain);
    }
    let _ = write!(
        said,
        "\nCertificates of nodes hold for {NODE_DAYS} days. The key of the authority, {}, need not be where the nodes run.\n{sections}",
        key_file(&out, AUTHORITY).display()
    );
    Ok(said)
}

/// `worker`, or `worker-` and whatever tells it from the others.
fn role_of(node: &str) -> anyhow::Result<Role> {
    let is_plain = |name: &str| {
        name.chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
    };
    let names_role = |role: &Role| {
        let rest = node.strip_prefix(role.label());
        rest.is_some_and(|rest| rest.is_empty() || (rest.starts_with('-') && is_plain(rest)))
    };
    Role::ALL.into_iter().find(names_role).with_context(|| {
        format!(
            "--node {node} names no role; write ingress, worker, operator or media, or one of them with more: worker-1"
        )
    })
}

fn certificate_file(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.crt"))
}

fn key_file(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.key"))
}

fn refuse_what_is_there(directory: &Path, name: &str) -> anyhow::Result<()> {
    for file in [certificate_file(directory, name), key_file(directory, name)] {
        anyhow::ensure!(
            !file.exists(),
            "{} is there already; --force writes over it",
            file.display()
        );
    }
    Ok(())
}

/// What gives out certificates, and how it came to be.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    said: String,
}

impl Authority {
    /// The one of this directory, or a new one: a second run adds nodes to the same cluster.
    fn open(directory: &Path) -> anyhow::Result<Self> {
        let (certificate, key) = (certificate_file(directory, AUTHORITY), key_file(directory, AUTHORITY));
        if !certificate.exists() && !key.exists() {
            return Self::new(&certificate, &key);
        }
        let read = |file: &Path| {
            fs::read_to_string(file).with_context(|| {
                format!(
                    "{} cannot be read; an authority is {AUTHORITY}.crt with {AUTHORITY}.key",
                    file.display()
                )
            })
        };
        let pair = KeyPair::from_pem(&read(&key)?).with_context(|| format!("{} is no key", key.display()))?;
        let issuer = Issuer::from_ca_cert_pem(&read(&certificate)?, pair)
            .with_context(|| format!("{} is no authority's certificate", certificate.display()))?;
        Ok(Self {
            issuer,
            said: format!("Used the authority {} that was there\n", certificate.display()),
        })
    }

    fn new(certificate: &Path, key: &Path) -> anyhow::Result<Self> {
        let mut params = in_date(CertificateParams::default(), AUTHORITY_DAYS);
        // Two authorities of one name could not be told apart by who meets a foreign one.
        let name = format!("Trunkline development authority {:08x}", rand::random::<u32>());
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let made = CertifiedIssuer::self_signed(params.clone(), KeyPair::generate()?)?;
        write(key, &made.key().serialize_pem(), 0o600)?;
        write(certificate, &made.pem(), 0o644)?;
        let pair = KeyPair::from_pem(&made.key().serialize_pem())?;
        Ok(Self {
            issuer: Issuer::new(params, pair),
            said: format!("Wrote the authority {} with its key\n", certificate.display()),
        })
    }

    fn issue(&self, directory: &Path, name: &str, role: Role, domain: &str) -> anyhow::Result<PathBuf> {
        let names = vec![role.dns_name(domain)];
        let params = CertificateParams::new(names).with_context(|| format!("--domain {domain} is no domain"))?;
        let mut params = in_date(params, NODE_DAYS);
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let pair = KeyPair::generate()?;
        let issued = params.signed_by(&pair, &self.issuer)?;
        let file = certificate_file(directory, name);
        write(&key_file(directory, name), &pair.serialize_pem(), 0o600)?;
        write(&file, &issued.pem(), 0o644)?;
        Ok(file)
    }
}

fn in_date(mut params: CertificateParams, days: u32) -> CertificateParams {
    let now = SystemTime::now();
    params.not_before = (now - CLOCKS_DIFFER).into();
    params.not_after = (now + DAY * days).into();
    params
}

/// Writes a file whole: whoever watches it never sees the half of it.
fn write(file: &Path, contents: &str, mode: u32) -> anyhow::Result<()> {
    let failed = || format!("{} cannot be written", file.display());
    let mut new = file.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    // One that an earlier run left would keep its mode.
    if new.exists() {
        fs::remove_file(&new).with_context(failed)?;
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&new)
        .and_then(|mut opened| opened.write_all(contents.as_bytes()))
        .with_context(failed)?;
    fs::rename(&new, file).with_context(failed)
}

/// What a node with this certificate writes into its configuration.
fn section(directory: &Path, certificate: &Path, domain: &str) -> String {
    let quoted = |path: &Path| toml::Value::from(path.display().to_string()).to_string();
    let mut text = format!(
        "[cluster]\ntls_ca = {}\ntls_certificate = {}\ntls_key = {}\n",
        quoted(&certificate_file(directory, AUTHORITY)),
        quoted(certificate),
        quoted(&certificate.with_extension("key")),
    );
    if domain != Role::DOMAIN {
        let _ = writeln!(text, "tls_domain = {}", toml::Value::from(domain));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_called_by_its_role() {
        let role = |name| role_of(name).ok();
        assert_eq!(role("worker"), Some(Role::Worker));
        assert_eq!(role("worker-eu.1"), Some(Role::Worker));
        assert_eq!(role("ingress-2"), Some(Role::Ingress));
        for wrong in ["", "laptop", "workers", "worker-../x", "worker-a/b"] {
            assert_eq!(role(wrong), None, "{wrong}");
        }
    }
}
