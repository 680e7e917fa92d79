//! Certificates of replicas, made for one run.

#![allow(dead_code, reason = "each of its users takes what it needs")]

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use tempfile::TempDir;

/// An authority that signs replicas' certificates.
pub(crate) struct Authority {
    ca: String,
    issuer: Issuer<'static, KeyPair>,
}

/// Three files of PEM, as the settings name them.
pub(crate) struct Papers {
    folder: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.distinguished_name.push(DnType::CommonName, "Replicas of a test");
        let key = KeyPair::generate().expect("certificates can be made");
        let ca = params.self_signed(&key).expect("certificates can be made").pem();
        Self { ca, issuer: Issuer::new(params, key) }
    }

    /// A certificate for these names and addresses.
    pub(crate) fn papers(&self, names: &[&str]) -> Papers {
        self.papers_until(names, 2100)
    }

    /// One that has expired.
    pub(crate) fn old_papers(&self, names: &[&str]) -> Papers {
        self.papers_until(names, 2021)
    }

    fn papers_until(&self, names: &[&str], year: i32) -> Papers {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("certificates can be made");
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(year, 1, 1));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("certificates can be made");
        let certificate = params.signed_by(&key, &self.issuer).expect("certificates can be made").pem();
        let folder = tempfile::tempdir().expect("certificates can be made");
        for (name, text) in [("ca", &self.ca), ("cert", &certificate), ("key", &key.serialize_pem())] {
            std::fs::write(folder.path().join(format!("{name}.pem")), text)
                .expect("certificates can be made");
        }
        Papers { folder }
    }
}

impl Papers {
    /// The lines of the section `cluster` that name them.
    pub(crate) fn lines(&self) -> String {
        let line = |name: &str| format!("{name}_file = \"{}/{name}.pem\"\n", self.folder.path().display());
        ["ca", "cert", "key"].map(line).concat()
    }

    /// Where one of them lies: `ca`, `cert` or `key`.
    pub(crate) fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(format!("{name}.pem"))
    }

    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).expect("certificates can be made")
    }
}
