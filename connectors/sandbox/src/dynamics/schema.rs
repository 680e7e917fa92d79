//! Tables and columns, read from the notation of `tables.txt`.

use std::collections::BTreeMap;
use std::fmt;

/// The standard tables.
pub(crate) const STANDARD: &str = include_str!("tables.txt");

/// Columns of every table that people own.
const OWNED: &str = "ownerid cu lookup systemuser:ownerid\n\
    owninguser - lookup systemuser:owninguser\n\
    createdby - lookup systemuser:createdby\n\
    createdonbehalfby - lookup systemuser:createdonbehalfby\n\
    modifiedby - lookup systemuser:modifiedby\n\
    createdon - time\n\
    modifiedon - time\n\
    overriddencreatedon c day\n\
    versionnumber - int 0 9223372036854775807";

/// Columns of every activity.
const ACTIVITY: &str = "activityid c id\n\
    subject cu text 200\n\
    description cu memo 2000\n\
    activitytypecode - text 100\n\
    actualdurationminutes cu int 0 2147483647\n\
    scheduleddurationminutes cu int 0 2147483647\n\
    actualstart cu time\n\
    actualend cu time\n\
    scheduledstart cu time\n\
    scheduledend cu time";

/// A line of the notation that does not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the tables: {why}")]
pub struct BadSchema {
    line: usize,
    why: String,
}

/// One value of a choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The number that is stored.
    pub(crate) value: i64,
    /// Its label.
    pub(crate) label: String,
    /// The state it belongs to, for `statuscode`.
    pub(crate) state: Option<i64>,
}

/// What a lookup may point at, and by which navigation property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Logical name of the table.
    pub(crate) table: String,
    /// Navigation property, case-sensitive.
    pub(crate) property: String,
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One line of so many UTF-16 units.
    Text(usize),
    /// Several lines of so many UTF-16 units.
    Memo(usize),
    /// A whole number in a range.
    Int(i64, i64),
    /// Any number.
    Number,
    /// Yes or no.
    Bool,
    /// A moment.
    Time,
    /// A date.
    Day,
    /// A GUID.
    Id,
    /// Base64 of so many characters.
    Bytes(usize),
    /// One of some numbers.
    Choice(Vec<Choice>),
    /// `statecode`
    State(Vec<Choice>),
    /// `statuscode`
    Status(Vec<Choice>),
    /// A row of one of these tables.
    Lookup(Vec<Target>),
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Logical name.
    pub(crate) name: String,
    /// Valid for create.
    pub(crate) create: bool,
    /// Valid for update.
    pub(crate) update: bool,
    /// System required.
    pub(crate) required: bool,
    /// What it holds.
    pub(crate) kind: Kind,
    /// What a create without it writes.
    pub(crate) default: Option<String>,
}

/// A collection of rows that point here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Many {
    /// Navigation property.
    pub(crate) property: String,
    /// The table of the rows.
    pub(crate) child: String,
    /// Their lookup column.
    pub(crate) column: String,
}

/// An alternate key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// Schema name.
    pub(crate) name: String,
    /// Columns.
    pub(crate) columns: Vec<String>,
    /// `EntityKeyIndexStatus`; only an `Active` key is kept.
    pub(crate) status: String,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    /// Logical name.
    pub(crate) name: String,
    /// Entity set.
    pub(crate) set: String,
    /// Primary key column.
    pub(crate) id: String,
    /// Primary name column.
    pub(crate) primary: String,
    /// Schema name.
    pub(crate) schema: String,
    /// Is an activity.
    pub(crate) activity: bool,
    /// Columns by logical name.
    pub(crate) columns: BTreeMap<String, Column>,
    /// Collections.
    pub(crate) many: Vec<Many>,
    /// Alternate keys.
    pub(crate) keys: Vec<Key>,
}

impl Table {
    /// A column by its logical name.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.get(name)
    }

    /// The column behind a property name of the API: the name itself, or `_name_value` for a lookup.
    pub(crate) fn property(&self, name: &str) -> Option<&Column> {
        match name.strip_prefix('_').and_then(|n| n.strip_suffix("_value")) {
            Some(lookup) => self.columns.get(lookup).filter(|c| matches!(c.kind, Kind::Lookup(_))),
            None => self.columns.get(name).filter(|c| !matches!(c.kind, Kind::Lookup(_))),
        }
    }

    /// The lookup column and target behind a single-valued navigation property.
    pub(crate) fn single(&self, property: &str) -> Option<(&Column, &Target)> {
        self.columns.values().find_map(|column| match &column.kind {
            Kind::Lookup(targets) => targets.iter().find(|t| t.property == property).map(|t| (column, t)),
            Kind::Text(_)
            | Kind::Memo(_)
            | Kind::Int(..)
            | Kind::Number
            | Kind::Bool
            | Kind::Time
            | Kind::Day
            | Kind::Id
            | Kind::Bytes(_)
            | Kind::Choice(_)
            | Kind::State(_)
            | Kind::Status(_) => None,
        })
    }

    /// A collection by its navigation property.
    pub(crate) fn collection(&self, property: &str) -> Option<&Many> {
        self.many.iter().find(|m| m.property == property)
    }

    /// The name of a privilege on this table, such as `prvReadContact`; all activities share one.
    pub(crate) fn privilege(&self, verb: &str) -> String {
        let on = match self.name.as_str() {
            "annotation" => "Note",
            "systemuser" => "User",
            _ if self.activity || self.name == "activityparty" => "Activity",
            _ => &self.schema,
        };
        format!("prv{verb}{on}")
    }
}

impl Column {
    /// The name of the property that the API reads it by.
    pub(crate) fn read_as(&self) -> String {
        if matches!(self.kind, Kind::Lookup(_)) { format!("_{}_value", self.name) } else { self.name.clone() }
    }
}

impl Kind {
    /// The EDM type, as errors name it.
    pub(crate) fn edm(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::Memo(_) => "Edm.String",
            Self::Int(..) | Self::Choice(_) | Self::State(_) | Self::Status(_) => "Edm.Int32",
            Self::Number => "Edm.Decimal",
            Self::Bool => "Edm.Boolean",
            Self::Time => "Edm.DateTimeOffset",
            Self::Day => "Edm.Date",
            Self::Id | Self::Lookup(_) => "Edm.Guid",
            Self::Bytes(_) => "Edm.Binary",
        }
    }

    /// The values of a choice, a state or a status.
    pub(crate) fn choices(&self) -> Option<&[Choice]> {
        match self {
            Self::Choice(all) | Self::State(all) | Self::Status(all) => Some(all),
            Self::Text(_)
            | Self::Memo(_)
            | Self::Int(..)
            | Self::Number
            | Self::Bool
            | Self::Time
            | Self::Day
            | Self::Id
            | Self::Bytes(_)
            | Self::Lookup(_) => None,
        }
    }
}

/// All tables.
#[derive(Clone, Default)]
pub(crate) struct Schema {
    tables: BTreeMap<String, Table>,
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.tables.keys()).finish()
    }
}

impl Schema {
    /// Adds tables, or columns to tables there are.
    ///
    /// # Errors
    /// A line does not read.
    pub(crate) fn add(&mut self, text: &str) -> Result<(), BadSchema> {
        let mut current: Option<String> = None;
        for (n, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let bad = |why: String| BadSchema { line: n + 1, why };
            if let Some(rest) = line.strip_prefix("table ") {
                current = Some(self.table_line(rest).map_err(bad)?);
                continue;
            }
            let table = current.as_ref().and_then(|name| self.tables.get_mut(name));
            let table = table.ok_or_else(|| bad("a column before any table".to_owned()))?;
            table.line(line).map_err(bad)?;
        }
        Ok(())
    }

    fn table_line(&mut self, rest: &str) -> Result<String, String> {
        let words: Vec<&str> = rest.split_whitespace().collect();
        if let [name] = words[..] {
            return if self.tables.contains_key(name) {
                Ok(name.to_owned())
            } else {
                Err(format!("no table {name}"))
            };
        }
        let [name, set, id, primary, schema, ref more @ ..] = words[..] else {
            return Err("a table needs five words".to_owned());
        };
        let mut table = Table {
            name: name.to_owned(),
            set: set.to_owned(),
            id: id.to_owned(),
            primary: primary.to_owned(),
            schema: schema.to_owned(),
            activity: more.contains(&"activity"),
            columns: BTreeMap::new(),
            many: Vec::new(),
            keys: Vec::new(),
        };
        let shared = if table.activity { [OWNED, ACTIVITY].as_slice() } else { [OWNED].as_slice() };
        for line in shared.iter().flat_map(|text| text.lines()) {
            table.line(line.trim())?;
        }
        // An activity's owner goes by a property with the table's name behind it, and by the plain one.
        if table.activity
            && let Some(Column { kind: Kind::Lookup(targets), .. }) = table.columns.get_mut("ownerid")
        {
            targets.push(Target { table: "systemuser".to_owned(), property: format!("ownerid_{name}") });
        }
        self.tables.insert(name.to_owned(), table);
        Ok(name.to_owned())
    }

    /// A table by its logical name.
    pub(crate) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }

    /// A table by its entity set.
    pub(crate) fn set(&self, set: &str) -> Option<&Table> {
        self.tables.values().find(|t| t.set == set)
    }

    /// All tables.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Table> {
        self.tables.values()
    }
}

impl Table {
    fn line(&mut self, line: &str) -> Result<(), String> {
        let (line, default) = match line.rsplit_once(" =") {
            Some((line, default)) => (line, Some(default.to_owned())),
            None => (line, None),
        };
        let mut words = line.splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default();
        let (name, flags, kind, more) = (word(), word(), word(), word());
        match name {
            "many" => {
                let (property, child) = (flags.to_owned(), kind.to_owned());
                self.many.push(Many { property, child, column: more.to_owned() });
                return Ok(());
            }
            "key" => {
                let columns = kind.split(',').map(str::to_owned).collect();
                let status = if more.is_empty() { "Active" } else { more };
                self.keys.push(Key { name: flags.to_owned(), columns, status: status.to_owned() });
                return Ok(());
            }
            _ => {}
        }
        let column = Column {
            name: name.to_owned(),
            create: flags.contains('c'),
            update: flags.contains('u'),
            required: flags.contains('s'),
            kind: kind_of(kind, more).ok_or_else(|| format!("no kind: {line}"))?,
            default,
        };
        self.columns.insert(name.to_owned(), column);
        Ok(())
    }
}

fn kind_of(word: &str, more: &str) -> Option<Kind> {
    Some(match word {
        "text" => Kind::Text(more.parse().ok()?),
        "memo" => Kind::Memo(more.parse().ok()?),
        "bytes" => Kind::Bytes(more.parse().ok()?),
        "int" => {
            let (least, most) = more.split_once(' ')?;
            Kind::Int(least.parse().ok()?, most.parse().ok()?)
        }
        "number" => Kind::Number,
        "bool" => Kind::Bool,
        "time" => Kind::Time,
        "day" => Kind::Day,
        "id" => Kind::Id,
        "choice" => Kind::Choice(choices(more)?),
        "state" => Kind::State(choices(more)?),
        "status" => Kind::Status(choices(more)?),
        "lookup" => {
            let pair = |text: &str| {
                let (table, property) = text.split_once(':')?;
                Some(Target { table: table.to_owned(), property: property.to_owned() })
            };
            Kind::Lookup(more.split('|').map(pair).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

fn choices(text: &str) -> Option<Vec<Choice>> {
    let one = |text: &str| {
        let (number, label) = text.split_once(':')?;
        let (state, value) = match number.split_once('/') {
            Some((state, value)) => (Some(state.parse().ok()?), value),
            None => (None, number),
        };
        Some(Choice { value: value.parse().ok()?, label: label.to_owned(), state })
    };
    text.split('|').map(one).collect()
}
