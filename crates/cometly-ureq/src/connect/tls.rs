//! TLS as ureq does it, by the feature that is on.

use ureq::{
    Error,
    unversioned::transport::{ConnectionDetails, Transport},
};

#[derive(Debug, Default)]
pub(super) struct Tls {
    #[cfg(feature = "rustls")]
    connector: ureq::unversioned::transport::RustlsConnector,
    #[cfg(all(feature = "native-tls", not(feature = "rustls")))]
    connector: ureq::unversioned::transport::NativeTlsConnector,
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
impl Tls {
    pub(super) fn wrap(
        &self,
        details: &ConnectionDetails<'_>,
        transport: Box<dyn Transport>,
    ) -> Result<Box<dyn Transport>, Error> {
        use ureq::unversioned::transport::Connector as _;
        let wrapped = self.connector.connect(details, Some(transport))?.ok_or(Error::TlsRequired)?;
        Ok(wrapped.boxed())
    }
}

#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
#[expect(clippy::unused_self, reason = "as with a feature")]
impl Tls {
    pub(super) fn wrap(&self, _: &ConnectionDetails<'_>, _: Box<dyn Transport>) -> Result<Box<dyn Transport>, Error> {
        Err(Error::TlsRequired)
    }
}
