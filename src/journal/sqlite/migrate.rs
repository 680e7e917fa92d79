//! Brings the tables up to date, one numbered file after the other, each in its own transaction. Files only grow in
//! number; one that was released is never edited.

use super::writer::Writer;
use crate::journal::Error;
use sqlx::AssertSqlSafe;

const MIGRATIONS: &[&str] = &[include_str!("migrations/0001_journal.sql")];

/// "TiLn": what `file` and other tools see, and what keeps us out of other people's databases.
const APPLICATION_ID: i64 = 0x5469_4c6e;

pub(super) async fn run(writer: &mut Writer) -> Result<(), Error> {
    let at: i64 = writer.scalar("PRAGMA user_version").await?;
    let application: i64 = writer.scalar("PRAGMA application_id").await?;
    let tables: i64 = writer.scalar("SELECT count(*) FROM sqlite_schema").await?;
    if application != APPLICATION_ID && tables > 0 {
        return Err(Error::Refused("this database is not a journal of Tieline; name another file".into()));
    }
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    if at > MIGRATIONS.len() {
        return Err(Error::Refused(format!(
            "a newer version wrote this journal (tables {at}, this version knows {}); start that version or newer",
            MIGRATIONS.len()
        )));
    }
    for (index, sql) in MIGRATIONS.iter().enumerate().skip(at) {
        let number = index + 1;
        let script = format!(
            "BEGIN IMMEDIATE;\n{sql}\nPRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {number};\nCOMMIT;"
        );
        // Made of the files above and two numbers.
        writer.outside(AssertSqlSafe(script)).await?;
    }
    Ok(())
}
