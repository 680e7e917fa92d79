//! `cargo xtask schema`: JSON Schemas of everything that leaves or enters the daemon, made from `tieline-model`.
//! The files are committed; `--check` compares them with what the code says now and fails when one is stale.

use crate::asyncapi;
use anyhow::{Context, Result, bail};
use schemars::generate::{Contract, SchemaSettings};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use tieline_model::envelope::{
    CallAnswered, CallDialled, CallEnded, CallHeld, CallRecordingReady, CallResumed, CallRinging,
    CallTransferred, Envelope,
};
use tieline_model::library::{FaqFound, RenderTemplate, RenderedTemplate, ScriptView, Templates};
use tieline_model::live::{
    ChatReturned, ChatStarted, FileTaken, PanelFrame, PanelSays, SignIn, SignedIn, StartChat, WidgetFrame,
    WidgetSays,
};
use tieline_model::timeline::Explained;
use tieline_model::{Event, Refusal};

/// Where the schemas say they live.
const BASE: &str = "https://tieline.invalid/schemas/";

/// Options of `cargo xtask schema`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail when a committed file differs from what the code says.
    #[arg(long)]
    check: bool,
}

/// Writes or checks the files.
///
/// # Errors
/// A file that cannot be written, or with `--check` a stale one.
pub(crate) fn run(args: &Args) -> Result<()> {
    let dir = root().join("schemas");
    let mut stale = Vec::new();
    for (name, text) in files()? {
        let path = dir.join(name);
        if fs::read_to_string(&path).ok().as_deref() == Some(text.as_str()) {
            continue;
        }
        if args.check {
            stale.push(name);
        } else {
            fs::create_dir_all(&dir)?;
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            println!("wrote schemas/{name}");
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    bail!("stale: {}; run `cargo xtask schema` and commit", stale.join(", "))
}

/// Every generated file by name, with its text.
fn files() -> Result<Vec<(&'static str, String)>> {
    let mut files = Vec::new();
    for (name, schema) in json_schemas()? {
        files.push((name, format!("{}\n", serde_json::to_string_pretty(&schema)?)));
    }
    files.push(("asyncapi.yaml", asyncapi::yaml()?));
    Ok(files)
}

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_owned()
}

/// Every JSON Schema by file name.
pub(crate) fn json_schemas() -> Result<Vec<(&'static str, Value)>> {
    Ok(vec![
        (
            "panel.schema.json",
            Bundle::new("The agent panel's socket, /ws/agent")
                .out::<PanelFrame>()
                .into::<PanelSays>()
                .done("panel")?,
        ),
        (
            "widget.schema.json",
            Bundle::new("The chat widget's socket, /ws/customer")
                .out::<WidgetFrame>()
                .into::<WidgetSays>()
                .done("widget")?,
        ),
        (
            "api.schema.json",
            Bundle::new("Bodies of the HTTP API")
                .into::<StartChat>()
                .out::<ChatStarted>()
                .out::<ChatReturned>()
                .out::<FileTaken>()
                .into::<SignIn>()
                .out::<SignedIn>()
                .out::<Explained>()
                .out::<Templates>()
                .into::<RenderTemplate>()
                .out::<RenderedTemplate>()
                .out::<FaqFound>()
                .out::<ScriptView>()
                .out::<Refusal>()
                .done("api")?,
        ),
        (
            "events.schema.json",
            Bundle::new("Events of the journal and of tieline.events").out::<Event>().done("events")?,
        ),
        (
            "envelope.schema.json",
            Bundle::new("Messages of the bus and the bodies that producers send")
                .into::<Envelope>()
                .into::<CallRinging>()
                .into::<CallDialled>()
                .into::<CallAnswered>()
                .into::<CallHeld>()
                .into::<CallResumed>()
                .into::<CallTransferred>()
                .into::<CallEnded>()
                .into::<CallRecordingReady>()
                .done("envelope")?,
        ),
    ])
}

/// Several types in one file, each under `$defs`: what the daemon says as it writes it, what it hears as it reads it.
struct Bundle {
    title: &'static str,
    says: SchemaGenerator,
    hears: SchemaGenerator,
    roots: Vec<Schema>,
}

impl Bundle {
    fn new(title: &'static str) -> Self {
        let settings = SchemaSettings::draft2020_12();
        Self {
            title,
            says: settings.clone().with(|s| s.contract = Contract::Serialize).into_generator(),
            hears: settings.with(|s| s.contract = Contract::Deserialize).into_generator(),
            roots: Vec::new(),
        }
    }

    /// A type the daemon writes.
    fn out<T: JsonSchema>(mut self) -> Self {
        self.roots.push(self.says.subschema_for::<T>());
        self
    }

    /// A type the daemon reads.
    fn into<T: JsonSchema>(mut self) -> Self {
        self.roots.push(self.hears.subschema_for::<T>());
        self
    }

    /// The file. A type used in both directions must look the same in both, or its name would be ambiguous.
    fn done(mut self, name: &str) -> Result<Value> {
        let mut defs: Map<String, Value> = self.says.take_definitions(true);
        for (key, schema) in self.hears.take_definitions(true) {
            match defs.get(&key) {
                Some(other) if *other != schema => {
                    bail!("{name}: {key} differs between what is said and heard")
                }
                Some(_) | None => {}
            }
            defs.insert(key, schema);
        }
        defs.sort_keys();
        Ok(json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": format!("{BASE}{name}.schema.json"),
            "$comment": "Generated by `cargo xtask schema`; do not edit.",
            "title": self.title,
            "anyOf": self.roots,
            "$defs": defs,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn committed_schemas_are_fresh() {
        run(&Args { check: true }).unwrap();
    }

    #[test]
    fn every_reference_resolves_inside_its_file() {
        for (name, schema) in json_schemas().unwrap() {
            let mut refs = Vec::new();
            collect(&schema, &mut refs);
            assert!(!refs.is_empty(), "{name} references nothing");
            for target in refs {
                let pointer = target.strip_prefix('#').expect("references are local");
                assert!(schema.pointer(pointer).is_some(), "{name}: {target} does not resolve");
            }
        }
    }

    fn collect(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, inner)| match (key.as_str(), inner) {
                ("$ref", Value::String(target)) => into.push(target.clone()),
                _ => collect(inner, into),
            }),
            Value::Array(all) => all.iter().for_each(|inner| collect(inner, into)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}
