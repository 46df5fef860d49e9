//! The lists of cases that we answer otherwise than their source, each with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::Outcome;

/// The deviations of one topic: the case's name and why.
pub(super) struct Deviations {
    reasons: BTreeMap<String, String>,
}

impl Deviations {
    /// Reads `cases/deviations/TOPIC.json`: a list of reasons, each with the cases that it explains. No file is an empty list.
    pub(super) fn of(topic: &str) -> Result<Deviations, Box<dyn std::error::Error>> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/deviations").join(format!("{topic}.json"));
        let mut reasons = BTreeMap::new();
        if !path.exists() {
            return Ok(Deviations { reasons });
        }
        let groups: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
        for group in &groups {
            let reason = group["reason"].as_str().filter(|reason| !reason.is_empty()).ok_or("a group has no reason")?;
            for case in group["cases"].as_array().ok_or("a group has no cases")? {
                let case = case.as_str().ok_or("a case is no text")?;
                if reasons.insert(case.to_string(), reason.to_string()).is_some() {
                    return Err(format!("{case} is listed twice").into());
                }
            }
        }
        Ok(Deviations { reasons })
    }

    pub(super) fn len(&self) -> usize {
        self.reasons.len()
    }

    /// What is wrong: cases that differ and are not listed, and listed ones that do not differ or do not exist.
    pub(super) fn judge(&self, outcomes: &[Outcome]) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut explained = BTreeSet::new();
        for outcome in outcomes {
            match (&outcome.difference, self.reasons.get(&outcome.name)) {
                (None, None) => {}
                (Some(difference), None) => wrong.push(format!("== {}: not listed\n{difference}", outcome.name)),
                (Some(_), Some(_)) => {
                    explained.insert(outcome.name.as_str());
                }
                (None, Some(_)) => {
                    explained.insert(outcome.name.as_str());
                    wrong.push(format!("== {}: listed, and does not differ any more", outcome.name));
                }
            }
        }
        let gone = self.reasons.keys().filter(|name| !explained.contains(name.as_str()));
        wrong.extend(gone.map(|name| format!("== {name}: listed, and there is no such case")));
        wrong
    }
}
