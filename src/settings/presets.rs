//! Ways of working that people know, as settings to begin with: what stands beside the word `preset` wins over it.
//!
//! A preset is a layer below file and environment, so that tables are merged key by key as between those two.

use config::{Config, ConfigError, File, FileFormat, Map, Source, Value, ValueKind};
use schemars::JsonSchema;
use serde::Deserialize;

/// A way of working.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// The defaults of the rules; for a queue whose contact centre has another preset.
    Plain,
    /// Chats go straight into an agent's inbox, with a bell.
    Inbox,
    /// Accept or reject; Busy; On Break after a reject or a miss; Post Processing.
    Offer,
    /// Accept or decline; targets of 30 s and 60 s; silence for 3 + 2 minutes; a case after 15 minutes.
    Etiquette,
}

impl Preset {
    fn text(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Inbox => include_str!("presets/inbox.toml"),
            Self::Offer => include_str!("presets/offer.toml"),
            Self::Etiquette => include_str!("presets/etiquette.toml"),
        }
    }

    /// Its settings of a `tenant` or of a `queue`.
    fn table(self, of: &str) -> Result<Map<String, Value>, ConfigError> {
        let own = Config::builder().add_source(File::from_str(self.text(), FileFormat::Toml)).build()?;
        Ok(own.get_table(of).unwrap_or_default())
    }
}

/// What the presets named in file and environment say; to be put below both.
#[derive(Debug, Clone)]
pub(super) struct Layer(Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

impl Layer {
    /// Looks for presets in what was written. What does not fit is left alone: whoever reads the whole says so.
    pub(super) fn of(written: &Config) -> Result<Self, ConfigError> {
        let mut tenants = Map::new();
        for (id, tenant) in written.get_table("tenants").unwrap_or_default() {
            let Ok(tenant) = tenant.into_table() else { continue };
            let common = named(&tenant);
            let mut layer = common.map_or_else(|| Ok(Map::new()), |preset| preset.table("tenant"))?;
            let mut queues = Map::new();
            let written = tenant.get("queues").cloned().and_then(|queues| queues.into_table().ok());
            for (id, queue) in written.unwrap_or_default() {
                let own = queue.into_table().ok().and_then(|queue| named(&queue));
                if let Some(preset) = own.or(common) {
                    queues.insert(id, table(preset.table("queue")?));
                }
            }
            layer.insert("queues".to_owned(), table(queues));
            tenants.insert(id, table(layer));
        }
        Ok(Self([("tenants".to_owned(), table(tenants))].into_iter().collect()))
    }
}

/// The preset a table names, if it is one.
fn named(table: &Map<String, Value>) -> Option<Preset> {
    let word = table.get("preset")?.clone().into_string().ok()?;
    Preset::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(&word)).ok()
}

fn table(of: Map<String, Value>) -> Value {
    Value::new(None, ValueKind::Table(of))
}
