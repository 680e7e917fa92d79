//! Notes: the transcript, and later facts of records that take none any more. A note's id is made from the key, so it
//! is written once; a note that a person changed stays as it is, and the next one takes what is new.

use crate::client::{Created, Updated};
use crate::deliver::Delivery;
use crate::map::{self, Note};
use serde_json::Value;
use tieline_connector_api::steps::{Fields, Tried, set};
use tieline_connector_api::{Failure, Outcome};
use tieline_model::crm::Record;

/// Notes of one kind under one interaction: more are needed only when people change each of them.
pub(crate) const NOTES_MAX: usize = 3;

/// What a note is for; also the step in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stem {
    /// What was said.
    Transcript,
    /// Facts that came after the record was closed.
    Late,
}

impl Stem {
    pub(crate) const ALL: [Self; 2] = [Self::Transcript, Self::Late];

    fn step(self) -> &'static str {
        match self {
            Self::Transcript => "note",
            Self::Late => "late",
        }
    }
    /// Id of the n-th note of this kind.
    pub(crate) fn id(self, n: usize, key: &str) -> String {
        map::id_of(&format!("{}{n}", self.step()), key).hyphenated().to_string()
    }
}

/// How one of the notes took the text.
enum Took {
    Yes,
    /// A person changed or deleted it.
    No,
}

/// A text on its way into a note.
struct Writing<'n> {
    stem: Stem,
    fields: &'n Fields,
    next: String,
    under: &'n Record,
    moved: bool,
    tried: &'n Tried,
}

impl Delivery<'_> {
    /// Writes a note under a record once; later facts change it, another record moves it.
    pub(crate) async fn put_note(&mut self, stem: Stem, note: &Note, under: &Record) -> Outcome<()> {
        let step = stem.step();
        let fields = note.fields();
        let text: Fields = fields
            .iter()
            .filter(|(name, _)| *name == "notetext")
            .map(|(_, text)| (step.to_owned(), text.clone()))
            .collect();
        let next = self.steps.digest(step, &text[step]);
        let done = format!("{next}@{}", under.id);
        let before = self.steps.value_of(&format!("{step}:"));
        if before.as_ref() == Some(&done) {
            return Ok(());
        }
        // Where Dynamics itself moved it, with a merged case, it stays; only another wish of ours moves it.
        let moved = before.is_none_or(|before| !before.ends_with(&format!("@{}", under.id)));
        self.steps.about_to(step, &text).await?;
        let tried = self.steps.tried(step);
        let writing = Writing { stem, fields: &fields, next, under, moved, tried: &tried };
        let mut took = None;
        for n in 1..=NOTES_MAX {
            if let Took::Yes = self.write_note(n, &writing).await? {
                took = Some(n);
                break;
            }
        }
        if took.is_none() {
            tracing::warn!(
                key = self.steps.key,
                "people changed every note of this interaction; no more is added"
            );
        }
        let next = writing.next;
        self.steps
            .remember(|p| {
                p.sent.extend(took.map(|n| (format!("{step}{n}"), next)));
                set(p, &format!("{step}:"), &done);
                p.pending = None;
            })
            .await
    }

    async fn write_note(&mut self, n: usize, writing: &Writing<'_>) -> Outcome<Took> {
        let id = writing.stem.id(n, &self.steps.key);
        let name = format!("{}{n}", writing.stem.step());
        let known = self.steps.now().sent.get(&name).cloned();
        if known.is_none() {
            let mut fields = writing.fields.clone();
            fields.insert("annotationid".into(), id.as_str().into());
            let (property, target) = parent(writing.under)?;
            fields.insert(property, target);
            if let Created::Made(_) = self.crm.client.create("annotations", fields, "").await? {
                return Ok(Took::Yes);
            }
        }
        let row = self.crm.client.read("annotations", &id, "notetext,_objectid_value").await?;
        let Some(row) = row else {
            return if known.is_some() { Ok(Took::No) } else { Err(hidden("note")) };
        };
        let step = writing.stem.step();
        let there = self.steps.digest(step, row.get("notetext").unwrap_or(&Value::Null));
        let ours = known.as_ref() == Some(&there)
            || writing.tried.get(step).is_some_and(|digests| digests.contains(&there));
        if there != writing.next && !ours {
            return Ok(Took::No);
        }
        let mut fields = if there == writing.next { Fields::new() } else { writing.fields.clone() };
        let (property, target) = parent(writing.under)?;
        let elsewhere =
            map::member(&row, "_objectid_value").and_then(map::guid) != map::guid(writing.under.id.as_str());
        if writing.moved && elsewhere {
            fields.insert(property, target);
        }
        if fields.is_empty() {
            return Ok(Took::Yes);
        }
        match self.crm.client.update("annotations", &id, map::member(&row, "@odata.etag"), fields).await? {
            Updated::Done => Ok(Took::Yes),
            Updated::Changed => Err(Failure::retry("somebody was changing the note at this moment")),
            Updated::Missing => {
                Err(Failure::retry("the note or what it is under was deleted at this moment"))
            }
        }
    }
}

/// The property by which a note is under a record; its suffix is the table alone (sheet 2.7).
fn parent(under: &Record) -> Outcome<(String, Value)> {
    let set = match under.object.as_str() {
        "incident" => "incidents",
        "phonecall" => "phonecalls",
        _ => return Err(Failure::reject(None, "notes go under cases and phone calls only")),
    };
    let id =
        map::guid(under.id.as_str()).ok_or_else(|| Failure::reject(None, "the record's id is no GUID"))?;
    Ok((format!("objectid_{}@odata.bind", under.object), format!("/{set}({id})").into()))
}

/// A row that stops ours from being made, and that we may not see (sheet 3).
pub(crate) fn hidden(what: &str) -> Failure {
    Failure::reject(
        Some("0x80040237"),
        format!(
            "a {what} with our id is there, but the application user may not read it: give its role organisation-wide read access"
        ),
    )
}
