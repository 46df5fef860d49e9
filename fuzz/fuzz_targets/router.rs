//! Any lines as the path templates of an API and a last line as a request's path: the router finds what the rule, said plainly
//! without a trie, finds; and the variables lie within the path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plan::{Captures, Router};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((templates, path)) = text.rsplit_once('\n') else { return };
    let mut router = Router::default();
    let mut known = Vec::new();
    for template in templates.lines().take(50) {
        // As the control plane makes them: no empty segments, and no braces but around a whole segment.
        if well_formed(template) && router.insert(template, template).is_ok() {
            known.push(template);
        }
    }
    let mut captures = Captures::new();
    let found = router.find(path, &mut captures, |_| true).copied();
    assert_eq!(found, naive(&known, path), "templates {known:?}, path {path:?}");
    let variables = found.map_or(0, |template| template.matches('{').count());
    assert_eq!(captures.len(), variables);
    assert!(captures.iter().all(|(_, range)| !path[range.clone()].is_empty()), "no variable is empty");
    // A resource that is refused gives way to the next best, and never to itself.
    let other = router.find(path, &mut captures, |template| Some(*template) != found).copied();
    assert!(found.is_none() || other != found);
    for template in known {
        assert_eq!(router.exact(template), Some(&template));
    }
});

fn well_formed(template: &str) -> bool {
    let segments = || template.split('/').skip(1);
    template.starts_with('/')
        && (template == "/" || segments().all(|segment| !segment.is_empty()))
        && segments().all(|segment| {
            let inner = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            let name = inner.map_or(segment, |inner| inner.strip_suffix('+').unwrap_or(inner));
            (inner.is_none() || !name.is_empty()) && !name.contains(['{', '}', '+'])
        })
}

/// Ranks every template by the kinds of its segments: literal before variable before greedy variable.
fn naive<'t>(templates: &[&'t str], path: &str) -> Option<&'t str> {
    let path = path.trim_start_matches('/');
    let path = path.trim_end_matches('/');
    let segments: Vec<&str> = if path.is_empty() { Vec::new() } else { path.split('/').collect() };
    let ranked = templates.iter().filter_map(|template| Some((rank(template, &segments)?, *template)));
    ranked.min().map(|(_, template)| template)
}

fn rank(template: &str, segments: &[&str]) -> Option<Vec<u8>> {
    let parts: Vec<&str> = template.split('/').filter(|part| !part.is_empty()).collect();
    let mut kinds = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        if part.ends_with("+}") {
            kinds.push(2);
            return (segments.len() > place).then_some(kinds);
        }
        let segment = segments.get(place)?;
        match part.starts_with('{') {
            true if !segment.is_empty() => kinds.push(1),
            false if part == segment => kinds.push(0),
            _ => return None,
        }
    }
    (parts.len() == segments.len()).then_some(kinds)
}
