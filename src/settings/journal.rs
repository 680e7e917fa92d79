//! Section `journal`.

use super::Problems;
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

/// Where the journal is kept. Relative paths start at the working directory.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Journal {
    /// The SQLite file; its directory is made if it is missing. Default `tieline-data/journal.db`.
    pub path: PathBuf,
    /// File with the master key under which content is encrypted; made with mode 0600 at the first start. Keep a
    /// copy apart from the journal's backups: without it their content cannot be read. Default
    /// `tieline-data/journal.key`.
    pub key_file: PathBuf,
}

impl Default for Journal {
    fn default() -> Self {
        Self { path: "tieline-data/journal.db".into(), key_file: "tieline-data/journal.key".into() }
    }
}

impl Journal {
    pub(super) fn validate(&self, problems: &mut Problems) {
        for (key, path) in [("journal.path", &self.path), ("journal.key_file", &self.key_file)] {
            if path.as_os_str().is_empty() {
                problems.add(key, "is empty", "name a file");
            }
        }
        if self.path == self.key_file {
            problems.add(
                "journal.key_file",
                format!("is the journal itself (\"{}\")", self.path.display()),
                "name a file of its own",
            );
        }
    }
}
