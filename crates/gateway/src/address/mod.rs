//! Who a request is for: a deployed API, by host or by path, or something else.

use http::request::Parts;

/// The host that a request names, port included: its address's in HTTP/2 and in absolute form, else the header's.
pub fn host(head: &Parts) -> &str {
    match head.uri.authority() {
        Some(authority) => authority.as_str(),
        None => head.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or(""),
    }
}

/// A REST API's stage and what is left of the path after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address<'r> {
    /// The API's id, as sent; ids are lower case and compare exactly.
    pub api: &'r str,
    /// The stage's name; empty when the path ends before it.
    pub stage: &'r str,
    /// Where in the request's path the resource path begins (at its slash, or at the end).
    pub resource_at: usize,
    /// Where in the request's path the stage's segment begins (its slash), where the stage stands right before the
    /// resource: from there on it is `$context.path`.
    pub stage_at: Option<usize>,
}

/// Finds the deployed API that a request addresses, in the design's order: the host, then the reserved paths.
///
/// - `{api}.execute-api.{any suffix}/{stage}/...`
/// - `/restapis/{api}/{stage}/_user_request_/...`
/// - `/_aws/execute-api/{api}/{stage}/...`
pub fn find<'r>(host: &'r str, path: &'r str) -> Option<Address<'r>> {
    if let Some(api) = api_of_host(host) {
        let leading = path.len() - path.trim_start_matches('/').len();
        let stage_at = leading.saturating_sub(1);
        return Some(split_stage(api, path, stage_at));
    }
    if let Some(rest) = path.strip_prefix("/restapis/") {
        let (api, rest) = rest.split_once('/')?;
        let (stage, rest) = rest.split_once('/')?;
        let resource = rest.strip_prefix("_user_request_")?;
        if !resource.is_empty() && !resource.starts_with('/') {
            return None;
        }
        return Some(Address { api, stage, resource_at: path.len() - resource.len(), stage_at: None });
    }
    let rest = path.strip_prefix("/_aws/execute-api/")?;
    let api = rest.split('/').next().unwrap_or(rest);
    let api_ends = path.len() - rest.len() + api.len();
    let doubled = path[api_ends..].bytes().take_while(|byte| *byte == b'/').count().saturating_sub(1);
    Some(split_stage(api, path, api_ends + doubled))
}

/// The API id in a host of the form `{api}.execute-api.{suffix}[:port]`; `{api}-{endpoint}` names a private endpoint.
pub fn api_of_host(host: &str) -> Option<&str> {
    let (label, rest) = host.split_once('.')?;
    let service = rest.get(..12)?;
    let more = rest.as_bytes().get(12)?;
    if !service.eq_ignore_ascii_case("execute-api.") || *more == b'.' {
        return None;
    }
    Some(label.split_once("-vpce-").map_or(label, |(api, _)| api))
}

/// A function URL and where in the request's path its own begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UrlAddress<'r> {
    /// The URL's id, as sent.
    pub id: &'r str,
    /// Where the path that the function sees begins (at its slash, or at the end).
    pub path_at: usize,
}

/// Finds the function URL that a request addresses.
///
/// - `{id}.lambda-url.{region}.{any suffix}/...`
/// - `/_aws/lambda-url/{id}/...`
pub fn find_url<'r>(host: &'r str, path: &'r str) -> Option<UrlAddress<'r>> {
    if let Some(id) = url_of_host(host) {
        return Some(UrlAddress { id, path_at: 0 });
    }
    let rest = path.strip_prefix("/_aws/lambda-url/")?;
    let id = rest.split('/').next().unwrap_or(rest);
    Some(UrlAddress { id, path_at: path.len() - rest.len() + id.len() })
}

/// The id in a host of the form `{id}.lambda-url.{region}.{suffix}[:port]`. Ids are unique, so the region says nothing.
pub fn url_of_host(host: &str) -> Option<&str> {
    let (id, rest) = host.split_once('.')?;
    let service = rest.get(..11)?;
    let more = rest.as_bytes().get(11)?;
    (service.eq_ignore_ascii_case("lambda-url.") && *more != b'.' && !id.is_empty()).then_some(id)
}

/// Whether a host's name leads to the data plane and nowhere else.
pub fn is_of_data_plane(host: &str) -> bool {
    api_of_host(host).is_some() || url_of_host(host).is_some()
}

/// Takes the stage out of `path`, whose segment begins at the slash `stage_at`.
fn split_stage<'r>(api: &'r str, path: &'r str, stage_at: usize) -> Address<'r> {
    let after = path[stage_at..].strip_prefix('/').unwrap_or(&path[stage_at..]);
    let stage = after.split('/').next().unwrap_or(after);
    Address { api, stage, resource_at: path.len() - after.len() + stage.len(), stage_at: Some(stage_at) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks what is found: API, stage, the resource's path.
    fn check(host: &str, path: &str, expected: Option<(&str, &str, &str)>) {
        let found = find(host, path).map(|address| (address.api, address.stage, &path[address.resource_at..]));
        assert_eq!(found, expected, "{host} {path}");
    }

    #[test]
    fn finds_apis_by_host_and_by_path() {
        let host = "a1b2c3d4e5.execute-api.localhost:4566";
        check(host, "/dev/items/7", Some(("a1b2c3d4e5", "dev", "/items/7")));
        check(host, "/dev", Some(("a1b2c3d4e5", "dev", "")));
        check(host, "/dev/", Some(("a1b2c3d4e5", "dev", "/")));
        check(host, "/", Some(("a1b2c3d4e5", "", "")));
        check(host, "//dev/x", Some(("a1b2c3d4e5", "dev", "/x")));
        check(host, "/dev//x", Some(("a1b2c3d4e5", "dev", "//x")));
        check("abc.EXECUTE-API.us-east-1.amazonaws.com", "/s/x", Some(("abc", "s", "/x")));
        check("abc.execute-api.localhost.localstack.cloud:4566", "/s", Some(("abc", "s", "")));
        check("127.0.0.1:4566", "/restapis/abc/dev/_user_request_/items", Some(("abc", "dev", "/items")));
        check("127.0.0.1:4566", "/restapis/abc/dev/_user_request_", Some(("abc", "dev", "")));
        check("127.0.0.1:4566", "/_aws/execute-api/abc/dev/items", Some(("abc", "dev", "/items")));
        check("127.0.0.1:4566", "/_aws/execute-api/abc//dev//items/", Some(("abc", "dev", "//items/")));
        check("127.0.0.1:4566", "/_aws/execute-api/abc", Some(("abc", "", "")));
    }

    #[test]
    fn finds_function_urls_by_host_and_by_path() {
        let check = |host: &str, path: &str, expected: Option<(&str, &str)>| {
            let found = find_url(host, path).map(|address| (address.id, &path[address.path_at..]));
            assert_eq!(found, expected, "{host} {path}");
        };
        check("abc.lambda-url.us-east-1.localhost:4566", "/a//b%20/", Some(("abc", "/a//b%20/")));
        check("aBc.LAMBDA-URL.eu-west-1.on.aws", "/", Some(("aBc", "/")));
        check("127.0.0.1:4566", "/_aws/lambda-url/abc/a/b", Some(("abc", "/a/b")));
        check("127.0.0.1:4566", "/_aws/lambda-url/abc", Some(("abc", "")));
        check("127.0.0.1:4566", "/_aws/lambda-url/", Some(("", "")));
        check("127.0.0.1:4566", "/_aws/lambda-urls/abc", None);
        check("abc.lambda-url", "/", None);
        check("abc.lambda-url..x", "/", None);
        check(".lambda-url.us-east-1.localhost", "/", None);
        check("lambda-url.us-east-1.localhost", "/", None);
        check("", "*", None);
    }

    #[test]
    fn leaves_everything_else_alone() {
        for (host, path) in [
            ("127.0.0.1:4566", "/restapis"),
            ("127.0.0.1:4566", "/restapis/abc/stages"),
            ("127.0.0.1:4566", "/restapis/abc/resources/_user_request_x/y"),
            ("127.0.0.1:4566", "/2015-03-31/functions"),
            ("execute-api.localhost", "/dev"),
            ("abc.execute-api", "/dev"),
            ("abc.lambda-url.localhost", "/"),
            ("", "/"),
        ] {
            check(host, path, None);
        }
    }
}
