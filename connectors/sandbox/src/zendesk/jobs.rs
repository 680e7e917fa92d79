//! Jobs in the background: their work is done at once, and only told later (sheet 2.3).

use super::account::{millis, now};
use super::answer::{Answer, ApiError, Result};
use super::world::{Call, World};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// Jobs an account may have waiting or working.
const JOBS_MAX: usize = 30;

/// The jobs.
pub(crate) type Jobs = BTreeMap<String, Job>;

/// One job.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    kind: &'static str,
    results: Value,
    total: usize,
    begun: OffsetDateTime,
    until: OffsetDateTime,
}

impl World {
    /// Opens a job whose work is done; its results are told in another order than they were asked for.
    pub(crate) fn open_job(&mut self, kind: &'static str, mut results: Vec<Value>) -> Result {
        let at = now();
        let running: Vec<&String> =
            self.jobs.iter().filter(|(_, j)| j.until > at).map(|(id, _)| id).collect();
        if running.len() >= JOBS_MAX {
            let body = json!({"error": "TooManyJobs", "description": "Too many jobs are currently queued or running. Try again later.",
                "current_job_ids": running});
            let refused = Answer::json(429, body)
                .with("retry-after", "60")
                .with("zendesk-ratelimit-inflight-jobs", "total=30; remaining=0; resets=60");
            return Err(ApiError(Box::new(refused)));
        }
        let left = JOBS_MAX - running.len() - 1;
        let id = format!("V3-{:032x}", rand::random::<u128>());
        let total = results.len();
        results.reverse();
        let until = at + millis(self.switches.job_ms);
        self.jobs.insert(id.clone(), Job { kind, results: json!(results), total, begun: at, until });
        let mut told = self.told(&id).unwrap_or_default();
        told["status"] = json!("queued");
        for field in ["progress", "message", "results"] {
            told[field] = Value::Null;
        }
        told["total"] = json!(total);
        Ok(Answer::json(200, json!({"job_status": told}))
            .with("zendesk-ratelimit-inflight-jobs", format!("total=30; remaining={left}; resets=60")))
    }

    fn told(&self, id: &str) -> Option<Value> {
        let job = self.jobs.get(id)?;
        let at = now();
        let half = job.begun + (job.until - job.begun) / 2;
        let (status, results, progress) = if at >= job.until {
            ("completed", job.results.clone(), json!(job.total))
        } else if at >= half {
            ("working", Value::Null, json!(job.total / 2))
        } else {
            ("queued", Value::Null, Value::Null)
        };
        Some(
            json!({"id": id, "job_type": job.kind, "url": self.urls.api(format_args!("job_statuses/{id}.json")),
            "total": job.total, "progress": progress, "status": status,
            "message": (status == "completed").then_some("Completed at the sandbox"), "results": results}),
        )
    }

    /// `/job_statuses`.
    pub(crate) fn job(&mut self, call: &Call, path: &[&str]) -> Result {
        match (call.method.as_str(), path) {
            ("GET", ["job_statuses"]) => {
                let all = self.jobs.keys().filter_map(|id| self.told(id)).collect();
                self.page(call, "job_statuses", all)
            }
            ("GET", ["job_statuses", "show_many"]) => {
                let ids = call.of("ids").unwrap_or_default().split(',');
                let all: Vec<Value> = ids.filter_map(|id| self.told(id.trim())).collect();
                Ok(Answer::json(200, json!({"job_statuses": all})))
            }
            ("GET", ["job_statuses", id]) => match self.told(id) {
                Some(told) => Ok(Answer::json(200, json!({"job_status": told}))),
                None => Err(ApiError::not_found()),
            },
            _ => Err(ApiError::not_found()),
        }
    }
}
