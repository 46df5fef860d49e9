//! What every source file keeps to: its size, its first line, and the words that must not stand in it.

use super::{Finding, Tree};

/// Lines a source file may have. The aim is 500; beyond this, a file holds more than one thing.
const MOST_LINES: usize = 800;

/// Endings of the files whose size is checked.
const SOURCES: [&str; 6] = [".rs", ".py", ".mjs", ".js", ".ts", ".tsx"];

/// Tables that are long because they list, not because they do.
const TABLES: [&str; 0] = [];

/// The first line of a generated file starts so.
const GENERATED: &str = "// @generated";

fn is_generated(text: &str) -> bool {
    text.starts_with(GENERATED)
}

/// Files of more lines than a reader keeps in mind.
pub(super) fn sizes(tree: &Tree) -> Vec<Finding> {
    let sources = SOURCES.iter().flat_map(|ending| tree.texts(ending));
    let hand_written = sources.filter(|(file, text)| !is_generated(text) && !TABLES.contains(file));
    let sized = hand_written.map(|(file, text)| (file, text.lines().count()));
    let long = sized.filter(|(_, lines)| *lines > MOST_LINES).map(|(file, lines)| {
        let what = format!("{lines} lines; {MOST_LINES} is the most, under 500 the aim");
        Finding::new(file, MOST_LINES + 1, what, "move one of the things it does into a file of its own")
    });
    long.collect()
}

/// Rust files that do not say on their first line what they are for (a generated one: on its second).
pub(super) fn first_lines(tree: &Tree) -> Vec<Finding> {
    let lacking = tree.texts(".rs").filter_map(|(file, text)| {
        let number = if is_generated(text) { 2 } else { 1 };
        let line = text.lines().nth(number - 1).unwrap_or_default();
        let says = line.strip_prefix("//! ").is_some_and(|words| words.trim().len() >= 8);
        let what = "the file does not say what it is for";
        (!says).then(|| Finding::new(file, number, what, "start it with `//! ` and one sentence"))
    });
    lacking.collect()
}

/// Words that must not stand in files with these endings, the reason, and the files where they may. The words are in two
/// halves, so that this table does not find itself.
struct Forbidden {
    word: [&'static str; 2],
    endings: &'static [&'static str],
    what: &'static str,
    next: &'static str,
    except: &'static [&'static str],
}

const ANY: &[&str] = &[""];

const FORBIDDEN: &[Forbidden] = &[
    Forbidden {
        word: ["/wo", "rk/"],
        endings: ANY,
        what: "a path of one machine",
        next: "use a path from the repository's root, or an example such as /srv",
        except: &[],
    },
    Forbidden {
        word: ["/ro", "ot/"],
        endings: ANY,
        what: "a path of one machine",
        next: "use a path from the repository's root, or an example such as /home/me",
        except: &[],
    },
    Forbidden {
        word: ["../sha", "red"],
        endings: ANY,
        what: "a folder that a clone does not have",
        next: "commit what is needed, or do without",
        // Where the folder exists its recorded cases are run too; without it the run is whole.
        except: &[".ci/run"],
    },
    Forbidden {
        word: ["#[ign", "ore"],
        endings: &[".rs"],
        what: "a test that is not run",
        next: "assert today's behaviour and note what is wrong with it, or remove the test",
        except: &[],
    },
    Forbidden {
        word: ["[al", "low("],
        endings: &[".rs"],
        what: "a lint is silenced",
        next: "mend the cause; where the lint is wrong use `#[expect(..., reason = \"...\")]`, which ends with its cause",
        except: &[],
    },
    Forbidden {
        word: ["pytest.mark.", "skip"],
        endings: &[".py"],
        what: "a test that may not be run",
        next: "make what it needs part of the set-up of `make test`",
        except: &[],
    },
];

/// Paths of one machine, tests that do not run, silenced lints.
pub(super) fn forbidden_words(tree: &Tree) -> Vec<Finding> {
    FORBIDDEN.iter().flat_map(|rule| rule.findings(tree)).collect()
}

impl Forbidden {
    fn findings(&self, tree: &Tree) -> Vec<Finding> {
        let files = self.endings.iter().flat_map(|ending| tree.texts(ending));
        let checked = files.filter(|(file, text)| !self.except.contains(file) && !is_generated(text));
        let found = checked.flat_map(|(file, text)| {
            let lines = text.lines().enumerate().filter(|(_, line)| self.stands_in(line));
            lines.map(move |(index, _)| Finding::new(file, index + 1, self.what, self.next))
        });
        found.collect()
    }

    /// A path counts where it starts, not as the end of a longer one ("frame/work/...").
    fn stands_in(&self, line: &str) -> bool {
        let word = self.word.concat();
        line.match_indices(&word).any(|(position, _)| {
            let before = line[..position].chars().next_back();
            !word.starts_with('/') || before.is_none_or(|before| !before.is_alphanumeric() && !"-_.}>".contains(before))
        })
    }
}

/// What starts a statement in the database's language, and what must follow on the same line.
const STATEMENTS: [(&str, &str); 7] = [
    ("SELECT ", " FROM "),
    ("INSERT INTO ", ""),
    ("DELETE FROM ", ""),
    ("UPDATE ", " SET "),
    ("CREATE TABLE ", ""),
    ("ALTER TABLE ", ""),
    ("PRAGMA ", ""),
];

/// Statements of the database's language in the product outside the store.
pub(super) fn sql(tree: &Tree) -> Vec<Finding> {
    let outside =
        tree.texts(".rs").filter(|(file, _)| file.starts_with("crates/") && !file.starts_with("crates/store/"));
    let found = outside.flat_map(|(file, text)| {
        let lines = text.lines().enumerate().filter(|(_, line)| is_statement(line));
        lines.map(move |(index, _)| {
            Finding::new(file, index + 1, "SQL outside the store", "give the store a method that says what is wanted")
        })
    });
    found.collect()
}

fn is_statement(line: &str) -> bool {
    let code = line.trim_start();
    !code.starts_with("//")
        && STATEMENTS.iter().any(|(start, then)| {
            let in_text = code.split_once('"').and_then(|(_, text)| text.trim_start().strip_prefix(start));
            in_text.is_some_and(|rest| rest.contains(then) || format!(" {rest}").contains(then))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(findings: &[Finding]) -> Vec<(String, usize)> {
        findings.iter().map(|finding| (finding.file.clone(), finding.line)).collect()
    }

    #[test]
    fn long_files_are_found_and_generated_ones_are_not() {
        let text = |lines: usize| "x\n".repeat(lines);
        let (fits, long, generated) =
            (text(MOST_LINES), text(MOST_LINES + 1), format!("{GENERATED} by x\n{}", text(2000)));
        let tree =
            Tree::of(&[("fits.rs", &fits), ("long.py", &long), ("generated.rs", &generated), ("long.md", &long)]);
        assert_eq!(lines(&sizes(&tree)), [("long.py".to_owned(), MOST_LINES + 1)]);
    }

    #[test]
    fn a_file_says_first_what_it_is_for() {
        let tree = Tree::of(&[
            ("good.rs", "//! The words that all share.\n"),
            ("generated.rs", "// @generated by x\n//! The shapes of a service.\n"),
            ("empty.rs", ""),
            ("late.rs", "use std::fmt;\n//! Too late.\n"),
            ("short.rs", "//! Tests\n"),
            ("generated_bare.rs", "// @generated by x\nuse std::fmt;\n"),
        ]);
        let expected = [("empty.rs", 1), ("generated_bare.rs", 2), ("late.rs", 1), ("short.rs", 1)];
        assert_eq!(lines(&first_lines(&tree)), expected.map(|(file, line)| (file.to_owned(), line)));
    }

    #[test]
    fn forbidden_words_are_found_where_they_count() {
        let path = ["see /wo", "rk/notes\n"].concat();
        let inner = ["net/wo", "rk/notes and frame/wo", "rk/x\n"].concat();
        let ignored = ["\n#[ign", "ore]\nfn test() {}\n"].concat();
        let tree = Tree::of(&[("a.md", &path), ("b.md", &inner), ("c.rs", &ignored), ("c.md", &ignored)]);
        assert_eq!(lines(&forbidden_words(&tree)), [("a.md".to_owned(), 1), ("c.rs".to_owned(), 2)]);
    }

    #[test]
    fn statements_belong_to_the_store() {
        let select = "let rows = query(\"SELECT id FROM apis\");\n";
        let words = "// \"SELECT id FROM apis\"\nlog(\"please SELECT one FROM these\");\nlog(\"UPDATE of stage\");\n";
        let insert = "execute(\"INSERT INTO apis VALUES (1)\");\nexecute(\"UPDATE apis SET x = 1\");\n";
        let tree = Tree::of(&[
            ("crates/store/src/a.rs", select),
            ("crates/apis/src/a.rs", select),
            ("crates/apis/src/b.rs", words),
            ("crates/gateway/src/c.rs", insert),
        ]);
        let expected = [("crates/apis/src/a.rs", 1), ("crates/gateway/src/c.rs", 1), ("crates/gateway/src/c.rs", 2)];
        assert_eq!(lines(&sql(&tree)), expected.map(|(file, line)| (file.to_owned(), line)));
    }
}
