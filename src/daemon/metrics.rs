//! What lanes and bus did, in Prometheus' text format.

use crate::bus::Meter;
use crate::dispatch::{Counts, Lane};
use crate::http::Source;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

type Read = fn(&Counts) -> &AtomicU64;

const LANE: [(&str, &str, Read); 6] = [
    ("lookups", "Look-ups a CRM answered.", |c| &c.lookups),
    ("lookups_failed", "Look-ups that failed or came too late.", |c| &c.lookups_failed),
    ("pops", "Records opened before agents.", |c| &c.pops),
    ("logs_saved", "Logs a CRM took.", |c| &c.logs_saved),
    ("logs_delayed", "Times a log was put off.", |c| &c.logs_delayed),
    ("logs_dead", "Logs that went to the dead letters.", |c| &c.logs_dead),
];

/// Metrics of CRM connections.
pub(super) fn of_lanes(lanes: Vec<Arc<Lane>>) -> Source {
    Box::new(move |out| {
        for (name, help, read) in LANE {
            let name = format!("tieline_connector_{name}_total");
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter");
            for lane in &lanes {
                let value = read(lane.counts()).load(Ordering::Relaxed);
                let _ = writeln!(out, "{name}{{{}}} {value}", labels(lane));
            }
        }
        let name = "tieline_connector_up";
        let _ = writeln!(
            out,
            "# HELP {name} 0 while nothing is sent to the CRM (down, limiting, refusing us).\n# TYPE {name} gauge"
        );
        for lane in &lanes {
            let _ = writeln!(out, "{name}{{{}}} {}", labels(lane), u8::from(lane.trouble().is_none()));
        }
    })
}

/// Metrics of the bus.
pub(super) fn of_bus(meter: Meter) -> Source {
    Box::new(move |out| {
        let counts = meter.counts();
        for (name, value) in counts.named() {
            let name = format!("tieline_bus_{name}_total");
            let _ = writeln!(out, "# TYPE {name} counter\n{name} {value}");
        }
        let name = "tieline_bus_moves";
        let moves = u8::from(meter.health().moves());
        let _ = writeln!(out, "# HELP {name} 1 while messages move.\n# TYPE {name} gauge\n{name} {moves}");
    })
}

/// Ids are slugs, so they need no escaping.
fn labels(lane: &Lane) -> String {
    format!("tenant=\"{}\",connection=\"{}\"", lane.tenant(), lane.info().id)
}
