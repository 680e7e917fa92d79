//! What is forwarded ends when its owner is another: a replica that froze holds its connections open for as long as it
//! likes, and who is at the other end waits for it.

use crate::journal::{Epoch, Part, Picture, Shard};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tieline_model::TenantId;
use tokio_util::sync::CancellationToken;

/// For each owner that something is forwarded to, a sign that it is the owner no longer.
#[derive(Default)]
pub(super) struct Lines(Mutex<BTreeMap<(Shard, Epoch), CancellationToken>>);

impl Lines {
    /// Cancelled when a contact centre's engine is held under another epoch than this, or by nobody.
    pub(super) fn to(&self, tenant: &TenantId, epoch: Epoch) -> CancellationToken {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.entry((Shard::of(tenant), epoch)).or_default().clone()
    }

    /// Cuts those whose owner this picture does not show. A line that was laid by an older picture is cut with the
    /// next one, a second later.
    pub(super) fn keep(&self, picture: &Picture) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(shard, epoch), line| {
            let stands = picture.holders.get(&(*shard, Part::Engines)).is_some_and(|h| h.epoch == *epoch);
            if !stands {
                line.cancel();
            }
            stands
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Holder;

    #[test]
    fn a_line_is_cut_when_its_owner_is_another_or_nobody() {
        let (acme, other): (TenantId, TenantId) = ("acme".parse().unwrap(), "other".parse().unwrap());
        let held = |epoch| {
            let holder = Holder { replica: uuid::Uuid::nil(), address: None, epoch: Epoch(epoch) };
            let mut picture = Picture::default();
            picture.holders.insert((Shard::of(&acme), Part::Engines), holder.clone());
            picture.holders.insert((Shard::of(&other), Part::Dispatch), holder);
            picture
        };
        let lines = Lines::default();
        let (old, same) = (lines.to(&acme, Epoch(3)), lines.to(&acme, Epoch(3)));
        let nobodys = lines.to(&other, Epoch(3));
        lines.keep(&held(3));
        assert!(!old.is_cancelled() && nobodys.is_cancelled(), "a dispatcher is not the owner of engines");
        let new = lines.to(&acme, Epoch(4));
        lines.keep(&held(4));
        assert!(old.is_cancelled() && same.is_cancelled() && !new.is_cancelled());
        lines.keep(&Picture::default());
        assert!(new.is_cancelled() && lines.0.lock().unwrap().is_empty());
    }
}
