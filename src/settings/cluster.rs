//! Section `cluster`: several replicas over one journal.

use super::load::{Error, read_text};
use super::{JournalKind, Problems, Roles, Secret, Span};
use schemars::JsonSchema;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Longest file of certificates.
const PEM_BYTES_MAX: u64 = 1 << 20;

/// What replicas over one journal need of each other: any of them takes any connection and forwards it to the one
/// that serves its contact centre, over mutual TLS. The three files belong together; they are read at the start.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cluster {
    /// Where other replicas come in (`0.0.0.0:8443`), on a network of their own. Default: nowhere, this process takes
    /// nothing from others.
    pub listen: Option<SocketAddr>,
    /// Where the others dial it (`tieline-0.tieline.internal:8443`). Default: `listen`.
    pub address: Option<String>,
    /// A name that the certificate of every replica holds; then it is asked for in place of the host in `address`,
    /// and of whoever comes in too. Default: none, a replica's certificate holds the host of its `address`.
    pub name: Option<String>,
    /// The authority that signs the replicas' certificates, and nobody else's (PEM).
    pub ca_file: Option<PathBuf>,
    /// This replica's certificate, for both serving and asking, with those between it and the authority (PEM).
    pub cert_file: Option<PathBuf>,
    /// Its private key (PEM).
    pub key_file: Option<PathBuf>,
    /// How long a replica that froze is waited for before another takes its shards; one that crashed is noticed
    /// sooner. Every replica must say the same. Default "10s".
    pub lease: Span,
    /// A replica that cannot be reached within this is taken for gone. Default "1s".
    pub connect_within: Span,
    /// Connections of other replicas at once; every forwarded socket is one. One more waits. Default 30000.
    pub connections_max: u32,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            listen: None,
            address: None,
            name: None,
            ca_file: None,
            cert_file: None,
            key_file: None,
            lease: Span::secs(10),
            connect_within: Span::secs(1),
            connections_max: 30_000,
        }
    }
}

/// Who a replica is to the others, and whom it believes: texts in PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The authority's certificate.
    pub ca: String,
    /// The replica's certificate, and those between it and the authority.
    pub certificates: String,
    /// Its private key.
    pub key: Secret,
}

impl Cluster {
    pub(super) fn validate(
        &self,
        journal: JournalKind,
        roles: Roles,
        public_url: Option<&String>,
        problems: &mut Problems,
    ) {
        let way_out = "set `journal.kind` to \"postgres\", or leave this out";
        if journal == JournalKind::Sqlite && self.listen.is_some() {
            problems.add("cluster.listen", "is set, and a journal in a file has one process alone", way_out);
        }
        if journal == JournalKind::Sqlite && !(roles.gateway && roles.core && roles.connectors) {
            let what = "leaves out a part of the work, and a journal in a file has one process alone";
            problems.add("daemon.roles", what, way_out);
        }
        let files = self.files();
        let given = files.iter().filter(|(_, path)| path.is_some()).count();
        for (key, _) in files.iter().filter(|(_, path)| path.is_none()) {
            let needed = if given > 0 {
                "is missing, and others of the three files are there"
            } else if self.listen.is_some() {
                "is missing, and `cluster.listen` is set"
            } else if !roles.core {
                "is missing, and without the role core everything is asked of other replicas"
            } else {
                continue;
            };
            problems.add(*key, needed, "name the three files ca_file, cert_file and key_file, all of them");
        }
        if self.listen.is_none() && !roles.gateway && roles.core {
            let way_out = "set it, or add the role gateway in `daemon.roles`";
            problems.add("cluster.listen", "is missing, so nobody reaches this process", way_out);
        }
        if given > 0 && roles.gateway | roles.core && public_url.is_none() {
            let way_out = "write the one address under which browsers reach all replicas";
            problems.add("http.public_url", "is missing, and several replicas serve the same pages", way_out);
        }
        self.validate_addresses(problems);
        problems.span("cluster.lease", self.lease, Span::secs(2)..=Span::mins(2));
        problems.span("cluster.connect_within", self.connect_within, Span::ms(50)..=Span::secs(10));
        problems.count("cluster.connections_max", self.connections_max.into(), 1..=1_000_000);
    }

    fn validate_addresses(&self, problems: &mut Problems) {
        const SHAPE: &str = "write host and port as the others dial them, such as tieline-0.internal:8443";
        match (&self.address, self.listen) {
            (Some(address), _) if !is_host_and_port(address) => {
                problems.add("cluster.address", format!("is \"{address}\""), SHAPE);
            }
            (Some(_), None) => {
                let way_out = "set `cluster.listen`, or leave this out";
                problems.add("cluster.address", "is set, and nothing listens there", way_out);
            }
            (None, Some(listen)) if listen.ip().is_unspecified() => {
                let what = format!("is missing, and nobody can dial `cluster.listen` ({listen})");
                problems.add("cluster.address", what, SHAPE);
            }
            (Some(_) | None, _) => {}
        }
        if let Some(name) = self.name.as_ref().filter(|name| !is_host(name)) {
            let way_out = "write a DNS name in lower case that stands in every replica's certificate";
            problems.add("cluster.name", format!("is \"{name}\""), way_out);
        }
    }

    fn files(&self) -> [(&'static str, Option<&Path>); 3] {
        [
            ("cluster.ca_file", self.ca_file.as_deref()),
            ("cluster.cert_file", self.cert_file.as_deref()),
            ("cluster.key_file", self.key_file.as_deref()),
        ]
    }

    /// Where the others dial this process, given where it really listens.
    #[must_use]
    pub fn reached_at(&self, bound: SocketAddr) -> String {
        self.address.clone().unwrap_or_else(|| bound.to_string())
    }

    /// Reads the three files; `None` where none is named.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn identity(&self) -> Result<Option<Identity>, Error> {
        let mut texts = Vec::new();
        for (key, path) in self.files() {
            let Some(path) = path else { return Ok(None) };
            let bad = |why| Error::Named { key: key.to_owned(), path: path.to_owned(), why };
            texts.push(read_text(path, PEM_BYTES_MAX).map_err(bad)?);
        }
        let Ok([ca, certificates, key]) = <[String; 3]>::try_from(texts) else { return Ok(None) };
        Ok(Some(Identity { ca, certificates, key: Secret::new(key) }))
    }
}

fn is_host_and_port(text: &str) -> bool {
    if text.parse::<SocketAddr>().is_ok_and(|address| address.port() != 0) {
        return true;
    }
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    is_host(host) && port.parse::<u16>().is_ok_and(|port| port != 0)
}

fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}
