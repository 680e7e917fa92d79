//! Room that is kept for bad times: a file of nothing beside the journal, given up when the disk is full, so that the log
//! can be moved into the journal, and that a daemon can start.

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file that holds room.
pub(super) struct Ballast {
    path: PathBuf,
    bytes: u64,
}

impl Ballast {
    /// Beside a journal; with no bytes there is none.
    pub(super) fn beside(journal: &Path, bytes: u64) -> Self {
        let mut path = journal.as_os_str().to_owned();
        path.push("-ballast");
        Self { path: path.into(), bytes }
    }

    /// Takes the room where it leaves at least as much again.
    pub(super) fn take(&self) {
        let folder = self.path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let free = statvfs(folder).map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        if free >= self.bytes.saturating_mul(2) {
            self.take_back();
        }
    }

    /// Takes the room, if it is there.
    pub(super) fn take_back(&self) {
        if self.bytes == 0 || self.held() == self.bytes {
            return;
        }
        let made = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&self.path);
        let taken = made.map_err(|e| e.to_string()).and_then(|file| {
            fallocate(&file, FallocateFlags::empty(), 0, self.bytes).map_err(|e| e.to_string())
        });
        if let Err(error) = taken {
            self.give_up();
            tracing::warn!(path = %self.path.display(), %error, "no room could be kept for a full disk");
        }
    }

    /// Gives the room up; whether there was any.
    pub(super) fn give_up(&self) -> bool {
        let held = self.held() > 0;
        // What cannot be removed holds no less room than before, and the next write says so.
        let _ = std::fs::remove_file(&self.path);
        held
    }

    fn held(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |about| about.len())
    }
}
