//! What the exit status says; docs/operations.md lists it for operators, and the service file reads it.

use super::drain::Hurried;
use crate::{drive, settings};
use std::process::ExitCode;

/// Settings that will not do (`EX_CONFIG`): starting again changes nothing until somebody changes them.
const SETTINGS: u8 = 78;
/// Anything else; standard error says what.
const FAILED: u8 = 1;

/// Marks an error as one of the settings.
#[derive(Debug, thiserror::Error)]
#[error("the settings will not do")]
pub(super) struct WrongSettings;

/// The journal's disk failed under the running daemon.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0}; the process ends at once, nothing that was acknowledged is lost, look at the disk and the system's log"
)]
pub(super) struct Lost(pub(super) crate::journal::Error);

/// The status for an error.
pub(super) fn of(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(code(error))
}

/// Whether nothing is waited for any more: somebody stopped the daemon twice, or its disk failed.
pub(super) fn in_a_hurry(ended: &anyhow::Result<()>) -> bool {
    ended.as_ref().is_err_and(|error| error.is::<Hurried>() || error.is::<Lost>())
}

fn code(error: &anyhow::Error) -> u8 {
    let refused = matches!(error.downcast_ref(), Some(drive::Error::Settings(_)));
    if refused || error.is::<settings::Error>() || error.is::<WrongSettings>() {
        return SETTINGS;
    }
    error.downcast_ref::<Hurried>().map_or(FAILED, |hurried| hurried.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn settings_that_will_not_do_are_told_apart_from_what_may_pass() {
        let wrong = settings::load_text("[bus]\nprefetch = 0", std::collections::HashMap::new()).unwrap_err();
        assert_eq!(code(&wrong.into()), 78);
        let connector = anyhow::anyhow!("connections.crm.salesforce: no").context(WrongSettings);
        assert_eq!(code(&connector), 78);
        let refused = tieline_model::Refusal::new(tieline_model::Code::WrongState, "a queue with open chats");
        assert_eq!(code(&drive::Error::Settings(refused).into()), 78);
        let disk = Err::<(), _>(std::io::Error::other("no disk")).context("the journal").unwrap_err();
        assert_eq!(code(&disk), 1);
    }
}
