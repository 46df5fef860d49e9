//! Matches paths against the model's templates, for the rest protocols.

use base::shape::{OperationModel, Protocol, Service};
use http::request::Parts;

use crate::codec::form::{Parameters, percent_decode};

/// The routes of one service.
#[derive(Debug)]
pub(super) struct Router {
    routes: Vec<Route>,
}

#[derive(Debug)]
struct Route {
    operation: &'static OperationModel,
    segments: Vec<Segment>,
    /// Parameters that the query must have, for operations that share a path.
    query: Vec<(&'static str, &'static str)>,
}

/// In the order of precedence: a literal is more specific than a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(&'static str),
    Label(&'static str),
    Greedy(&'static str),
}

/// The labels of a path, decoded.
pub(super) type Labels = Vec<(&'static str, String)>;

impl Router {
    /// The routes of a service; none when its protocol has no paths.
    pub(super) fn new(service: &'static Service) -> Router {
        let mut routes: Vec<Route> = match service.protocol {
            Protocol::RestJson => service.operations.iter().map(|operation| Route::new(operation)).collect(),
            _ => Vec::new(),
        };
        // The most specific first: literals before labels, and more query literals before fewer.
        routes.sort_by_cached_key(|route| {
            let kinds: Vec<u8> = route.segments.iter().map(Segment::rank).collect();
            (kinds, usize::MAX - route.query.len())
        });
        Router { routes }
    }

    /// The operation that answers the request, and the labels of its path.
    pub(super) fn find(&self, request: &Parts) -> Option<(&'static OperationModel, Labels)> {
        let segments = split(request.uri.path());
        let mut query = None;
        self.routes.iter().filter(|route| route.operation.method == request.method.as_str()).find_map(|route| {
            let labels = route.labels(&segments)?;
            if !route.query.is_empty() {
                let given =
                    query.get_or_insert_with(|| Parameters::parse(request.uri.query().unwrap_or_default().as_bytes()));
                if !route.query.iter().all(|(name, value)| given.get(name) == Some(*value)) {
                    return None;
                }
            }
            Some((route.operation, labels))
        })
    }
}

impl Route {
    fn new(operation: &'static OperationModel) -> Route {
        let (path, query) = operation.uri.split_once('?').unwrap_or((operation.uri, ""));
        let segments = split(path).into_iter().map(Segment::new).collect();
        let query = query.split('&').filter(|part| !part.is_empty());
        Route { operation, segments, query: query.map(|part| part.split_once('=').unwrap_or((part, ""))).collect() }
    }

    fn labels(&self, path: &[&str]) -> Option<Labels> {
        let mut labels = Vec::new();
        let mut rest = path;
        for (at, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Greedy(name) => {
                    // A greedy label leaves as many segments as come after it in the template.
                    let after = self.segments.len() - at - 1;
                    let taken = rest.len().checked_sub(after).filter(|taken| *taken > 0)?;
                    let text = rest[..taken].join("/");
                    labels.push((*name, percent_decode(text.as_bytes())));
                    rest = &rest[taken..];
                }
                Segment::Literal(literal) => rest = rest.split_first().filter(|(first, _)| *first == literal)?.1,
                Segment::Label(name) => {
                    let (first, others) = rest.split_first().filter(|(first, _)| !first.is_empty())?;
                    labels.push((*name, percent_decode(first.as_bytes())));
                    rest = others;
                }
            }
        }
        rest.is_empty().then_some(labels)
    }
}

impl Segment {
    fn new(text: &'static str) -> Segment {
        match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Some(name) => name.strip_suffix('+').map_or(Segment::Label(name), Segment::Greedy),
            None => Segment::Literal(text),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Segment::Literal(_) => 0,
            Segment::Label(_) => 1,
            Segment::Greedy(_) => 2,
        }
    }
}

/// The segments of a path; a slash at the end makes no difference.
fn split(path: &str) -> Vec<&str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    path.split('/').collect()
}
