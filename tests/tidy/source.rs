//! The repository's files, and Rust sources without their tests.

use std::fs;
use std::path::{Path, PathBuf};
use syn::visit_mut::VisitMut;

/// A Rust source, parsed, its `#[cfg(test)]` items left out.
pub(crate) struct Source {
    /// The path from the root, with `/`.
    pub(crate) path: String,
    /// Lines of the file, tests not counted.
    pub(crate) lines: usize,
    /// What is left without the tests.
    pub(crate) ast: syn::File,
}

impl Source {
    /// Parses a text.
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let mut ast = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut without = WithoutTests { lines: 0 };
        without.visit_file_mut(&mut ast);
        Self { path: path.to_owned(), lines: text.lines().count() - without.lines, ast }
    }
}

/// The workspace's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust source below some folders that is not a test by its place (`tests/`, `tests.rs`, `benches/`).
pub(crate) fn rust_sources(folders: &[&str]) -> Vec<Source> {
    let is_test = |path: &str| {
        path.split('/').any(|part| matches!(part, "tests" | "benches" | "tests.rs" | "fixtures"))
    };
    let sources: Vec<_> = files(folders)
        .into_iter()
        .filter(|path| path.ends_with(".rs") && !is_test(path))
        .map(|path| Source::parse(&path, &fs::read_to_string(root().join(&path)).unwrap()))
        .collect();
    assert!(!sources.is_empty(), "no Rust sources below {folders:?}");
    sources
}

/// Every file below some folders, what is built or installed left out; paths from the root, with `/`, sorted.
pub(crate) fn files(folders: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(path) = todo.pop() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if matches!(name.as_str(), "target" | "node_modules" | "dist" | ".git" | ".tieline") {
            continue;
        }
        if path.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.is_file() {
            found.push(path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/"));
        }
    }
    found.sort();
    found
}

/// Takes `#[cfg(test)]` items out and counts their lines.
struct WithoutTests {
    lines: usize,
}

impl WithoutTests {
    fn strip(&mut self, items: &mut Vec<syn::Item>) {
        items.retain(|item| {
            let test = attributes(item).iter().any(is_test_attribute);
            if test {
                let span = syn::spanned::Spanned::span(item);
                self.lines += span.end().line - span.start().line + 1;
            }
            !test
        });
    }
}

impl VisitMut for WithoutTests {
    fn visit_file_mut(&mut self, file: &mut syn::File) {
        self.strip(&mut file.items);
        syn::visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, module: &mut syn::ItemMod) {
        if let Some((_, items)) = &mut module.content {
            self.strip(items);
        }
        syn::visit_mut::visit_item_mod_mut(self, module);
    }
}

fn is_test_attribute(attribute: &syn::Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
