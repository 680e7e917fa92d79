//! What `cargo xtask web` built: inside the binary in release, read from the disk in development.

use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Dist;

/// A built file by its path below `web/dist`. Paths that climb out name nothing.
pub(super) fn get(path: &str) -> Option<EmbeddedFile> {
    let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\\');
    path.split('/').all(plain).then(|| Dist::get(path)).flatten()
}

/// Nothing has been built.
pub(super) fn missing() -> bool {
    Dist::iter().next().is_none()
}
