//! Links in Markdown documents to files of the repository.

use super::{Finding, Tree};

/// Links that lead nowhere. Addresses with a scheme and links inside the page are not followed.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let found = tree.texts(".md").flat_map(|(file, text)| {
        let broken = links(text).into_iter().filter(|(_, link)| !tree.has(&resolve(file, link)));
        broken.map(move |(line, link)| {
            let what = format!("the link to `{link}` leads nowhere");
            Finding::new(file, line, what, "mend the path (it counts from this document), or remove the link")
        })
    });
    found.collect()
}

/// The local links of a document with their lines; code blocks and code spans are not read.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    let mut in_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            // Every second piece between backticks is code.
            let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
            let targets = prose.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
            let paths = targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:"));
            let paths = paths.filter_map(|target| target.split('#').next()).filter(|path| !path.is_empty());
            links.extend(paths.map(|path| (index + 1, path.to_owned())));
        }
    }
    links
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
}
