//! How long files and functions may be. Tests are not counted.

use crate::source::{Source, files, root, rust_sources};
use syn::spanned::Spanned;
use syn::visit::Visit;

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;
const CODE: [&str; 3] = ["src", "connectors", "xtask"];

#[test]
fn files_are_short() {
    let mut faults: Vec<_> = rust_sources(&CODE).iter().filter_map(file_fault).collect();
    for path in files(&["web"]) {
        let counts = (path.ends_with(".ts") || path.ends_with(".tsx")) && !path.contains(".test.");
        let text = std::fs::read_to_string(root().join(&path)).unwrap_or_default();
        let generated = text.lines().take(3).any(|line| line.to_lowercase().contains("generated"));
        if counts && !generated && text.lines().count() > FILE_LINES_MAX {
            faults.push(format!("{path}: {} lines; {FILE_LINES_MAX} at most", text.lines().count()));
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn functions_are_short() {
    let faults: Vec<_> = rust_sources(&CODE).iter().flat_map(function_faults).collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn a_long_file_and_a_long_function_are_seen() {
    let body = "    work();\n".repeat(FUNCTION_LINES_MAX);
    let long = Source::parse("long.rs", &format!("impl A {{\nfn long() {{\n{body}}}\nfn short() {{}}\n}}\n"));
    assert_eq!(function_faults(&long), ["long.rs: long has 72 lines; 70 at most"]);
    let arms = "        A => b,\n".repeat(FUNCTION_LINES_MAX);
    assert!(
        function_faults(&Source::parse("a.rs", &format!("fn f() {{\n    match a {{\n{arms}    }}\n}}\n")))
            .is_empty()
    );
    let tests =
        format!("#[cfg(test)]\nmod tests {{\n{body}}}\n", body = "const A: u8 = 1;\n".repeat(FILE_LINES_MAX));
    assert_eq!(file_fault(&Source::parse("a.rs", &tests)), None);
    let code = "const A: u8 = 1;\n".repeat(FILE_LINES_MAX + 1);
    assert_eq!(
        file_fault(&Source::parse("a.rs", &code)).unwrap(),
        "a.rs: 801 lines without tests; 800 at most"
    );
}

fn file_fault(source: &Source) -> Option<String> {
    let Source { path, lines, ast: _ } = source;
    (*lines > FILE_LINES_MAX)
        .then(|| format!("{path}: {lines} lines without tests; {FILE_LINES_MAX} at most"))
}

fn function_faults(source: &Source) -> Vec<String> {
    let mut functions = Functions { found: Vec::new() };
    functions.visit_file(&source.ast);
    functions
        .found
        .into_iter()
        .filter(|(_, lines)| *lines > FUNCTION_LINES_MAX)
        .map(|(name, lines)| {
            format!("{}: {name} has {lines} lines; {FUNCTION_LINES_MAX} at most", source.path)
        })
        .collect()
}

/// Functions with their lines, from the signature to the closing brace. A `match` that stands by itself in a function
/// counts as its longest arm: one arm per case is how a total `match` is written, and each arm is read alone.
struct Functions {
    found: Vec<(String, usize)>,
}

impl Functions {
    fn add(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let all = block.span().end().line - signature.span().start().line + 1;
        let lines = all - block.stmts.iter().map(shorter_by).sum::<usize>();
        self.found.push((signature.ident.to_string(), lines));
    }
}

/// By how much a statement that is a `match` is longer than its longest arm.
fn shorter_by(statement: &syn::Stmt) -> usize {
    let syn::Stmt::Expr(syn::Expr::Match(choice), _) = statement else { return 0 };
    let lines = |span: proc_macro2::Span| span.end().line - span.start().line + 1;
    let longest = choice.arms.iter().map(|arm| lines(arm.span())).max().unwrap_or_default();
    lines(choice.span()) - longest
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.add(&function.sig, &function.block);
        syn::visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.add(&function.sig, &function.block);
        syn::visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.add(&function.sig, block);
        }
        syn::visit::visit_trait_item_fn(self, function);
    }
}
