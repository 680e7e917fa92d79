//! Section `journal`.

use super::{Problems, Secret, Span};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JournalKind {
    /// A file on this machine, for one process.
    #[default]
    Sqlite,
    /// A database that several machines share.
    Postgres,
}

/// Where the journal is kept. Relative paths start at the working directory. `path` matters for SQLite, `url` and what
/// comes after it for PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Journal {
    /// `sqlite` or `postgres`. Default `sqlite`.
    pub kind: JournalKind,
    /// The SQLite file; its directory is made if it is missing. Default `tieline-data/journal.db`.
    pub path: PathBuf,
    /// File with the master key under which content is encrypted; made with mode 0600 at the first start. Keep a
    /// copy apart from the journal's backups: without it their content cannot be read. Machines that share a database
    /// need the same file. Default `tieline-data/journal.key`.
    pub key_file: PathBuf,
    /// Bytes of a file beside the journal (`-ballast`) that is given up when the disk is full, so that the log can still
    /// be moved into the journal and a daemon can still start; 0 keeps none. Default 16777216.
    pub ballast_bytes: u64,
    /// Address of the database with user and password
    /// (`postgres://user:password@host:5432/database?sslmode=verify-full`). It must lead to the primary, and not through
    /// a pooler that hands out sessions by the transaction. Default: the database `tieline` of this machine.
    #[schemars(with = "String")]
    pub url: Secret,
    /// File that holds `url`, in its place. At most one of the two is set.
    pub url_file: Option<PathBuf>,
    /// The schema the tables are in; made if it is missing. Default `tieline`.
    pub schema: String,
    /// How many sessions with the database may write at once. Default 8.
    pub writers: u32,
    /// How many sessions with the database may read at once. Default 8.
    pub readers: u32,
    /// A connection attempt that takes longer is given up. Default "5s".
    pub connect_within: Span,
    /// The database ends a statement that takes longer, waiting for others included. Default "10s".
    pub statement_within: Span,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            kind: JournalKind::Sqlite,
            path: "tieline-data/journal.db".into(),
            key_file: "tieline-data/journal.key".into(),
            url: Secret::new(DEFAULT_URL),
            url_file: None,
            schema: "tieline".to_owned(),
            writers: 8,
            readers: 8,
            connect_within: Span::secs(5),
            statement_within: Span::secs(10),
            ballast_bytes: 16 << 20,
        }
    }
}

pub(super) const DEFAULT_URL: &str = "postgres://tieline@127.0.0.1:5432/tieline";

/// PostgreSQL cuts longer names.
const SCHEMA_CHARS_MAX: usize = 63;

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
        let url = self.url.reveal();
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            problems.add(
                "journal.url",
                "does not begin with postgres:// or postgresql://",
                "write postgres://user:password@host:5432/database, or name a file in `journal.url_file`",
            );
        }
        let usual = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let starts_well = self.schema.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
        // Names with this start are the server's own.
        let reserved = self.schema.starts_with("pg_");
        if !starts_well || reserved || self.schema.len() > SCHEMA_CHARS_MAX || !self.schema.chars().all(usual)
        {
            problems.add(
                "journal.schema",
                format!("is \"{}\"", self.schema),
                format!(
                    "use at most {SCHEMA_CHARS_MAX} small letters, digits and underscores, a letter first and not `pg_`"
                ),
            );
        }
        problems.count("journal.writers", self.writers.into(), 1..=100);
        problems.count("journal.readers", self.readers.into(), 1..=100);
        problems.span("journal.connect_within", self.connect_within, Span::ms(100)..=Span::mins(1));
        problems.span("journal.statement_within", self.statement_within, Span::secs(1)..=Span::mins(5));
    }
}
