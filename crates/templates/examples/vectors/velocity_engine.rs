//! `velocity-engine`: `NAME.vm` with the expected output in `NAME.cmp` and the variables of all in `context.json`.

use std::path::Path;

use serde_json::Value;

use super::{Outcome, Outcomes, render};

pub(super) fn run(folder: &Path) -> Outcomes {
    let context: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("context.json"))?)?;
    let mut paths: Vec<_> = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "vm"));
    paths.sort();
    let mut outcomes = Vec::new();
    for path in &paths {
        let template = String::from_utf8_lossy(&std::fs::read(path)?).into_owned();
        let expected = String::from_utf8_lossy(&std::fs::read(path.with_extension("cmp"))?).into_owned();
        let found = render::with_variables(&template, &context);
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        // The files end with a line break of their own.
        outcomes.push(Outcome::new(name, &template, expected.trim_end(), found.trim_end()));
    }
    Ok(outcomes)
}
