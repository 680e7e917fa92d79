//! `cargo xtask bench`: the benchmarks, and a picture of how the engine's costs grow.

use crate::workspace::{cargo, root, run as run_command, target};
use anyhow::{Context, Result, bail};
use plotters::prelude::*;
use serde_json::Value;
use std::path::PathBuf;

/// Options of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which.
    #[arg(value_enum, default_value_t = What::Engine)]
    what: What,
    /// Only draws, from what was measured before.
    #[arg(long)]
    only_draw: bool,
}

/// A benchmark.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum What {
    /// The engine alone; draws `docs/engine-growth.svg`.
    Engine,
    /// The journal on SQLite and PostgreSQL.
    Journal,
    /// The whole daemon with a private RabbitMQ.
    Daemon,
    /// Dispatch with stand-ins of the three CRMs.
    Crms,
}

/// Measures and draws.
///
/// # Errors
/// It does not build, fails, or measured nothing.
pub(crate) fn run(args: &Args) -> Result<()> {
    let (package, bench) = match args.what {
        What::Engine => ("tieline-engine", "engine"),
        What::Journal => ("tieline", "journal"),
        What::Daemon => ("tieline", "daemon"),
        What::Crms => ("tieline", "crms"),
    };
    if !args.only_draw {
        run_command(cargo().args(["bench", "-p", package, "--bench", bench]))?;
    }
    match args.what {
        What::Engine => draw(),
        What::Journal | What::Daemon | What::Crms => Ok(()),
    }
}

/// What is drawn, as the benchmark names it.
const COSTS: [&str; 5] = ["message", "routing pass", "status change", "offer and accept", "cycle"];

/// One line of the picture: agents, and nanoseconds a step.
struct Growth {
    cost: &'static str,
    points: Vec<(f64, f64)>,
}

fn draw() -> Result<()> {
    let lines: Vec<Growth> = COSTS.into_iter().map(measured).collect::<Result<_>>()?;
    for Growth { cost, points } in &lines {
        let at = |agents: f64| points.iter().find(|point| point.0 == agents).map(|point| point.1);
        if let (Some(small), Some(large)) = (at(1_000.0), at(100_000.0)) {
            println!("{cost}: {small:.0} ns at 1,000 agents, {:.2} times that at 100,000", large / small);
        }
    }
    let path = root().join("docs/engine-growth.svg");
    picture(&path, &lines).map_err(|error| anyhow::anyhow!("{error}")).context("drawing the picture")?;
    println!("drawn: {}", path.display());
    Ok(())
}

/// What criterion wrote down of one cost: the estimate of the mean, by agents.
fn measured(cost: &'static str) -> Result<Growth> {
    let folder = target()?.join("criterion").join(cost);
    let mut points = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("nothing was measured of `{cost}`"))? {
        let path = entry?.path();
        let agents: Option<f64> =
            path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        let Some(agents) = agents else { continue };
        let text = std::fs::read_to_string(path.join("new/estimates.json"))?;
        let estimates: Value = serde_json::from_str(&text)?;
        let nanos = estimates["median"]["point_estimate"].as_f64();
        points.push((agents, nanos.context("criterion's estimates have no median")?));
    }
    if points.is_empty() {
        bail!("nothing was measured of `{cost}`; run without --only-draw");
    }
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(Growth { cost, points })
}

fn picture(path: &PathBuf, lines: &[Growth]) -> Result<(), Box<dyn std::error::Error>> {
    let all = || lines.iter().flat_map(|line| line.points.iter().map(|point| point.1));
    let (least, most) = (all().fold(f64::MAX, f64::min), all().fold(0.0, f64::max));
    let area = SVGBackend::new(path, (860, 520)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption("Engine: time of one core per step", ("sans-serif", 20))
        .margin(16)
        .x_label_area_size(48)
        .y_label_area_size(72)
        .build_cartesian_2d((90.0..120_000.0_f64).log_scale(), (least * 0.6..most * 8.0).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("agents, with a full waiting line")
        .y_desc("nanoseconds")
        .x_label_formatter(&|agents| format!("{agents:.0}"))
        .y_label_formatter(&|nanos| format!("{nanos:.0}"))
        .light_line_style(WHITE)
        .draw()?;
    for (index, Growth { cost, points }) in lines.iter().enumerate() {
        let colour = Palette99::pick(index).to_rgba();
        chart
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(3))?
            .label(*cost)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE)
        .border_style(BLACK.mix(0.4))
        .draw()?;
    area.present()?;
    Ok(())
}
