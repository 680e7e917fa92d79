//! A release takes the built pages into the binary; it must be built again when they were.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // In development the pages are read from the disk, and a missing folder would rebuild the daemon every time.
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo::rerun-if-changed=web/dist");
    }
}
