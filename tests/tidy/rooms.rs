//! Which room may import what. Cargo enforces it between crates; here it is enforced between the daemon's modules,
//! and for crates that only one room may name.

use crate::source::{Source, rust_sources};
use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeSet;
use syn::visit::Visit;

/// A room of the daemon and what it may name beside itself and `settings`.
struct Room {
    name: &'static str,
    /// Other rooms, `room` as a whole or `room::Item`.
    rooms: &'static [&'static str],
    /// Crates of the workspace beside `tieline_model`: as a whole, or one item.
    crates: &'static [&'static str],
}

// `drive::Handle` lends the engine out for reading, so whoever holds the handle may name what it reads.

/// What `drive` shows to rooms that only talk to it.
const DRIVE: [&str; 8] = [
    "drive::Handle",
    "drive::Request",
    "drive::Done",
    "drive::Observer",
    "drive::Whereabouts",
    "drive::content",
    "drive::person",
    "drive::trace",
];

/// The type of whatever may not be printed; settings are full of it.
const SECRET: &str = "tieline_connector_api::Secret";

const ROOMS: [Room; 8] = [
    Room { name: "settings", rooms: &[], crates: &[SECRET] },
    Room { name: "journal", rooms: &[], crates: &[] },
    Room { name: "drive", rooms: &["journal"], crates: &["tieline_engine"] },
    Room { name: "bus", rooms: &["journal", "drive::*"], crates: &["tieline_connector_api"] },
    Room {
        name: "dispatch",
        rooms: &["journal", "bus", "drive::*"],
        crates: &["tieline_connector_api", "tieline_engine"],
    },
    Room { name: "auth", rooms: &["journal"], crates: &[SECRET] },
    // Of the journal `http` reads history, and names what the observer of `drive` is shown.
    Room {
        name: "http",
        rooms: &["auth", "drive::*", "dispatch::Handle", "journal"],
        crates: &["tieline_engine"],
    },
    Room {
        name: "daemon",
        rooms: &["journal", "drive", "bus", "dispatch", "auth", "http"],
        crates: &[
            "tieline_engine",
            "tieline_connector_api",
            "tieline_dynamics",
            "tieline_salesforce",
            "tieline_sandbox",
            "tieline_zendesk",
        ],
    },
];

/// Crates and modules that only some rooms may name.
const RESERVED: [(&str, &[&str]); 9] = [
    ("axum", &["http"]),
    ("hyper", &["http"]),
    ("hyper_util", &["http"]),
    ("tower_http", &["http"]),
    ("rust_embed", &["http"]),
    ("lapin", &["bus"]),
    ("sqlx", &["journal"]),
    ("anyhow", &["daemon"]),
    ("std::env", &["settings"]),
];

/// What the pure crates may not name: anything that reads a clock, draws chance, waits, or touches the world.
const IMPURE: [&str; 10] = [
    "std::time",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "std::process",
    "tokio",
    "rand",
    "HashMap",
    "HashSet",
];

/// What a connector may not name: it never waits, retries, or touches bus or journal.
const NOT_FOR_CONNECTORS: [&str; 6] =
    ["tokio::time::sleep", "lapin", "sqlx", "axum", "tieline", "tieline_engine"];

#[test]
fn rooms_import_only_what_they_may() {
    let faults: Vec<_> = rust_sources(&["src"])
        .iter()
        .filter(|source| !source.path.starts_with("src/model/") && !source.path.starts_with("src/engine/"))
        .flat_map(room_faults)
        .collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn the_engine_and_the_model_touch_nothing() {
    let faults: Vec<_> = rust_sources(&["src/engine", "src/model"]).iter().flat_map(pure_faults).collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn connectors_only_speak_to_their_crm() {
    let faults: Vec<_> = rust_sources(&["connectors"])
        .iter()
        .filter(|source| !source.path.starts_with("connectors/api/"))
        .filter(|source| !source.path.starts_with("connectors/sandbox/"))
        .flat_map(|source| named_faults(source, &NOT_FOR_CONNECTORS, "a connector"))
        .collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn a_room_that_reaches_too_far_is_seen() {
    let source = Source::parse("src/auth/door.rs", include_str!("fixtures/room_reaches_too_far.rs"));
    let faults = room_faults(&source);
    let expected = [
        "crate::http",
        "crate::bus",
        "crate::drive::run",
        "sqlx",
        "std::env",
        "axum",
        "tieline_engine",
        "lapin",
    ];
    for path in expected {
        assert!(faults.iter().any(|fault| fault.contains(path)), "{path} was not seen: {faults:#?}");
    }
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
}

#[test]
fn an_engine_with_a_clock_is_seen() {
    let source = Source::parse("src/engine/clock.rs", include_str!("fixtures/engine_with_a_clock.rs"));
    let faults = pure_faults(&source);
    for path in ["std::time", "HashMap", "rand", "async", "await"] {
        assert!(faults.iter().any(|fault| fault.contains(path)), "{path} was not seen: {faults:#?}");
    }
}

fn room_faults(source: &Source) -> Vec<String> {
    let name = source.path.split('/').nth(1).unwrap_or_default();
    let room = ROOMS.iter().find(|room| room.name == name || format!("{}.rs", room.name) == name);
    let Some(room) = room else {
        // lib.rs only lists the rooms, main.rs only starts the daemon.
        let known = matches!(name, "lib.rs" | "main.rs");
        return if known { Vec::new() } else { vec![format!("{}: {name} is no room", source.path)] };
    };
    let mut faults = Vec::new();
    for path in paths(source) {
        if let Some(inner) = path.strip_prefix("crate::")
            && !may_name_room(room, inner)
        {
            faults.push(format!("{}: {} may not name {path}", source.path, room.name));
        }
        let first = path.split("::").next().unwrap_or_default();
        let may = |allowed: &&str| is_below(&path, allowed);
        if first.starts_with("tieline_") && first != "tieline_model" && !room.crates.iter().any(may) {
            faults.push(format!("{}: {} may not name {path}", source.path, room.name));
        }
        for (reserved, rooms) in RESERVED {
            if is_below(&path, reserved) && !rooms.contains(&room.name) {
                faults.push(format!(
                    "{}: only {} may name {reserved} ({path})",
                    source.path,
                    rooms.join(", ")
                ));
            }
        }
    }
    faults
}

fn may_name_room(room: &Room, inner: &str) -> bool {
    let first = inner.split("::").next().unwrap_or_default();
    if first == room.name || first == "settings" || ROOMS.iter().all(|other| other.name != first) {
        return true;
    }
    let open = |allowed: &str| allowed == first || is_below(inner, allowed);
    room.rooms.iter().any(|allowed| match allowed.strip_suffix("::*") {
        // What `drive` shows; naming the room alone (`use crate::drive;`) is no reach into it.
        Some("drive") => {
            inner == "drive" || inner == "drive::self" || DRIVE.iter().any(|item| is_below(inner, item))
        }
        Some(_) | None if allowed.contains("::") => inner == first || is_below(inner, allowed),
        Some(_) | None => open(allowed),
    })
}

fn pure_faults(source: &Source) -> Vec<String> {
    let mut faults = named_faults(source, &IMPURE, "the engine and the model");
    let mut waits = Waits::default();
    waits.visit_file(&source.ast);
    faults.extend(waits.seen.into_iter().map(|what| format!("{}: {what} in a pure crate", source.path)));
    faults
}

fn named_faults(source: &Source, banned: &[&str], who: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for path in paths(source) {
        for name in banned {
            if is_below(&path, name) || (!name.contains("::") && path.split("::").any(|part| part == *name)) {
                faults.push(format!("{}: {who} may not name {name} ({path})", source.path));
            }
        }
    }
    faults
}

fn is_below(path: &str, parent: &str) -> bool {
    path.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// `async` and `.await`, wherever they stand.
#[derive(Default)]
struct Waits {
    seen: BTreeSet<&'static str>,
}

impl<'ast> Visit<'ast> for Waits {
    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        if signature.asyncness.is_some() {
            self.seen.insert("async fn");
        }
        syn::visit::visit_signature(self, signature);
    }

    fn visit_expr_async(&mut self, block: &'ast syn::ExprAsync) {
        self.seen.insert("async block");
        syn::visit::visit_expr_async(self, block);
    }

    fn visit_expr_await(&mut self, wait: &'ast syn::ExprAwait) {
        self.seen.insert("await");
        syn::visit::visit_expr_await(self, wait);
    }
}

/// Every path a source names: in `use`, in code, and inside macros. `super::` is resolved to `crate::`.
fn paths(source: &Source) -> BTreeSet<String> {
    let mut found = Paths { home: home(&source.path), found: BTreeSet::new() };
    found.visit_file(&source.ast);
    found.found
}

/// The module that a file of the daemon is: `src/bus/codec.rs` is `crate::bus::codec`.
fn home(path: &str) -> Vec<String> {
    let inside = path.strip_prefix("src/").unwrap_or(path).trim_end_matches(".rs");
    std::iter::once("crate")
        .chain(inside.split('/').filter(|part| !matches!(*part, "mod" | "lib" | "main")))
        .map(str::to_owned)
        .collect()
}

struct Paths {
    home: Vec<String>,
    found: BTreeSet<String>,
}

impl Paths {
    fn add(&mut self, segments: &[String]) {
        let resolved = match segments.first().map(String::as_str) {
            Some("self") => [&self.home[..], &segments[1..]].concat(),
            Some("super") => {
                let ups = segments.iter().take_while(|part| *part == "super").count();
                let depth = self.home.len().saturating_sub(ups).max(1);
                [&self.home[..depth], &segments[ups..]].concat()
            }
            Some("tieline") => [&["crate".to_owned()][..], &segments[1..]].concat(),
            Some(_) => segments.to_vec(),
            None => return,
        };
        self.found.insert(resolved.join("::"));
    }

    fn add_use(&mut self, tree: &syn::UseTree, before: &[String]) {
        let with = |ident: &syn::Ident| [before, &[ident.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.add_use(&path.tree, &with(&path.ident)),
            syn::UseTree::Name(name) => self.add(&with(&name.ident)),
            syn::UseTree::Rename(name) => self.add(&with(&name.ident)),
            syn::UseTree::Glob(_) => self.add(before),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_use(tree, before)),
        }
    }

    /// Paths inside a macro's tokens: words joined by `::`.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(word) => {
                    if colons != 2 {
                        self.end_of_path(&mut path);
                    }
                    path.push(word.to_string());
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' && !path.is_empty() => colons += 1,
                TokenTree::Group(group) => {
                    self.end_of_path(&mut path);
                    self.add_tokens(group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => self.end_of_path(&mut path),
            }
        }
        self.end_of_path(&mut path);
    }

    fn end_of_path(&mut self, path: &mut Vec<String>) {
        if path.len() > 1 {
            self.add(path);
        }
        path.clear();
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_use(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.add(&segments);
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.add_tokens(call.tokens.clone());
        syn::visit::visit_macro(self, call);
    }
}
