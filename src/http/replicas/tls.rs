//! Mutual TLS between replicas: who may come in, and whom this one believes it reached. TLS 1.3 alone, as both ends
//! are ours; nothing is resumed, so that every connection shows its certificate.

use crate::settings::Identity;
use rustls::client::Resumption;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
    SignatureScheme, version,
};
use std::sync::Arc;
use tokio_rustls::{TlsAcceptor, TlsConnector};

const HTTP: &[u8] = b"http/1.1";

/// Both directions of mutual TLS. Cheap to clone.
#[derive(Clone)]
pub(in crate::http) struct Tls {
    pub(in crate::http) acceptor: TlsAcceptor,
    pub(in crate::http) connector: TlsConnector,
    /// What every replica's certificate holds; without it, the host that was dialled.
    name: Option<ServerName<'static>>,
}

impl Tls {
    /// # Errors
    /// What is wrong with which file, in words.
    pub(in crate::http) fn new(identity: &Identity, name: Option<&str>) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        for certificate in certificates("cluster.ca_file", &identity.ca)? {
            roots.add(certificate).map_err(|e| format!("`cluster.ca_file` holds no authority: {e}"))?;
        }
        let roots = Arc::new(roots);
        let own = certificates("cluster.cert_file", &identity.certificates)?;
        let key = PrivateKeyDer::from_pem_slice(identity.key.reveal().as_bytes())
            .map_err(|_| "`cluster.key_file` holds no private key in PEM".to_owned())?;
        let name = name.map(|name| ServerName::try_from(name.to_owned())).transpose();
        let name = name.map_err(|e| format!("`cluster.name` is no DNS name: {e}"))?;
        let unfit = |e: Error| format!("`cluster.cert_file` and `cluster.key_file` do not fit: {e}");
        let server = server(&provider, &roots, &name, own.clone(), key.clone_key()).map_err(unfit)?;
        let client = client(&provider, &roots, own, key).map_err(unfit)?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(server)),
            connector: TlsConnector::from(Arc::new(client)),
            name,
        })
    }

    /// Whom the certificate of the replica at this address (`host:port`) must name.
    pub(in crate::http) fn whom(&self, address: &str) -> Option<ServerName<'static>> {
        if let Some(name) = &self.name {
            return Some(name.clone());
        }
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        ServerName::try_from(host.to_owned()).ok()
    }
}

fn certificates(key: &str, text: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match read {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err(format!("`{key}` holds no certificates in PEM")),
    }
}

fn server(
    provider: &Arc<CryptoProvider>,
    roots: &Arc<RootCertStore>,
    name: &Option<ServerName<'static>>,
    own: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, Error> {
    let signed = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider))
        .build()
        .map_err(|e| Error::General(e.to_string()))?;
    let verifier: Arc<dyn ClientCertVerifier> = match name {
        Some(name) => Arc::new(Named { signed, name: name.clone() }),
        None => signed,
    };
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(own, key)?;
    config.alpn_protocols = vec![HTTP.to_vec()];
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn client(
    provider: &Arc<CryptoProvider>,
    roots: &Arc<RootCertStore>,
    own: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ClientConfig, Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&version::TLS13])?
        .with_root_certificates(Arc::clone(roots))
        .with_client_auth_cert(own, key)?;
    config.alpn_protocols = vec![HTTP.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Asks of whoever comes in that its certificate holds the replicas' name, beside being signed by their authority.
#[derive(Debug)]
struct Named {
    signed: Arc<dyn ClientCertVerifier>,
    name: ServerName<'static>,
}

impl ClientCertVerifier for Named {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.signed.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.signed.verify_client_cert(end_entity, intermediates, now)?;
        rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, &self.name)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signed.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Secret;

    fn papers() -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["tieline.internal".to_owned()]).unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn what_is_wrong_is_said_with_its_key_and_without_the_private_one() {
        let ((certificate, key), (_, other)) = (papers(), papers());
        let wrong = |ca: &str, certificates: &str, key: &str, name| {
            let identity = Identity {
                ca: ca.to_owned(),
                certificates: certificates.to_owned(),
                key: Secret::new(key.to_owned()),
            };
            Tls::new(&identity, name).err().unwrap_or_default()
        };
        assert_eq!(wrong(&certificate, &certificate, &key, Some("tieline.internal")), "");
        for (said, names) in [
            (wrong("nothing", &certificate, &key, None), "`cluster.ca_file`"),
            (wrong(&certificate, &key, &key, None), "`cluster.cert_file`"),
            (wrong(&certificate, &certificate, "words", None), "`cluster.key_file`"),
            (wrong(&certificate, &certificate, &other, None), "`cluster.cert_file` and `cluster.key_file`"),
            (wrong(&certificate, &certificate, &key, Some("no name")), "`cluster.name`"),
        ] {
            assert!(said.starts_with(names) && !said.contains("words"), "{names}: {said}");
        }
    }

    #[test]
    fn a_replica_shows_the_common_name_or_the_host_it_is_dialled_at() {
        let (certificate, key) = papers();
        let identity = Identity { ca: certificate.clone(), certificates: certificate, key: Secret::new(key) };
        let whom = |name, address: &str| {
            let tls = Tls::new(&identity, name).unwrap();
            tls.whom(address).map(|name| name.to_str().into_owned())
        };
        assert_eq!(whom(None, "tieline-0.internal:8443").as_deref(), Some("tieline-0.internal"));
        assert_eq!(whom(None, "10.1.2.3:8443").as_deref(), Some("10.1.2.3"));
        assert_eq!(whom(None, "[::1]:8443").as_deref(), Some("::1"));
        assert_eq!(whom(Some("tieline.internal"), "10.1.2.3:8443").as_deref(), Some("tieline.internal"));
        assert_eq!(whom(None, "no host:8443"), None);
    }
}
