//! Which crate may know which: the walls that ARCHITECTURE.md explains, as tables.

use toml::{Table, Value};

use super::{Finding, Tree};

/// Our own crates, and which of our own crates each may depend on. A crate that is not here is refused, so that a new
/// one is thought about.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("sigv4", &["base"]),
    ("templates", &[]),
    ("plan", &["base", "templates"]),
    ("wire", &["base"]),
    ("store", &["base"]),
    ("gateway", &["base", "sigv4", "plan", "templates"]),
    ("apis", &["base", "wire", "store", "plan", "templates", "model-apigateway"]),
    ("functions", &["base", "wire", "store", "model-lambda"]),
    ("identity", &["base", "wire", "store", "model-iam", "model-sts"]),
    ("observe", &["base", "wire", "store", "model-logs"]),
    ("model-apigateway", &["base"]),
    ("model-lambda", &["base"]),
    ("model-iam", &["base"]),
    ("model-logs", &["base"]),
    ("model-sts", &["base"]),
    (
        "frontgate",
        &[
            "base",
            "wire",
            "store",
            "plan",
            "templates",
            "gateway",
            "apis",
            "functions",
            "identity",
            "observe",
            "sigv4",
            "model-apigateway",
            "model-lambda",
            "model-iam",
            "model-logs",
            "model-sts",
        ],
    ),
    ("codegen", &[]),
    // A sample application of the end-to-end tests.
    ("notes", &[]),
    ("xtask", &["codegen"]),
    (
        "fuzz",
        &[
            "base",
            "sigv4",
            "wire",
            "store",
            "plan",
            "templates",
            "gateway",
            "apis",
            "functions",
            "identity",
            "observe",
            "model-apigateway",
            "model-lambda",
            "model-iam",
            "model-logs",
            "model-sts",
        ],
    ),
];

/// Libraries that only some crates may use, and why.
const ONLY_FOR: &[(&str, &[&str], &str)] = &[
    ("rusqlite", &["store"], "only the store knows SQL"),
    ("clap", &["frontgate"], "only the program knows its command line"),
    ("anyhow", &["frontgate", "codegen", "xtask"], "a library's errors are types, so that callers can tell them apart"),
    ("tracing-subscriber", &["frontgate"], "only the program decides where the log goes"),
    (
        "hyper",
        &["gateway", "functions", "frontgate"],
        "HTTP on sockets belongs to the data plane and the functions' runtime API",
    ),
    (
        "hyper-util",
        &["gateway", "functions", "frontgate"],
        "HTTP on sockets belongs to the data plane and the functions' runtime API",
    ),
    ("rustls", &["gateway", "frontgate"], "TLS belongs to the listener and to the upstream client"),
    ("zip", &["functions"], "archives are a function's code and are unpacked in one place, which bounds them"),
];

/// Crates that do no I/O, and what they therefore cannot use.
const NO_IO: &[&str] =
    &["base", "templates", "plan", "model-apigateway", "model-lambda", "model-iam", "model-logs", "model-sts", "sigv4"];
const IO_LIBRARIES: &[&str] =
    &["tokio", "hyper", "hyper-util", "hyper-rustls", "rusqlite", "rustix", "socket2", "tokio-rustls", "tempfile"];

/// Checks the tables against every Cargo.toml. Tests may depend on more: only what is built into the product counts.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let manifests: Vec<Manifest> =
        tree.texts("Cargo.toml").filter_map(|(file, text)| Manifest::read(file, text)).collect();
    let ours: Vec<&str> = manifests.iter().map(|manifest| manifest.name.as_str()).collect();
    manifests.iter().flat_map(|manifest| manifest.findings(&ours)).collect()
}

struct Manifest {
    file: String,
    text: String,
    name: String,
    dependencies: Vec<String>,
}

impl Manifest {
    /// Nothing for a manifest without a package, as the workspace's own is.
    fn read(file: &str, text: &str) -> Option<Manifest> {
        let table: Table = text.parse().ok()?;
        let name = table.get("package")?.get("name")?.as_str()?.to_owned();
        let mut dependencies = Vec::new();
        let targets = table.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
        for section in std::iter::once(&Value::Table(table.clone())).chain(targets) {
            for kind in ["dependencies", "build-dependencies"] {
                let Some(entries) = section.get(kind).and_then(Value::as_table) else { continue };
                // A renamed dependency counts by its real name, or the wall would be a matter of spelling.
                dependencies.extend(
                    entries
                        .iter()
                        .map(|(key, entry)| entry.get("package").and_then(Value::as_str).unwrap_or(key).to_owned()),
                );
            }
        }
        Some(Manifest { file: file.to_owned(), text: text.to_owned(), name, dependencies })
    }

    fn findings(&self, ours: &[&str]) -> Vec<Finding> {
        let Some((_, may_know)) = MAY_KNOW.iter().find(|(name, _)| *name == self.wall_name()) else {
            let next = "say in xtask/src/tidy/walls.rs what it may know, and in ARCHITECTURE.md what it is for";
            return vec![self.finding(
                "name",
                format!("the crate `{}` has no row in the table of walls", self.name),
                next,
            )];
        };
        let refusals = self.dependencies.iter().filter_map(|dependency| {
            let why = self.refusal(dependency, ours, may_know)?;
            let what = format!("`{}` depends on `{dependency}`", self.name);
            Some(self.finding(dependency, what, why))
        });
        refusals.collect()
    }

    fn wall_name(&self) -> &str {
        if self.file.starts_with("fuzz/") { "fuzz" } else { &self.name }
    }

    /// Why the dependency is not allowed, and what to do.
    fn refusal(&self, dependency: &str, ours: &[&str], may_know: &[&str]) -> Option<String> {
        if ours.contains(&dependency) {
            let known = if may_know.is_empty() { "none of our crates".to_owned() } else { may_know.join(", ") };
            let next =
                format!("it may know {known}; let the two meet through a trait in `base::seams`, wired in `frontgate`");
            return (!may_know.contains(&dependency)).then_some(next);
        }
        if NO_IO.contains(&self.wall_name()) && IO_LIBRARIES.contains(&dependency) {
            return Some(
                "this crate does no I/O: take the result as a parameter, or move the code to a crate that does".into(),
            );
        }
        let (_, users, why) = ONLY_FOR.iter().find(|(library, _, _)| *library == dependency)?;
        let outside = !users.contains(&self.wall_name()) && self.wall_name() != "fuzz";
        outside.then(|| format!("{why}: only {} may use it", users.join(", ")))
    }

    fn finding(&self, word: &str, what: String, next: impl Into<String>) -> Finding {
        let line = self.text.lines().position(|line| line.trim_start().starts_with(word)).unwrap_or(0) + 1;
        Finding::new(&self.file, line, what, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(name: &str, rest: &str) -> String {
        format!("[package]\nname = \"{name}\"\n{rest}")
    }

    fn whats(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files))
            .iter()
            .map(|finding| format!("{}:{} {}", finding.file, finding.line, finding.what))
            .collect()
    }

    #[test]
    fn what_the_table_allows_passes() {
        let plan =
            manifest("plan", "[dependencies]\nbase.workspace = true\n[dev-dependencies]\nstore.workspace = true\n");
        let (base, store) = (manifest("base", ""), manifest("store", "[dependencies]\nrusqlite = \"1\"\n"));
        assert_eq!(
            whats(&[("crates/plan/Cargo.toml", &plan), ("b/Cargo.toml", &base), ("s/Cargo.toml", &store)]),
            [""; 0]
        );
        assert_eq!(whats(&[("Cargo.toml", "[workspace]\nmembers = []\n")]), [""; 0]);
    }

    #[test]
    fn a_crate_behind_the_wall_is_found_with_its_line() {
        let gateway = manifest("gateway", "[dependencies]\nplan.workspace = true\nstore.workspace = true\n");
        let files = [
            ("crates/gateway/Cargo.toml", gateway.as_str()),
            ("p/Cargo.toml", &manifest("plan", "")),
            ("s/Cargo.toml", &manifest("store", "")),
        ];
        assert_eq!(whats(&files), ["crates/gateway/Cargo.toml:5 `gateway` depends on `store`"]);
    }

    #[test]
    fn a_new_name_does_not_climb_the_wall() {
        let base = manifest("base", "[dependencies]\ndatabase = { package = \"rusqlite\", version = \"1\" }\n");
        assert_eq!(
            whats(&[("crates/base/Cargo.toml", &base)]),
            ["crates/base/Cargo.toml:1 `base` depends on `rusqlite`"]
        );
        let base = manifest("base", "[target.'cfg(unix)'.dependencies]\ntokio = \"1\"\n");
        assert_eq!(whats(&[("crates/base/Cargo.toml", &base)]), ["crates/base/Cargo.toml:4 `base` depends on `tokio`"]);
    }

    #[test]
    fn a_crate_without_a_row_is_found() {
        assert_eq!(
            whats(&[("crates/new/Cargo.toml", &manifest("new", ""))]),
            ["crates/new/Cargo.toml:2 the crate `new` has no row in the table of walls"]
        );
    }

    #[test]
    fn the_table_has_no_circles() {
        fn reaches(from: &str, to: &str) -> bool {
            let known = MAY_KNOW.iter().find(|(name, _)| *name == from).map_or(&[][..], |(_, known)| known);
            known.iter().any(|known| *known == to || reaches(known, to))
        }
        for (name, _) in MAY_KNOW {
            assert!(!reaches(name, name), "{name} may know itself");
        }
    }
}
