//! What PostgreSQL's errors mean to whoever uses a store.

use crate::journal::Error;
use std::io::ErrorKind;

/// In what an error happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Something that may be asked again: a read, taking a tenant over, leases.
    Again,
    /// A statement that is its own transaction, so that its answer is the answer of its COMMIT.
    Commit,
}

/// A row of the journal stands where this commit's belongs.
const JOURNAL_KEY: &str = "journal_pkey";

/// What an error of the library means.
pub(super) fn meaning(e: sqlx::Error, access: Access) -> Error {
    if let sqlx::Error::Database(e) = &e {
        let code = e.code().unwrap_or_default();
        return by_code(&code, e.constraint(), e.message(), access);
    }
    let text = e.to_string();
    if session_survives(&e) {
        // It arrived and is not what it should be.
        return Error::Unreadable(text);
    }
    // The connection ended or was silent too long. Whatever was asked may have been done.
    lost(text, access)
}

fn lost(text: String, access: Access) -> Error {
    match access {
        Access::Again => Error::Unreachable(text),
        Access::Commit => Error::Unknown(text),
    }
}

/// The server's own word is a certain one: it speaks of an error only after it has rolled back.
fn by_code(code: &str, constraint: Option<&str>, message: &str, access: Access) -> Error {
    let text = format!("{message} (PostgreSQL {code})");
    match (code, access) {
        // A pooler between us and the server lost the server, or says itself that it does not know.
        ("40003", _) => lost(text, access),
        (code, _) if code.starts_with("08") => lost(text, access),
        // An earlier commit of ours, whose outcome nobody knew, was kept after all: what was decided since is wrong.
        ("23505", Access::Commit) if constraint == Some(JOURNAL_KEY) => Error::Unknown(text),
        // Shutting down, restarting, no connection left, or a standby: another moment or another machine.
        ("57P01" | "57P02" | "57P03" | "57P05" | "25006" | "53300" | "25P03", _) => Error::Unreachable(text),
        ("53100", Access::Commit) => Error::Full,
        // Too slow, in each other's way, out of memory or disk: for what may be asked again that is a matter of time.
        ("57014" | "55P03" | "40001" | "40P01" | "53100" | "53200" | "53400", Access::Again) => {
            Error::Unreachable(text)
        }
        (_, Access::Again | Access::Commit) => Error::Refused(text),
    }
}

/// Whether the session can be used on after an error: the server answered, and is still there.
pub(super) fn session_survives(e: &sqlx::Error) -> bool {
    if let sqlx::Error::Database(e) = e {
        let code = e.code().unwrap_or_default();
        // 25006: it turned into a standby under us; 25P03 and 57P…: it says good-bye.
        return !code.starts_with("08") && !code.starts_with("57P") && code != "25006" && code != "25P03";
    }
    matches!(
        e,
        sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::Encode(_)
            | sqlx::Error::RowNotFound
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
    )
}

/// A connection was silent for longer than anything may take.
pub(super) fn silence() -> sqlx::Error {
    let why = "the server did not answer in time; its machine or the network between is overloaded or gone";
    sqlx::Error::Io(std::io::Error::new(ErrorKind::TimedOut, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_mean_what_drive_must_do() {
        let of = |code, access| by_code(code, None, "x", access);
        assert!(matches!(of("53100", Access::Commit), Error::Full));
        assert!(matches!(of("53100", Access::Again), Error::Unreachable(_)));
        for code in ["40001", "40P01", "57014", "55P03", "23505", "22021"] {
            assert!(matches!(of(code, Access::Commit), Error::Refused(_)), "{code}");
        }
        for code in ["57P01", "57P03", "53300", "25006"] {
            assert!(matches!(of(code, Access::Commit), Error::Unreachable(_)), "{code}");
            assert!(matches!(of(code, Access::Again), Error::Unreachable(_)), "{code}");
        }
        assert!(matches!(of("08006", Access::Commit), Error::Unknown(_)));
        assert!(matches!(of("08006", Access::Again), Error::Unreachable(_)));
        assert!(matches!(of("40003", Access::Commit), Error::Unknown(_)));
        assert!(matches!(of("42P01", Access::Again), Error::Refused(_)));
        let there = by_code("23505", Some("journal_pkey"), "x", Access::Commit);
        assert!(matches!(there, Error::Unknown(_)), "a row that is there is not ours for certain");
        assert!(matches!(meaning(silence(), Access::Commit), Error::Unknown(_)));
        assert!(matches!(meaning(silence(), Access::Again), Error::Unreachable(_)));
        assert!(matches!(meaning(sqlx::Error::RowNotFound, Access::Again), Error::Unreadable(_)));
    }
}
