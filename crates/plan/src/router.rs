//! The resource tree of an API as a trie: literal segments, then `{name}`, then `{name+}`, with backtracking.
//!
//! The order of choice per segment is AWS's (REST data plane, section 3). A greedy variable takes one or more
//! segments, never none. Whether a resource serves the request's verb is part of the search, so a literal resource
//! that does not serve it gives way to a `{proxy+}` that does.

use std::ops::Range;
use std::sync::Arc;

/// A trie from path templates to `T`.
#[derive(Debug)]
pub struct Router<T> {
    nodes: Vec<Node<T>>,
}

#[derive(Debug)]
struct Node<T> {
    /// Sorted by segment.
    literals: Vec<(Box<str>, usize)>,
    variable: Option<(Arc<str>, usize)>,
    greedy: Option<(Arc<str>, T)>,
    value: Option<T>,
}

/// The values of a path's variables: names, and where each value lies in the path.
pub type Captures = Vec<(Arc<str>, Range<usize>)>;

/// Why a path template cannot be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteConflict {
    /// The same path is there already.
    Exists,
    /// Another variable name stands at the same place.
    Variable,
    /// A greedy variable must be the last segment.
    AfterGreedy,
}

impl<T> Default for Router<T> {
    fn default() -> Self {
        Router { nodes: vec![Node::new()] }
    }
}

impl<T> Node<T> {
    fn new() -> Node<T> {
        Node { literals: Vec::new(), variable: None, greedy: None, value: None }
    }
}

impl<T> Router<T> {
    /// Adds a resource by its path template, for example `/items/{id}` or `/files/{proxy+}`; `/` is the root.
    pub fn insert(&mut self, template: &str, value: T) -> Result<(), RouteConflict> {
        let mut node = 0;
        let mut segments = template.trim_matches('/').split('/').filter(|segment| !segment.is_empty()).peekable();
        while let Some(segment) = segments.next() {
            let name = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            node = match name {
                Some(name) if name.ends_with('+') => {
                    if segments.peek().is_some() {
                        return Err(RouteConflict::AfterGreedy);
                    }
                    let slot = &mut self.nodes[node].greedy;
                    if slot.is_some() {
                        return Err(RouteConflict::Exists);
                    }
                    *slot = Some((name.trim_end_matches('+').into(), value));
                    return Ok(());
                }
                Some(name) => self.variable_child(node, name)?,
                None => self.literal_child(node, segment),
            };
        }
        if self.nodes[node].value.is_some() {
            return Err(RouteConflict::Exists);
        }
        self.nodes[node].value = Some(value);
        Ok(())
    }

    /// Finds the first resource, in AWS's order of choice, that `accept` takes; fills `captures` with its variables.
    ///
    /// `path` is as the client sent it, without query, percent-escapes kept. Slashes at its start and end do not count.
    pub fn find<'r>(&'r self, path: &str, captures: &mut Captures, accept: impl Fn(&T) -> bool) -> Option<&'r T> {
        captures.clear();
        let start = path.len() - path.trim_start_matches('/').len();
        let end = path.trim_end_matches('/').len();
        self.descend(0, path, start, end, captures, &accept)
    }

    /// The resource whose path template is exactly `template`.
    pub fn exact(&self, template: &str) -> Option<&T> {
        let mut node = &self.nodes[0];
        for segment in template.trim_matches('/').split('/').filter(|segment| !segment.is_empty()) {
            let name = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            node = match name {
                Some(name) if name.ends_with('+') => return node.greedy.as_ref().map(|(_, value)| value),
                Some(_) => &self.nodes[node.variable.as_ref()?.1],
                None => {
                    let at = node.literals.binary_search_by(|(literal, _)| literal.as_ref().cmp(segment)).ok()?;
                    &self.nodes[node.literals[at].1]
                }
            };
        }
        node.value.as_ref()
    }

    fn literal_child(&mut self, node: usize, segment: &str) -> usize {
        match self.nodes[node].literals.binary_search_by(|(literal, _)| literal.as_ref().cmp(segment)) {
            Ok(at) => self.nodes[node].literals[at].1,
            Err(at) => {
                let child = self.nodes.len();
                self.nodes.push(Node::new());
                self.nodes[node].literals.insert(at, (segment.into(), child));
                child
            }
        }
    }

    fn variable_child(&mut self, node: usize, name: &str) -> Result<usize, RouteConflict> {
        if let Some((known, child)) = &self.nodes[node].variable {
            return if known.as_ref() == name { Ok(*child) } else { Err(RouteConflict::Variable) };
        }
        let child = self.nodes.len();
        self.nodes.push(Node::new());
        self.nodes[node].variable = Some((name.into(), child));
        Ok(child)
    }

    /// Visits each node of the tree at most once for a path, for its depth fixes the segment that it sees.
    fn descend<'r>(
        &'r self,
        node: usize,
        path: &str,
        start: usize,
        end: usize,
        captures: &mut Captures,
        accept: &impl Fn(&T) -> bool,
    ) -> Option<&'r T> {
        let node = &self.nodes[node];
        if start >= end {
            return node.value.as_ref().filter(|value| accept(value));
        }
        let rest = &path[start..end];
        let length = rest.find('/').unwrap_or(rest.len());
        let segment = &rest[..length];
        // The path does not end with a slash, so that something follows each one.
        let next = (start + length + 1).min(end);
        if let Ok(at) = node.literals.binary_search_by(|(literal, _)| literal.as_ref().cmp(segment))
            && let Some(found) = self.descend(node.literals[at].1, path, next, end, captures, accept)
        {
            return Some(found);
        }
        if let Some((name, child)) = &node.variable
            && !segment.is_empty()
        {
            captures.push((Arc::clone(name), start..start + length));
            if let Some(found) = self.descend(*child, path, next, end, captures, accept) {
                return Some(found);
            }
            captures.pop();
        }
        if let Some((name, value)) = &node.greedy
            && accept(value)
        {
            captures.push((Arc::clone(name), start..end));
            return Some(value);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn router(templates: &[&'static str]) -> Router<&'static str> {
        let mut router = Router::default();
        for template in templates {
            router.insert(template, *template).unwrap();
        }
        router
    }

    /// Checks which template a path finds, and what its variables hold.
    fn check(router: &Router<&'static str>, path: &str, expected: Option<(&str, &str)>) {
        let mut captures = Captures::new();
        let found = router.find(path, &mut captures, |_| true);
        let held: Vec<String> =
            captures.iter().map(|(name, range)| format!("{name}={}", &path[range.clone()])).collect();
        assert_eq!(
            found.map(|template| (*template, held.join(","))),
            expected.map(|(t, h)| (t, h.to_owned())),
            "{path}"
        );
    }

    #[test]
    fn chooses_literal_then_variable_then_greedy() {
        let router = router(&["/", "/pets", "/pets/{id}", "/pets/{id}/toys", "/pets/mine", "/{proxy+}"]);
        check(&router, "/", Some(("/", "")));
        check(&router, "", Some(("/", "")));
        check(&router, "/pets", Some(("/pets", "")));
        check(&router, "/pets/", Some(("/pets", "")));
        check(&router, "/pets/mine", Some(("/pets/mine", "")));
        check(&router, "/pets/7", Some(("/pets/{id}", "id=7")));
        check(&router, "/pets/mine/toys", Some(("/pets/{id}/toys", "id=mine")));
        check(&router, "/pets/7/food", Some(("/{proxy+}", "proxy=pets/7/food")));
        check(&router, "/other/", Some(("/{proxy+}", "proxy=other")));
        check(&router, "/pets//", Some(("/pets", "")));
        check(&router, "//", Some(("/", "")));
        check(&router, "/other//", Some(("/{proxy+}", "proxy=other")));
    }

    #[test]
    fn keeps_a_greedy_value_as_it_was_sent() {
        let router = router(&["/{proxy+}"]);
        check(&router, "/", None);
        check(&router, "/proxy-value", Some(("/{proxy+}", "proxy=proxy-value")));
        check(&router, "//proxy-value", Some(("/{proxy+}", "proxy=proxy-value")));
        check(&router, "/proxy-value//double-slash", Some(("/{proxy+}", "proxy=proxy-value//double-slash")));
        check(&router, "/p/test%2Balias@g.com/x/", Some(("/{proxy+}", "proxy=p/test%2Balias@g.com/x")));
    }

    #[test]
    fn a_resource_that_does_not_serve_the_verb_gives_way() {
        let router = router(&["/a/b", "/a/{proxy+}"]);
        let mut captures = Captures::new();
        assert_eq!(router.find("/a/b", &mut captures, |template| template.contains('+')), Some(&"/a/{proxy+}"));
        assert_eq!(captures.len(), 1);
        assert_eq!(router.find("/a", &mut captures, |_| true), None);
        assert_eq!(router.exact("/a/{proxy+}"), Some(&"/a/{proxy+}"));
    }

    #[test]
    fn refuses_what_would_be_ambiguous() {
        let mut router = router(&["/{id}", "/x/{proxy+}"]);
        assert_eq!(router.insert("/{other}", ""), Err(RouteConflict::Variable));
        assert_eq!(router.insert("/{id}", ""), Err(RouteConflict::Exists));
        assert_eq!(router.insert("/x/{proxy+}/y", ""), Err(RouteConflict::AfterGreedy));
    }

    /// The rule, said again without a trie: walk the templates segment by segment and prefer the better kind.
    fn naive(templates: &[String], path: &str) -> Option<String> {
        let path = path.trim_start_matches('/');
        let path = path.trim_end_matches('/');
        let segments: Vec<&str> = if path.is_empty() { vec![] } else { path.split('/').collect() };
        let rank = |template: &String| -> Option<Vec<u8>> {
            let parts: Vec<&str> = template.split('/').filter(|part| !part.is_empty()).collect();
            let mut ranks = Vec::new();
            for (index, part) in parts.iter().enumerate() {
                if part.ends_with("+}") {
                    ranks.push(2);
                    return (segments.len() > index).then_some(ranks);
                }
                let segment = segments.get(index)?;
                match part.starts_with('{') {
                    true if !segment.is_empty() => ranks.push(1),
                    false if part == segment => ranks.push(0),
                    _ => return None,
                }
            }
            (parts.len() == segments.len()).then_some(ranks)
        };
        templates.iter().filter_map(|template| Some((rank(template)?, template))).min().map(|(_, t)| t.clone())
    }

    proptest! {
        #[test]
        fn agrees_with_the_naive_rule(
            templates in prop::collection::vec(prop::collection::vec("(a|b|c|\\{v\\})", 0..4), 1..12),
            greedy in prop::collection::vec(prop::collection::vec("(a|b|\\{v\\})", 0..3), 0..4),
            path in "(/{1,2}(a|b|c|d)){0,5}/{0,2}",
        ) {
            let mut all: Vec<String> = templates.iter().map(|parts| format!("/{}", parts.join("/"))).collect();
            all.extend(greedy.iter().map(|parts| format!("/{}/{{p+}}", parts.join("/")).replace("//", "/")));
            all.sort();
            all.dedup();
            let mut router = Router::default();
            for template in &all {
                router.insert(template, template.clone()).unwrap();
            }
            let found = router.find(&path, &mut Captures::new(), |_| true).cloned();
            prop_assert_eq!(found, naive(&all, &path));
        }
    }
}
