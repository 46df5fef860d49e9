//! `naughty-strings`: `blns.json` is a list of texts; each goes through every function that takes text.

use std::path::Path;

use super::{Outcome, Outcomes, text_functions};

pub(super) fn run(folder: &Path) -> Outcomes {
    let texts: Vec<String> = serde_json::from_str(&std::fs::read_to_string(folder.join("blns.json"))?)?;
    let outcomes = texts.iter().enumerate().map(|(place, text)| {
        let found = text_functions::check(text).err().unwrap_or_else(|| "fine".to_string());
        Outcome::new(place.to_string(), text, "fine", &found)
    });
    Ok(outcomes.collect())
}
