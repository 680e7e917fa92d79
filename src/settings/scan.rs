//! Section `scan`.

use super::{Problems, Span};
use schemars::JsonSchema;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Who looks for viruses in files that are sent in chats (B18).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scan {
    /// Where ClamAV's clamd listens: an address and port (`127.0.0.1:3310`) or the path of its socket
    /// (`/run/clamav/clamd.ctl`). Its `StreamMaxLength` must not be below the largest file of a queue. Default none:
    /// files are not scanned.
    pub clamd: Option<String>,
    /// A file must be scanned within this. Default "20s".
    pub timeout: Span,
    /// While clamd does not answer, files are refused; otherwise they are taken unscanned. Default true.
    pub required: bool,
}

/// Where a scanner listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scanner {
    /// On TCP.
    Tcp(SocketAddr),
    /// On a socket in the file system.
    Unix(PathBuf),
}

impl Default for Scan {
    fn default() -> Self {
        Self { clamd: None, timeout: Span::secs(20), required: true }
    }
}

impl Scan {
    /// The scanner; `None` when files are not scanned.
    #[must_use]
    pub fn scanner(&self) -> Option<Scanner> {
        let clamd = self.clamd.as_deref()?;
        if Path::new(clamd).is_absolute() {
            return Some(Scanner::Unix(clamd.into()));
        }
        clamd.parse().ok().map(Scanner::Tcp)
    }

    pub(super) fn validate(&self, problems: &mut Problems) {
        if let Some(clamd) = &self.clamd
            && self.scanner().is_none()
        {
            problems.add(
                "scan.clamd",
                format!("is \"{clamd}\""),
                "write an address with a port, such as 127.0.0.1:3310, or the whole path of a socket",
            );
        }
        problems.span("scan.timeout", self.timeout, Span::ms(100)..=Span::mins(2));
    }
}
