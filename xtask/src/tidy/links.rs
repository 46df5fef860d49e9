//! Links and paths in Markdown documents to files of the repository.

use super::{Finding, Tree};

/// Links that lead nowhere, and paths that are named and do not exist. Addresses with a scheme and links inside the page
/// are not followed.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let found = tree.texts(".md").flat_map(|(file, text)| {
        let broken = links(text).into_iter().filter(|(_, link)| !tree.has(&resolve(file, link)));
        let broken = broken.map(move |(line, link)| {
            let what = format!("the link to `{link}` leads nowhere");
            Finding::new(file, line, what, "mend the path (it counts from this document), or remove the link")
        });
        let gone = paths(text).into_iter().filter(|(_, path)| !stands_somewhere(tree, file, path));
        let gone = gone.map(move |(line, path)| {
            let what = format!("`{path}` does not exist");
            Finding::new(file, line, what, "name the path as it is now, from the repository's root or the crate's")
        });
        broken.chain(gone)
    });
    found.collect()
}

/// Whether there is such a path, counted from the root or from a folder that the document is in.
fn stands_somewhere(tree: &Tree, document: &str, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    let folders = document.match_indices('/').map(|(end, _)| &document[..end]);
    tree.has(path) || folders.into_iter().any(|folder| tree.has(&format!("{folder}/{path}")))
}

/// Folders of the root: a code span that starts with one is a path.
const FOLDERS: [&str; 9] =
    ["crates/", "codegen/", "docs/", "examples/", "fuzz/", "scripts/", "tests/", "xtask/", "benches/"];

/// The paths from the root that a document names in code spans, with their lines; patterns and words with blanks are not
/// paths.
fn paths(text: &str) -> Vec<(usize, String)> {
    let spans =
        prose_lines(text).flat_map(|(number, line)| line.split('`').skip(1).step_by(2).map(move |span| (number, span)));
    let named = spans.filter(|(_, span)| FOLDERS.iter().any(|folder| span.starts_with(folder)));
    let plain = named.filter(|(_, span)| !span.contains(['*', '<', '{', ' ', '$']));
    plain.map(|(number, span)| (number, span.to_owned())).collect()
}

/// The local links of a document with their lines; code spans are not read.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (number, line) in prose_lines(text) {
        // Every second piece between backticks is code.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        let paths = targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:"));
        let paths = paths.filter_map(|target| target.split('#').next()).filter(|path| !path.is_empty());
        links.extend(paths.map(|path| (number, path.to_owned())));
    }
    links
}

/// The lines outside code blocks, with their numbers.
fn prose_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        (!in_code && !is_fence).then_some((index + 1, line))
    })
}

/// The path from the root of a link in a document.
fn resolve(document: &str, link: &str) -> String {
    let folder = document.rsplit_once('/').map_or("", |(folder, _)| folder);
    let start = if link.starts_with('/') { "" } else { folder };
    let mut parts: Vec<&str> = Vec::new();
    for part in start.split('/').chain(link.split('/')) {
        match part {
            "" | "." => {}
            // Above the root there is nothing that a clone has.
            ".." if parts.is_empty() => return "..".to_owned(),
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let page = "[a](other.md) [b](../README.md#top) [c](https://example.com/x) [d](#here)\n\
                    [folder](decisions/) [gone](gone.md)\n\
                    ```\n[code](nowhere.md)\n```\n\
                    `[span](nowhere.md)` and [up](../../outside.md) [title](lost.md \"words\")\n";
        let tree =
            Tree::of(&[("docs/page.md", page), ("docs/other.md", ""), ("README.md", ""), ("docs/decisions/1.md", "")]);
        let found: Vec<(usize, String)> =
            check(&tree).into_iter().map(|finding| (finding.line, finding.what)).collect();
        let expected = [(2, "gone.md"), (6, "../../outside.md"), (6, "lost.md")];
        assert_eq!(found, expected.map(|(line, link)| (line, format!("the link to `{link}` leads nowhere"))));
    }

    #[test]
    fn paths_that_do_not_exist_are_found() {
        let page = "`crates/base/src/lib.rs`, `crates/base/`, `crates/models/*`\n`crates/gone.rs` and `other/gone.rs`\n\
                    ```text\n`crates/code.rs`\n```\n";
        let inner = ("crates/base/fixtures/README.md", "`tests/it.rs` and `tests/gone.rs`");
        let tree =
            Tree::of(&[("docs/page.md", page), inner, ("crates/base/src/lib.rs", ""), ("crates/base/tests/it.rs", "")]);
        let found: Vec<(usize, String)> =
            check(&tree).into_iter().map(|finding| (finding.line, finding.what)).collect();
        assert_eq!(
            found,
            [(1, "tests/gone.rs"), (2, "crates/gone.rs")]
                .map(|(line, path)| (line, format!("`{path}` does not exist")))
        );
    }
}
