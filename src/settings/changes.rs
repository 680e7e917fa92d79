//! What a reload changes, and what it has to leave for the next start.

use super::live::Tenants;
use super::{Settings, Tenant};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

/// New settings, compared with those in force.
#[derive(Debug)]
pub struct Changes {
    /// The contact centres of the running daemon as they shall be.
    pub tenants: Tenants,
    /// Keys whose new values take effect, in the order of the file's sections.
    pub now: Vec<String>,
    /// Keys whose new values take effect at the next start.
    pub at_next_start: Vec<String>,
}

impl Changes {
    /// From what the daemon `started` with and what is `in_force` to what `wanted` says.
    #[must_use]
    pub fn between(started: &Settings, in_force: &Tenants, wanted: Settings) -> Self {
        let mut at_next_start: Vec<String> = [
            ("daemon", started.daemon != wanted.daemon),
            ("journal", started.journal != wanted.journal),
            ("cluster", started.cluster != wanted.cluster),
            ("bus", started.bus != wanted.bus),
            ("http", started.http != wanted.http),
            ("auth", started.auth != wanted.auth),
            ("dispatch", started.dispatch != wanted.dispatch),
            ("scan", started.scan != wanted.scan),
            ("telemetry", started.telemetry != wanted.telemetry),
        ]
        .into_iter()
        .filter(|(_, changed)| *changed)
        .map(|(section, _)| section.to_owned())
        .collect();
        let (mut tenants, mut now) = (in_force.clone(), Vec::new());
        for id in in_force.keys().filter(|id| !wanted.tenants.contains_key(*id)) {
            at_next_start.push(format!("tenants.{id} (gone)"));
        }
        for (id, wanted) in wanted.tenants {
            let at = format!("tenants.{id}");
            let Some(old) = in_force.get(&id) else {
                at_next_start.push(format!("{at} (new)"));
                continue;
            };
            at_next_start.extend(fixed(&at, old, &wanted));
            let new = wanted.keeping_what_is_fixed(old);
            now.extend(exchanged(&at, old, &new));
            if **old != new {
                tenants.insert(id, Arc::new(new));
            }
        }
        Self { tenants, now, at_next_start }
    }
}

impl Tenant {
    /// Itself, but for what only a start can change: connections have lanes, queues at the broker and deliveries, and
    /// numbers are read by those and by the intake.
    fn keeping_what_is_fixed(self, old: &Self) -> Self {
        Self {
            connections: old.connections.clone(),
            connections_order: old.connections_order.clone(),
            own_numbers: old.own_numbers.clone(),
            default_country: old.default_country.clone(),
            ..self
        }
    }
}

fn fixed(at: &str, old: &Tenant, new: &Tenant) -> Vec<String> {
    let mut keys = entries(&format!("{at}.connections"), &old.connections, &new.connections);
    for (key, changed) in [
        ("connections_order", old.connections_order != new.connections_order),
        ("own_numbers", old.own_numbers != new.own_numbers),
        ("default_country", old.default_country != new.default_country),
    ] {
        if changed {
            keys.push(format!("{at}.{key}"));
        }
    }
    keys
}

fn exchanged(at: &str, old: &Tenant, new: &Tenant) -> Vec<String> {
    let mut keys = entries(&format!("{at}.agents"), &old.agents, &new.agents);
    keys.extend(entries(&format!("{at}.queues"), &old.queues, &new.queues));
    keys.extend(entries(&format!("{at}.schedules"), &old.schedules, &new.schedules));
    keys.extend(entries(&format!("{at}.templates"), &old.templates, &new.templates));
    keys.extend(entries(&format!("{at}.faq"), &old.faq, &new.faq));
    keys.extend(entries(&format!("{at}.scripts"), &old.scripts, &new.scripts));
    for (key, changed) in [
        ("name", old.name != new.name),
        ("break_reasons", old.break_reasons != new.break_reasons),
        ("calls", old.calls != new.calls),
        ("time_zone", old.time_zone != new.time_zone),
        ("ageing", old.ageing != new.ageing),
        ("lease", old.lease != new.lease),
        ("labels", old.labels != new.labels),
        ("site_origins", old.site_origins != new.site_origins),
        ("panel_hosts", old.panel_hosts != new.panel_hosts),
    ] {
        if changed {
            keys.push(format!("{at}.{key}"));
        }
    }
    // What has no line of its own here is named as a whole.
    if keys.is_empty() && old != new {
        keys.push(at.to_owned());
    }
    keys
}

/// What differs between two tables of the same kind, by their ids.
fn entries<K: Ord + Display, V: PartialEq>(
    at: &str,
    old: &BTreeMap<K, V>,
    new: &BTreeMap<K, V>,
) -> Vec<String> {
    let gone = old.keys().filter(|id| !new.contains_key(*id)).map(|id| format!("{at}.{id} (gone)"));
    let other = new.iter().filter_map(|(id, its)| match old.get(id) {
        None => Some(format!("{at}.{id} (new)")),
        Some(was) => (was != its).then(|| format!("{at}.{id}")),
    });
    gone.chain(other).collect()
}
