//! What must be on a list: crates on the map, fuzz targets in their manifest, case folders in a test.

use toml::{Table, Value};

use super::{Finding, Tree};

const MAP: &str = "ARCHITECTURE.md";

/// Every folder with a manifest is named, in backticks, on the map.
pub(super) fn crates(tree: &Tree) -> Vec<Finding> {
    let map = tree.text(MAP).unwrap_or_default();
    let folders = tree.texts("Cargo.toml").filter_map(|(file, _)| file.strip_suffix("/Cargo.toml"));
    let missing = folders.filter(|folder| {
        // `crates/models/*` on the map stands for all models.
        let family = folder.rsplit_once('/').map_or(String::new(), |(parent, _)| format!("`{parent}/*`"));
        !map.contains(&format!("`{folder}`")) && (family.is_empty() || family == "`crates/*`" || !map.contains(&family))
    });
    let findings = missing.map(|folder| {
        let what = format!("`{folder}` is not on the map");
        Finding::new(MAP, 1, what, "say there, with its path in backticks, what it is for and what it must not know")
    });
    findings.collect()
}

const FUZZ_MANIFEST: &str = "fuzz/Cargo.toml";

/// Every fuzz target's file is a binary of the manifest, and every binary has its file.
pub(super) fn fuzz_targets(tree: &Tree) -> Vec<Finding> {
    let Some(manifest) = tree.text(FUZZ_MANIFEST) else { return Vec::new() };
    let table: Table = manifest.parse().unwrap_or_default();
    let binaries = table.get("bin").and_then(Value::as_array).cloned().unwrap_or_default();
    let listed: Vec<String> =
        binaries.iter().filter_map(|bin| Some(format!("fuzz/{}", bin.get("path")?.as_str()?))).collect();
    let files: Vec<&str> =
        tree.texts(".rs").map(|(file, _)| file).filter(|file| file.starts_with("fuzz/fuzz_targets/")).collect();
    let unlisted = files
        .iter()
        .filter(|file| !listed.iter().any(|path| path == *file))
        .map(|file| Finding::new(file, 1, "this fuzz target is not built", "add a [[bin]] for it to fuzz/Cargo.toml"));
    let gone = listed.iter().filter(|path| !files.contains(&path.as_str())).map(|path| {
        Finding::new(
            FUZZ_MANIFEST,
            1,
            format!("{path} is listed and does not exist"),
            "remove its [[bin]], or write it",
        )
    });
    unlisted.chain(gone).collect()
}

/// A runner that opens the folder of all topics and goes through them has this in its source.
const RUNS_ALL: &str = "join(\"cases\");";

/// Every folder of cases, `crates/<crate>/cases/<topic>/`, is named in a source of its crate, or nothing reads it.
pub(super) fn cases(tree: &Tree) -> Vec<Finding> {
    let mut topics: Vec<(&str, &str)> = tree.files.keys().filter_map(|file| topic(file)).collect();
    topics.dedup();
    let unread = topics.into_iter().filter(|(home, topic)| {
        let sources = tree.texts(".rs").filter(|(file, _)| file.starts_with(home));
        let names = [format!("cases/{topic}"), format!("\"{topic}\""), RUNS_ALL.to_owned()];
        let named = |text: &str| names.iter().any(|name| text.contains(name));
        !{ sources }.any(|(_, text)| named(text))
    });
    let findings = unread.map(|(home, topic)| {
        let what = "no test of the crate names this folder of cases";
        Finding::new(&format!("{home}cases/{topic}"), 1, what, "read it in a test, or remove it")
    });
    findings.collect()
}

/// The crate's folder (with its slash) and the topic of a case file.
fn topic(file: &str) -> Option<(&str, &str)> {
    let position = file.starts_with("crates/").then(|| file.find("/cases/"))??;
    let (topic, _) = file[position + "/cases/".len()..].split_once('/')?;
    Some((&file[..=position], topic))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(findings: &[Finding]) -> Vec<&str> {
        findings.iter().map(|finding| finding.what.as_str()).collect()
    }

    #[test]
    fn every_crate_is_on_the_map() {
        let files = [
            (MAP, "| `crates/base` | words |\n| `crates/models/*` | tables |\n"),
            ("Cargo.toml", ""),
            ("crates/base/Cargo.toml", ""),
            ("crates/models/iam/Cargo.toml", ""),
            ("crates/new/Cargo.toml", ""),
            ("xtask/Cargo.toml", ""),
        ];
        assert_eq!(whats(&crates(&Tree::of(&files))), ["`crates/new` is not on the map", "`xtask` is not on the map"]);
    }

    #[test]
    fn fuzz_targets_and_their_manifest_agree() {
        let manifest = "[[bin]]\nname = \"a\"\npath = \"fuzz_targets/a.rs\"\n[[bin]]\nname = \"b\"\npath = \"fuzz_targets/b.rs\"\n";
        let tree =
            Tree::of(&[(FUZZ_MANIFEST, manifest), ("fuzz/fuzz_targets/a.rs", ""), ("fuzz/fuzz_targets/c.rs", "")]);
        assert_eq!(
            whats(&fuzz_targets(&tree)),
            ["this fuzz target is not built", "fuzz/fuzz_targets/b.rs is listed and does not exist"]
        );
        assert_eq!(fuzz_targets(&Tree::of(&[("src/a.rs", "")])), []);
    }

    #[test]
    fn cases_are_read_by_a_test() {
        let tree = Tree::of(&[
            ("crates/templates/cases/vtl/set.txt", ""),
            ("crates/templates/cases/vtl/if.txt", ""),
            ("crates/templates/cases/lost/x.txt", ""),
            ("crates/templates/src/vtl/tests.rs", "const CASES: &str = \"cases/vtl\";"),
            ("crates/gateway/src/lib.rs", "\"cases/lost\""),
            ("crates/apis/cases/stages/x.txt", ""),
            ("crates/apis/tests/it/cases.rs", "let root = folder.join(\"cases\");"),
        ]);
        let findings = cases(&tree);
        assert_eq!(
            findings.iter().map(|finding| finding.file.as_str()).collect::<Vec<_>>(),
            ["crates/templates/cases/lost"]
        );
    }
}
