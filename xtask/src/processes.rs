//! Programs that run beside this one: each in a process group of its own, ended by its own id, never by a name.

use anyhow::{Context, Result, bail};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A program that was started here and ends with this value.
pub(crate) struct Running {
    name: &'static str,
    child: Child,
}

impl Running {
    /// Starts a program. Its own group keeps a Ctrl-C at the terminal from reaching it before us.
    pub(crate) fn start(name: &'static str, command: &mut Command) -> Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name} ({})", command.get_program().display()))?;
        Ok(Self { name, child })
    }

    /// Fails when the program has ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait().with_context(|| format!("{} cannot be watched", self.name))? {
            Some(status) => bail!("{} ended by itself ({status}); what it printed above says why", self.name),
            None => Ok(()),
        }
    }

    /// Waits until the program has ended by itself, as it should.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let status = self.child.wait().with_context(|| format!("{} cannot be watched", self.name))?;
        if !status.success() {
            bail!("{} ended badly ({status}); what it printed above says why", self.name);
        }
        Ok(())
    }

    /// Asks the program to end, and makes it end when it does not.
    pub(crate) fn stop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
            return;
        }
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let until = Instant::now() + Duration::from_secs(if asked.is_ok() { 15 } else { 0 });
        while Instant::now() < until {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // It did not end in time or could not be asked; a failure here means that it is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}
