//! Certificates, made when they are needed.

use std::{io, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};

use crate::BoxError;

/// A certificate authority of the suite's own.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A server's certificate and its key.
#[derive(Debug)]
pub struct ServerCertificate {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Authority {
    /// A new authority.
    ///
    /// # Errors
    /// If no key can be made.
    pub fn new() -> Result<Self, BoxError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "conformance authority");
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// Its certificate, as a certificate store holds it.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A valid certificate for these names or addresses.
    ///
    /// # Errors
    /// If a name is not one.
    pub fn issue(&self, names: &[&str]) -> Result<ServerCertificate, BoxError> {
        self.sign(params(names)?)
    }

    /// A certificate for these names or addresses that was valid once.
    ///
    /// # Errors
    /// If a name is not one.
    pub fn issue_expired(&self, names: &[&str]) -> Result<ServerCertificate, BoxError> {
        let mut params = params(names)?;
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Result<ServerCertificate, BoxError> {
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(ServerCertificate { certificate: certificate.der().clone(), key: key.serialize_der() })
    }
}

impl ServerCertificate {
    /// A certificate for these names or addresses that no authority signed.
    ///
    /// # Errors
    /// If a name is not one.
    pub fn self_signed(names: &[&str]) -> Result<Self, BoxError> {
        let key = KeyPair::generate()?;
        let certificate = params(names)?.self_signed(&key)?;
        Ok(Self { certificate: certificate.der().clone(), key: key.serialize_der() })
    }

    pub(super) fn server_config(&self) -> io::Result<Arc<ServerConfig>> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(vec![self.certificate.clone()], key))
            .map_err(io::Error::other)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn params(names: &[&str]) -> Result<CertificateParams, BoxError> {
    let names = names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "conformance server");
    Ok(params)
}
