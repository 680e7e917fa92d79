//! Keys and certificates made at the run: an RSA pair for an app, and a CA with a server certificate for https.
//! Nothing here is written to disk.

use jwt_compact::alg::RsaPublicKey;
use jwt_compact::jwk::JsonWebKey;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256, RsaKeySize,
};
use std::borrow::Cow;

/// What can go wrong with keys.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key or certificate could not be made.
    #[error("a key or certificate could not be made: {0}")]
    Make(#[from] rcgen::Error),
    /// A text that is neither a certificate nor a public key with RSA inside.
    #[error("neither a PEM certificate nor a PEM public key with RSA inside")]
    Read,
    /// TLS could not be set up.
    #[error("TLS could not be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// An RSA key pair of 2,048 bits and its self-signed certificate, as an integrator would make for an app.
#[derive(Clone)]
pub struct AppKey {
    /// The private key, PKCS#8 PEM.
    pub private_pem: String,
    /// The public key, SPKI PEM.
    pub public_pem: String,
    /// The certificate, PEM.
    pub certificate_pem: String,
}

impl std::fmt::Debug for AppKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AppKey(***)")
    }
}

impl AppKey {
    /// Makes a pair. Takes a good part of a second.
    ///
    /// # Errors
    /// The cryptographic library refused.
    pub fn generate() -> Result<Self, Error> {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Tieline sandbox app");
        let certificate_pem = params.self_signed(&key)?.pem();
        Ok(Self { private_pem: key.serialize_pem(), public_pem: key.public_key_pem(), certificate_pem })
    }
}

/// A certificate authority of the run and a server certificate it signed.
pub struct Authority {
    /// The CA's certificate, PEM, for clients to trust.
    pub ca_pem: String,
    /// The server's certificate, PEM.
    pub server_pem: String,
    server_key: KeyPair,
    server_der: rustls::pki_types::CertificateDer<'static>,
}

impl Authority {
    /// Makes a CA and a certificate for these names and addresses.
    ///
    /// # Errors
    /// The cryptographic library refused.
    pub fn generate(names: &[String]) -> Result<Self, Error> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        params.distinguished_name.push(DnType::CommonName, "Tieline sandbox CA");
        let ca_key = KeyPair::generate()?;
        let ca_pem = params.self_signed(&ca_key)?.pem();
        let issuer = Issuer::new(params, ca_key);
        let mut params = CertificateParams::new(names.to_vec())?;
        params.distinguished_name.push(DnType::CommonName, "Tieline sandbox");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let server_key = KeyPair::generate()?;
        let server = params.signed_by(&server_key, &issuer)?;
        Ok(Self { ca_pem, server_pem: server.pem(), server_der: server.der().clone(), server_key })
    }

    /// What a TLS listener needs.
    ///
    /// # Errors
    /// rustls refused the certificate or key.
    pub fn server_config(&self) -> Result<rustls::ServerConfig, Error> {
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(self.server_key.serialize_der());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![self.server_der.clone()], key.into())?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// The RSA key in a PEM certificate or PEM public key.
///
/// # Errors
/// It is neither.
pub fn rsa_public(pem: &str) -> Result<RsaPublicKey, Error> {
    let (label, der) = der_of(pem).ok_or(Error::Read)?;
    let spki = match label {
        "CERTIFICATE" => spki_of_certificate(&der).ok_or(Error::Read)?,
        "PUBLIC KEY" => Element::read(&der).ok_or(Error::Read)?.0,
        _ => return Err(Error::Read),
    };
    let (modulus, exponent) = rsa_of_spki(&spki).ok_or(Error::Read)?;
    let jwk = JsonWebKey::Rsa {
        modulus: Cow::Borrowed(modulus),
        public_exponent: Cow::Borrowed(exponent),
        private_parts: None,
    };
    RsaPublicKey::try_from(&jwk).map_err(|_| Error::Read)
}

fn der_of(pem: &str) -> Option<(&str, Vec<u8>)> {
    use base64::Engine as _;
    let rest = pem.split_once("-----BEGIN ")?.1;
    let (label, rest) = rest.split_once("-----")?;
    let body: String = rest.split_once("-----END")?.0.split_whitespace().collect();
    Some((label, base64::engine::general_purpose::STANDARD.decode(body).ok()?))
}

/// One DER element: tag and content. Just enough of ASN.1 to walk from a certificate to its key.
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
}

impl<'a> Element<'a> {
    fn read(der: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&tag, rest) = der.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (len, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let len =
                bytes.iter().try_fold(0usize, |n, b| n.checked_mul(256)?.checked_add(usize::from(*b)))?;
            (len, rest)
        };
        let (content, rest) = rest.split_at_checked(len)?;
        Some((Self { tag, content }, rest))
    }
}

fn spki_of_certificate(der: &[u8]) -> Option<Element<'_>> {
    let (certificate, _) = Element::read(der)?;
    let (tbs, _) = Element::read(certificate.content)?;
    let mut rest = tbs.content;
    let (first, after) = Element::read(rest)?;
    if first.tag == 0xa0 {
        rest = after;
    }
    // Serial, signature algorithm, issuer, validity, subject; then the key.
    for _ in 0..5 {
        rest = Element::read(rest)?.1;
    }
    Some(Element::read(rest)?.0)
}

fn rsa_of_spki<'a>(spki: &Element<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let (_, rest) = Element::read(spki.content)?;
    let (bits, _) = Element::read(rest)?;
    let key = bits.content.strip_prefix(&[0])?;
    let (sequence, _) = Element::read(key)?;
    let (modulus, rest) = Element::read(sequence.content)?;
    let (exponent, _) = Element::read(rest)?;
    let bare = |n: &'a [u8]| n.strip_prefix(&[0]).unwrap_or(n);
    (modulus.tag == 2 && exponent.tag == 2).then(|| (bare(modulus.content), bare(exponent.content)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_in_a_certificate_is_the_key_itself() {
        let key = AppKey::generate().unwrap();
        assert_eq!(rsa_public(&key.certificate_pem).unwrap(), rsa_public(&key.public_pem).unwrap());
        assert!(rsa_public(&key.private_pem).is_err());
        assert!(rsa_public("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----").is_err());
    }
}
