//! An export: ordered, looked after until it is done, and then a file.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, Visitor},
};

use crate::{Api, Call, Endpoint, error::debug_as_display};

/// What orders an export, and how to ask after it.
pub trait ExportOrder: Endpoint<Output = ExportOrdered> {
    /// The call that says how far the export is.
    fn status_call(api: &Api, id: &ExportId) -> Call;
}

/// The id of an export. Written down, it lets another process go on with [`ExportJob::resume`](crate::ExportJob::resume).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ExportId(Box<str>);

/// A text that is no [`ExportId`].
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no export id: expected 1 to 128 letters, digits, - and _")]
pub struct InvalidExportId(());

debug_as_display!(InvalidExportId);

impl FromStr for ExportId {
    type Err = InvalidExportId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if (1..=128).contains(&text.len()) && text.bytes().all(is_plain) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidExportId(()))
        }
    }
}

impl fmt::Display for ExportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ExportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExportId({})", self.0)
    }
}

/// How far an export is. A struct and no enum, so that a new status breaks nothing.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ExportStatus(Cow<'static, str>);

impl ExportStatus {
    /// It waits for its turn.
    pub const QUEUED: Self = Self(Cow::Borrowed("queued"));
    /// It is being written.
    pub const PROCESSING: Self = Self(Cow::Borrowed("processing"));
    /// It is a file.
    pub const COMPLETED: Self = Self(Cow::Borrowed("completed"));
    /// It will not be a file.
    pub const FAILED: Self = Self(Cow::Borrowed("failed"));

    const KNOWN: [Self; 4] = [Self::QUEUED, Self::PROCESSING, Self::COMPLETED, Self::FAILED];

    /// The status as the API writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExportStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ExportStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExportStatus({:?})", self.0)
    }
}

/// Where the file of an export is, for 15 minutes: whoever has the URL has the file, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct DownloadUrl(Box<str>);

impl DownloadUrl {
    /// The URL, to be handled like a secret.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }
}

impl From<&str> for DownloadUrl {
    fn from(url: &str) -> Self {
        Self(url.into())
    }
}

impl fmt::Debug for DownloadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DownloadUrl([redacted])")
    }
}

/// The answer to the order of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportOrdered {
    /// By which it is asked after.
    pub export_id: ExportId,
    /// Mostly [`ExportStatus::QUEUED`].
    pub status: ExportStatus,
}

/// How far an export is, and once it is completed, where its file is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Export {
    /// By which it is asked after.
    pub export_id: ExportId,
    /// How far it is.
    pub status: ExportStatus,
    /// When it was ordered, as the API writes it: ISO 8601.
    pub created_at: Option<String>,
    /// What the API says of it.
    pub message: Option<String>,
    /// Where the file is, once it is completed.
    pub download_url: Option<DownloadUrl>,
    /// When it was completed.
    pub completed_at: Option<String>,
    /// Until when the URL is valid.
    pub expires_at: Option<String>,
}

impl<'de> Deserialize<'de> for ExportOrdered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Export { export_id, status, .. } = Export::deserialize(deserializer)?;
        Ok(Self { export_id, status })
    }
}

const FIELDS: &[&str] = &["export_id", "status", "created_at", "message", "download_url", "completed_at", "expires_at"];

impl<'de> Deserialize<'de> for Export {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Export;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an export")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Export, A::Error> {
                let (mut export_id, mut status): (Option<String>, Option<String>) = (None, None);
                let (mut created_at, mut message, mut completed_at, mut expires_at) = (None, None, None, None);
                let mut url: Option<String> = None;
                while let Some(name) = map.next_key::<String>()? {
                    match &*name {
                        "export_id" => export_id = Some(map.next_value()?),
                        "status" => status = Some(map.next_value()?),
                        "created_at" => created_at = map.next_value()?,
                        "message" => message = map.next_value()?,
                        "download_url" => url = map.next_value()?,
                        "completed_at" => completed_at = map.next_value()?,
                        "expires_at" => expires_at = map.next_value()?,
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                let export_id = export_id.ok_or_else(|| de::Error::missing_field("export_id"))?;
                let status = status.ok_or_else(|| de::Error::missing_field("status"))?;
                let known = ExportStatus::KNOWN.into_iter().find(|known| known.0 == status);
                Ok(Export {
                    export_id: export_id.parse().map_err(de::Error::custom)?,
                    status: known.unwrap_or(ExportStatus(Cow::Owned(status))),
                    created_at,
                    message,
                    download_url: url.map(|url| DownloadUrl(url.into())),
                    completed_at,
                    expires_at,
                })
            }
        }
        deserializer.deserialize_struct("Export", FIELDS, Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_is_read_with_a_status_that_may_be_new() {
        let read = |json: &str| serde_json::from_str::<Export>(json);
        let export = read(r#"{"export_id":"a-1","status":"paused","message":null,"new":1}"#).unwrap();
        assert_eq!((export.export_id.to_string().as_str(), export.status.as_str()), ("a-1", "paused"));
        let done =
            read(r#"{"export_id":"a-1","status":"completed","download_url":"https://canary.example/"}"#).unwrap();
        assert_eq!(done.status, ExportStatus::COMPLETED);
        assert!(!format!("{done:?}").contains("canary"));
        for json in
            [r#"{"status":"queued"}"#, r#"{"export_id":"a"}"#, r#"{"export_id":"../x","status":"queued"}"#, "[]"]
        {
            assert!(read(json).is_err(), "{json}");
        }
    }
}
