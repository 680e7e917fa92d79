//! docs/back-pressure.md: its numbers are those of the code and of the settings' defaults, its measures are measured.

use crate::source::root;

/// A row of the page's tables that states a number.
struct Row {
    buffer: String,
    at_most: String,
    set_by: Vec<String>,
    seen_in: Option<String>,
}

fn rows(page: &str) -> Vec<Row> {
    let lines = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Buffer"));
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, buffer, at_most, set_by, _, seen_in, _] = cells[..] else { panic!("five cells: {line}") };
            let quoted = |cell: &str| -> Vec<String> {
                cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
            };
            Row {
                buffer: buffer.to_owned(),
                at_most: at_most.to_owned(),
                set_by: quoted(set_by),
                seen_in: quoted(seen_in).pop(),
            }
        })
        .collect()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What a number is in Rust's own writing: `10_000`, `256 * 1024`, `16 << 20`, `"67108864"`.
fn value(text: &str) -> Option<u64> {
    let text = text.trim().trim_matches('"').replace('_', "");
    if let Some((left, right)) = text.split_once("<<") {
        return Some(value(left)? << value(right)?);
    }
    text.split('*').map(|part| part.trim().parse::<u64>().ok()).product()
}

/// The number that the code or the settings' defaults have at this place.
fn found(set_by: &[String]) -> Option<u64> {
    match set_by {
        [setting] => {
            let (section, name) = setting.split_once('.')?;
            let file = read(&format!("src/settings/{section}.rs"));
            let defaults = file.split("fn default() -> Self").nth(1)?;
            let line = defaults.lines().find_map(|line| line.trim().strip_prefix(&format!("{name}: ")))?;
            value(line.trim_end_matches(','))
        }
        [path, name] => {
            let file = read(path);
            let constant = format!("const {name}: ");
            let line = file.lines().find_map(|line| Some(line.split_once(&constant)?.1))?;
            value(line.split_once(" = ")?.1.trim_end_matches(';'))
        }
        _ => None,
    }
}

fn faults(page: &str, metrics: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for row in rows(page) {
        if !row.at_most.is_empty() {
            let (told, real) = (value(&row.at_most), found(&row.set_by));
            if told.is_none() || told != real {
                faults.push(format!(
                    "{}: {} on the page, {real:?} at {:?}",
                    row.buffer, row.at_most, row.set_by
                ));
            }
        }
        if let Some(metric) = row.seen_in.filter(|metric| !metrics.contains(&format!("| `{metric}` |"))) {
            faults.push(format!("{}: {metric} is not measured", row.buffer));
        }
    }
    faults
}

#[test]
fn the_page_of_buffers_has_the_numbers_of_the_code() {
    let page = read("docs/back-pressure.md");
    assert!(rows(&page).len() > 40, "the page's tables were not found");
    let faults = faults(&page, &read("docs/metrics.md"));
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn a_wrong_number_and_a_measure_that_is_none_are_seen() {
    let page = "| Mailbox | 999 | `src/drive/run.rs` `MAILBOX_MAX` | x | `tieline_mailbox_waiting` |\n\
                | Window | 1000 | `bus.window` | x | `tieline_no_such_thing` |\n\
                | Nowhere | 5 | `src/drive/run.rs` `NO_SUCH_MAX` | x | |\n";
    let faults = faults(page, &read("docs/metrics.md"));
    assert_eq!(faults.len(), 3, "{faults:#?}");
}
