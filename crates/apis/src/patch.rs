//! JSON Patch as API Gateway v1 speaks it: operations on named paths of a resource, in order, all or nothing.
//!
//! What may be patched is data: each resource has a [`Table`] of paths and the operations that they take. The engine
//! finds the place of each operation and refuses in AWS's words; the resource's own function then carries it out on
//! a copy, which is stored only if every operation went well.

use model_apigateway::PatchOperation;

use crate::refusal::{Answer, Refusal};

/// The most operations that one request may have. The bound is ours: AWS names none.
const MAXIMUM_OPERATIONS: usize = 1_000;

/// The operations of JSON Patch that some path takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Add,
    Remove,
    Replace,
    Copy,
}

impl Op {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Op::Add => "add",
            Op::Remove => "remove",
            Op::Replace => "replace",
            Op::Copy => "copy",
        }
    }

    fn parse(text: &str) -> Option<Op> {
        [Op::Add, Op::Remove, Op::Replace, Op::Copy].into_iter().find(|op| op.text() == text)
    }
}

/// How AWS words the refusal of a path: there are two families of resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wording {
    /// Resources of plain members: the text lists what may be patched.
    Listing,
    /// Resources with maps inside: the text names the path alone, or the operations that the path takes.
    Terse,
    /// Gateway responses: the text names the path alone, whether it is the path or the operation that is wrong.
    PathAlone,
}

/// What may be patched of one kind of resource.
pub(crate) struct Table {
    pub(crate) wording: Wording,
    /// Paths and the operations that each takes; a segment `{}` stands for any one key.
    pub(crate) entries: &'static [(&'static str, &'static [Op])],
}

/// One operation whose place is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) op: Op,
    /// The entry of the table.
    pub(crate) place: &'static str,
    /// What stands for `{}`, unescaped; empty where the entry has none.
    pub(crate) key: String,
    /// The value; absent and `null` are the same.
    pub(crate) value: Option<String>,
}

impl Edit {
    /// The value as text, absent as empty.
    pub(crate) fn text(&self) -> &str {
        self.value.as_deref().unwrap_or("")
    }

    /// The value as a flag: anything but `true` is false, as AWS takes it.
    pub(crate) fn flag(&self) -> bool {
        self.text().eq_ignore_ascii_case("true")
    }

    /// The new content of an optional text: none when it is removed or emptied.
    pub(crate) fn optional(&self) -> Option<String> {
        match self.op {
            Op::Remove => None,
            _ => self.value.clone().filter(|value| !value.is_empty()),
        }
    }
}

impl Table {
    /// Carries out `operations` in order on `target` by `apply`, stopping at the first refusal.
    pub(crate) fn patch<T>(
        &self,
        operations: Option<Vec<PatchOperation>>,
        target: &mut T,
        mut apply: impl FnMut(&mut T, Edit) -> Answer<()>,
    ) -> Answer<()> {
        let operations = operations.unwrap_or_default();
        check_count(operations.len())?;
        for operation in operations {
            let edit = self.place(operation)?;
            apply(target, edit)?;
        }
        Ok(())
    }

    fn place(&self, operation: PatchOperation) -> Answer<Edit> {
        let path = operation.path.ok_or_else(|| Refusal::bad_request("Invalid patch path null"))?;
        let op_text = operation.op.unwrap_or_default();
        let op = Op::parse(&op_text);
        let found = self.entries.iter().find_map(|(place, ops)| Some((*place, *ops, match_path(place, &path)?)));
        match (found, op) {
            (Some((place, ops, key)), Some(op)) if ops.contains(&op) => {
                Ok(Edit { op, place, key, value: operation.value })
            }
            (Some((_, ops, _)), _) if self.wording == Wording::Terse => Err(Refusal::BadRequest(format!(
                "Invalid patch operation specified. Must be one of: [{}]",
                op_list(ops)
            ))),
            _ if self.wording != Wording::Listing => Err(Refusal::BadRequest(format!("Invalid patch path {path}"))),
            (_, op) => Err(self.unlisted(&path, &op_text, op)),
        }
    }

    fn unlisted(&self, path: &str, op_text: &str, op: Option<Op>) -> Refusal {
        let takes = |ops: &[Op]| op.is_some_and(|op| ops.contains(&op));
        let listed: Vec<&str> = self.entries.iter().filter(|(_, ops)| takes(ops)).map(|(path, _)| *path).collect();
        let advice = if listed.is_empty() {
            "Please choose supported operations".to_owned()
        } else {
            format!("Must be one of: [{}]", listed.join(", "))
        };
        // Two blanks, as AWS sends it.
        Refusal::BadRequest(format!("Invalid patch path  '{path}' specified for op '{op_text}'. {advice}"))
    }
}

/// Bounds the work of one request, which holds the API's lock.
pub(crate) fn check_count(operations: usize) -> Answer<()> {
    match operations <= MAXIMUM_OPERATIONS {
        true => Ok(()),
        false => Err(Refusal::BadRequest(format!("A request can have at most {MAXIMUM_OPERATIONS} patch operations."))),
    }
}

/// What a path says where `place` has `{}`; `None` if it is another place.
fn match_path(place: &str, path: &str) -> Option<String> {
    let mut wanted = place.strip_prefix('/')?.split('/');
    let mut given = path.strip_prefix('/')?.split('/');
    let mut key = String::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(key),
            (Some("{}"), Some(segment)) if !segment.is_empty() => key = unescape(segment),
            (Some(wanted), Some(given)) if wanted == given => {}
            _ => return None,
        }
    }
}

/// Undoes the escapes of a JSON pointer: `~1` is `/`, `~0` is `~`.
pub(crate) fn unescape(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

fn op_list(ops: &[Op]) -> String {
    ops.iter().map(|op| op.text()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const METHOD: Table = Table {
        wording: Wording::Terse,
        entries: &[("/operationName", &[Op::Replace]), ("/requestModels/{}", &[Op::Add, Op::Remove, Op::Replace])],
    };
    const MODEL: Table =
        Table { wording: Wording::Listing, entries: &[("/description", &[Op::Replace]), ("/schema", &[Op::Replace])] };

    fn operation(op: &str, path: &str) -> PatchOperation {
        PatchOperation { op: Some(op.into()), path: Some(path.into()), value: Some("v".into()), from: None }
    }

    /// Checks what one operation comes to: `place key` or the text of the refusal.
    fn check(table: &Table, op: &str, path: &str, expected: &str) {
        let outcome = match table.place(operation(op, path)) {
            Ok(edit) => format!("{} {}", edit.place, edit.key),
            Err(Refusal::BadRequest(text)) => text,
            Err(other) => format!("{other:?}"),
        };
        assert_eq!(outcome, expected);
    }

    #[test]
    fn finds_places_and_refuses_in_awss_words() {
        check(&METHOD, "add", "/requestModels/application~1json", "/requestModels/{} application/json");
        check(&METHOD, "add", "/requestModels/a~01b", "/requestModels/{} a~1b");
        check(&METHOD, "add", "/requestModels/application/json", "Invalid patch path /requestModels/application/json");
        check(&METHOD, "replace", "/requestParameters", "Invalid patch path /requestParameters");
        check(&METHOD, "add", "/operationName", "Invalid patch operation specified. Must be one of: [replace]");
        check(&METHOD, "test", "/operationName", "Invalid patch operation specified. Must be one of: [replace]");
        check(&METHOD, "replace", "operationName", "Invalid patch path operationName");
        check(&METHOD, "add", "/requestModels/", "Invalid patch path /requestModels/");
        check(
            &MODEL,
            "replace",
            "/name",
            "Invalid patch path  '/name' specified for op 'replace'. Must be one of: [/description, /schema]",
        );
        check(
            &MODEL,
            "add",
            "/wrong-path",
            "Invalid patch path  '/wrong-path' specified for op 'add'. Please choose supported operations",
        );
    }

    #[test]
    fn stops_at_the_first_refusal() {
        let operations = vec![operation("replace", "/operationName"), PatchOperation::default()];
        let mut seen = 0;
        let outcome = METHOD.patch(Some(operations), &mut seen, |seen, _| {
            *seen += 1;
            Ok(())
        });
        assert_eq!(outcome, Err(Refusal::bad_request("Invalid patch path null")));
        assert_eq!(seen, 1);
    }

    #[test]
    fn bounds_the_number_of_operations() {
        let operations = vec![operation("replace", "/operationName"); MAXIMUM_OPERATIONS + 1];
        assert!(METHOD.patch(Some(operations), &mut (), |_, _| Ok(())).is_err());
    }
}
