//! `json-parsing`: files whose names begin with `y_` are JSON, with `n_` are not, with `i_` may be either. All go through every
//! function that takes text.

use std::path::Path;

use templates::document::Json;

use super::{Outcome, Outcomes, text_functions};

pub(super) fn run(folder: &Path) -> Outcomes {
    let mut paths: Vec<_> = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let mut outcomes = Vec::new();
    for path in &paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = std::fs::read(path)?;
        // Templates work on text; a body in another encoding does not come so far.
        let text = std::str::from_utf8(&bytes);
        let is_json = text.is_ok_and(|text| Json::parse(text).is_ok());
        let found = match text.map(text_functions::check) {
            Ok(Err(wrong)) => wrong,
            _ if name.starts_with("i_") => "fine".to_string(),
            _ if is_json == name.starts_with("y_") => "fine".to_string(),
            _ => format!("{is_json}"),
        };
        outcomes.push(Outcome::new(name, &String::from_utf8_lossy(&bytes), "fine", &found));
    }
    Ok(outcomes)
}
