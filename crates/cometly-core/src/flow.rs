//! Jobs of more than one call as values: all pages of a list, an export from order to file.
//!
//! An [`Endpoint`] is one call with the type of its answer.

use bytes::Bytes;

use crate::{Api, Call, DecodeError, Reply};

mod export_job;
mod pages;

pub use export_job::{DownloadUrl, Export, ExportId, ExportOrder, ExportOrdered, ExportStatus, InvalidExportId};
pub use pages::{Cursor, InvalidCursor, Page};

/// One call with the type of its answer: what an SDK is made of.
///
/// ```
/// use cometly_core::{Api, Call, DecodeError, Endpoint, Reply, bytes::Bytes};
///
/// /// `GET companies/{id}`: the name of a company.
/// struct CompanyName(u64);
///
/// impl Endpoint for CompanyName {
///     type Output = String;
///
///     fn call(&self, api: &Api) -> Call {
///         api.get("companies/{id}").segment(self.0)
///     }
///
///     fn read(&self, reply: &Reply<Bytes>) -> Result<String, DecodeError> {
///         #[derive(serde::Deserialize)]
///         struct Company {
///             name: String,
///         }
///         Ok(reply.json::<Company>()?.name)
///     }
/// }
/// ```
pub trait Endpoint {
    /// What the answer is read as.
    type Output;

    /// The call to send.
    fn call(&self, api: &Api) -> Call;

    /// Reads a success.
    ///
    /// # Errors
    /// [`DecodeError`] if the answer is not what was expected.
    fn read(&self, reply: &Reply<Bytes>) -> Result<Self::Output, DecodeError>;
}

/// A reference is as good.
impl<E: Endpoint + ?Sized> Endpoint for &E {
    type Output = E::Output;

    fn call(&self, api: &Api) -> Call {
        (**self).call(api)
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<Self::Output, DecodeError> {
        (**self).read(reply)
    }
}
