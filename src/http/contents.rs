//! Content by id for those who are shown it: a bounded cache before the store.

use crate::journal::{self, NewContent, Store};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tieline_model::content::{CallNumbers, Content, Person, Remarks};
use tieline_model::crm::Match;
use tieline_model::{ContentId, TenantId};

/// What the cache may hold, roughly, in bytes.
const BYTES_MAX: usize = 16 << 20;
/// What an entry costs beside its texts.
const ENTRY: usize = 160;
/// Ids asked of the store at once.
const ASK_MAX: usize = 500;

/// The cache and the store behind it.
pub(super) struct Contents {
    store: Arc<dyn Store>,
    cache: Mutex<Cache>,
}

type Key = (TenantId, ContentId);

#[derive(Default)]
struct Cache {
    kept: HashMap<Key, Arc<Content>>,
    oldest: VecDeque<(Key, usize)>,
    bytes: usize,
}

impl Contents {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, cache: Mutex::default() }
    }

    pub(super) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Keeps what a commit brought; it is about to be shown.
    pub(super) fn keep(&self, tenant: &TenantId, new: &[NewContent]) {
        let mut cache = self.lock();
        for piece in new {
            cache.put((tenant.clone(), piece.id), Arc::new(shown(piece.content.clone())));
        }
    }

    /// Forgets a tenant's content: somebody was erased.
    pub(super) fn forget(&self, tenant: &TenantId) {
        let mut cache = self.lock();
        cache.kept.retain(|(of, _), _| of != tenant);
        let gone: usize =
            cache.oldest.iter().filter(|((of, _), _)| of == tenant).map(|(_, bytes)| bytes).sum();
        cache.oldest.retain(|((of, _), _)| of != tenant);
        cache.bytes -= gone;
    }

    /// The content of these ids; what has been erased is left out.
    pub(super) async fn get(
        &self,
        tenant: &TenantId,
        ids: BTreeSet<ContentId>,
    ) -> Result<Known, journal::Error> {
        let mut known = Known::default();
        let mut missing = Vec::new();
        {
            let cache = self.lock();
            for id in ids {
                match cache.kept.get(&(tenant.clone(), id)) {
                    Some(content) => _ = known.0.insert(id, Arc::clone(content)),
                    None => missing.push(id),
                }
            }
        }
        for ids in missing.chunks(ASK_MAX) {
            for (id, content) in self.store.content(tenant, ids).await? {
                let content = Arc::new(shown(content));
                self.lock().put((tenant.clone(), id), Arc::clone(&content));
                known.0.insert(id, content);
            }
        }
        Ok(known)
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    fn put(&mut self, key: Key, content: Arc<Content>) {
        let bytes = weight(&content);
        if self.kept.insert(key.clone(), content).is_some() {
            return;
        }
        self.oldest.push_back((key, bytes));
        self.bytes += bytes;
        while self.bytes > BYTES_MAX
            && let Some((key, bytes)) = self.oldest.pop_front()
        {
            self.kept.remove(&key);
            self.bytes -= bytes;
        }
    }
}

/// Content as frames show it: of a file, its name. Who wants the bytes asks the store.
fn shown(content: Content) -> Content {
    match content {
        Content::File { name, .. } => Content::File { name, data: String::new() },
        other @ (Content::Message { .. }
        | Content::Person { .. }
        | Content::Call { .. }
        | Content::Recording { .. }
        | Content::Remarks { .. }
        | Content::Answers { .. }
        | Content::Matches { .. }) => other,
    }
}

fn weight(content: &Content) -> usize {
    let texts = match content {
        Content::Message { text } => text.len(),
        Content::Person { person } => {
            let answers: usize =
                person.answers.iter().map(|(label, answer)| label.len() + answer.len()).sum();
            answers + 400
        }
        Content::Call { .. } => 60,
        Content::Recording { url } => url.len(),
        Content::Remarks { remarks } => remarks.text.len() + remarks.notes.len(),
        Content::Matches { matches } => matches.found.len() * 400,
        Content::File { name, data } => name.len() + data.len(),
        Content::Answers { answers } => {
            answers.iter().map(|(field, answer)| field.len() + answer.len()).sum()
        }
    };
    texts + ENTRY
}

/// Content that has been fetched.
#[derive(Default)]
pub(super) struct Known(HashMap<ContentId, Arc<Content>>);

impl Known {
    /// It is there; what has been erased is not.
    pub(super) fn has(&self, id: ContentId) -> bool {
        self.0.contains_key(&id)
    }

    /// What somebody wrote, or the name of a file.
    pub(super) fn text(&self, id: ContentId) -> String {
        match self.0.get(&id).map(|c| &**c) {
            Some(Content::Message { text }) => text.clone(),
            Some(Content::File { name, .. }) => name.clone(),
            Some(
                Content::Person { .. }
                | Content::Call { .. }
                | Content::Recording { .. }
                | Content::Remarks { .. }
                | Content::Answers { .. }
                | Content::Matches { .. },
            )
            | None => String::new(),
        }
    }

    pub(super) fn answers(&self, id: ContentId) -> BTreeMap<String, String> {
        let Some(Content::Answers { answers }) = self.0.get(&id).map(|c| &**c) else {
            return BTreeMap::new();
        };
        answers.clone()
    }

    pub(super) fn person(&self, id: ContentId) -> Person {
        let Some(Content::Person { person }) = self.0.get(&id).map(|c| &**c) else {
            return Person::default();
        };
        person.clone()
    }

    pub(super) fn numbers(&self, id: ContentId) -> CallNumbers {
        let Some(Content::Call { numbers }) = self.0.get(&id).map(|c| &**c) else {
            return CallNumbers::default();
        };
        numbers.clone()
    }

    pub(super) fn remarks(&self, id: ContentId) -> Remarks {
        let Some(Content::Remarks { remarks }) = self.0.get(&id).map(|c| &**c) else {
            return Remarks::default();
        };
        remarks.clone()
    }

    pub(super) fn matches(&self, id: ContentId) -> (Vec<Match>, bool) {
        let Some(Content::Matches { matches }) = self.0.get(&id).map(|c| &**c) else {
            return (Vec::new(), false);
        };
        (matches.found.clone(), matches.more)
    }
}
