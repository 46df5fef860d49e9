//! The guard's table: what a page can and cannot do, and what tools do.

use http::Request;

use super::*;

const SIGNED: (&str, &str) = (
    "authorization",
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, \
     Signature=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
);
const LOCAL: (&str, &str) = ("host", "127.0.0.1:4566");
const JSON: (&str, &str) = ("content-type", "application/json");

fn settings() -> Settings {
    Settings {
        hosts: vec!["frontgate".into(), "*.gate.example.com".into()],
        origins: vec!["https://console.example.com".into()],
        ..Settings::default()
    }
}

fn judge(method: &str, uri: &str, headers: &[(&str, &str)]) -> Result<(), Refusal> {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    check(&parts, Credential::of(&parts).as_ref(), &settings())
}

fn passes(headers: &[(&str, &str)]) {
    assert_eq!(judge("POST", "/2015-03-31/functions", headers), Ok(()), "{headers:?}");
}

fn refuses(headers: &[(&str, &str)], refusal: Refusal) {
    assert_eq!(judge("POST", "/2015-03-31/functions", headers), Err(refusal), "{headers:?}");
}

#[test]
fn tools_pass() {
    passes(&[LOCAL, SIGNED]);
    passes(&[LOCAL, SIGNED, ("content-type", "application/x-www-form-urlencoded; charset=utf-8")]);
    passes(&[LOCAL, JSON]);
    passes(&[LOCAL, ("content-type", "application/x-amz-json-1.1")]);
    passes(&[LOCAL, ("content-type", "application/zip")]);
    let presigned = "/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256\
                     &X-Amz-Credential=test%2F20260101%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=20260101T000000Z\
                     &X-Amz-Expires=60&X-Amz-SignedHeaders=host\
                     &X-Amz-Signature=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    assert_eq!(judge("GET", presigned, &[LOCAL]), Ok(()));
    let from_a_page = [LOCAL, ("sec-fetch-site", "cross-site")];
    assert_eq!(judge("GET", presigned, &from_a_page), Err(Refusal::CrossSite));
    let from_a_plain_host = [("host", "frontgate:4566"), ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)")];
    assert_eq!(judge("GET", presigned, &from_a_plain_host), Err(Refusal::CrossSite));
}

#[test]
fn own_hosts_pass_and_foreign_ones_do_not() {
    for host in [
        "127.0.0.1:4566",
        "127.9.8.7",
        "[::1]:4566",
        "[::ffff:127.0.0.1]:80",
        "localhost",
        "LOCALHOST:4566",
        "localhost.:4566",
        "abc.execute-api.localhost:4566",
        "localhost.localstack.cloud:4566",
        "lambda.localhost.localstack.cloud",
        "frontgate:4566",
        "a.gate.example.com",
        "a.b.gate.example.com:443",
    ] {
        passes(&[("host", host), SIGNED]);
    }
    for host in [
        "evil.example",
        "evil.example:4566",
        "127.0.0.1.evil.example",
        "evillocalhost",
        "localhost.evil.example",
        "192.168.1.5:4566",
        "0.0.0.0:4566",
        "[::]:4566",
        "[2001:db8::1]",
        "gate.example.com",
        "evilgate.example.com",
        "lambda.us-east-1.amazonaws.com",
        "",
        ":4566",
        "user@127.0.0.1",
        "127.0.0.1:4566:1",
        "127.0.0.1:http",
        "127.1",
        "2130706433",
        "[::1",
        "localhost/",
    ] {
        refuses(&[("host", host), SIGNED], Refusal::ForeignHost(host.into()));
    }
    refuses(&[SIGNED], Refusal::ForeignHost(String::new()));
    refuses(&[LOCAL, ("host", "evil.example"), SIGNED], Refusal::ForeignHost(String::new()));
    refuses(&[LOCAL, LOCAL, SIGNED], Refusal::ForeignHost(String::new()));
}

#[test]
fn the_authority_of_http2_counts_and_must_agree() {
    let judged = |uri, headers: &[(&str, &str)]| judge("POST", uri, headers);
    assert_eq!(judged("http://localhost:4566/restapis", &[JSON]), Ok(()));
    assert_eq!(judged("http://evil.example/restapis", &[JSON]), Err(Refusal::ForeignHost("evil.example".into())));
    assert!(judged("http://localhost:4566/restapis", &[JSON, ("host", "evil.example")]).is_err());
}

#[test]
fn foreign_origins_are_refused() {
    for origin in [
        "https://evil.example",
        "null",
        "http://127.0.0.1:8080",
        "http://127.0.0.1",
        "http://localhost:4566",
        "file://",
        "127.0.0.1:4566",
        "https://127.0.0.1:4566.evil.example",
        "",
    ] {
        refuses(&[LOCAL, SIGNED, JSON, ("origin", origin)], Refusal::ForeignOrigin(origin.into()));
    }
    // Pages of deployed APIs that are called by their path have our own origin.
    refuses(
        &[LOCAL, SIGNED, JSON, ("origin", "http://127.0.0.1:4566")],
        Refusal::ForeignOrigin("http://127.0.0.1:4566".into()),
    );
    refuses(&[LOCAL, SIGNED, JSON, ("sec-fetch-site", "same-origin")], Refusal::CrossSite);
    passes(&[LOCAL, SIGNED, ("origin", "https://console.example.com"), ("sec-fetch-site", "cross-site")]);
    refuses(
        &[LOCAL, SIGNED, ("origin", "http://127.0.0.1:4566"), ("origin", "https://evil.example")],
        Refusal::ForeignOrigin("several origins".into()),
    );
}

#[test]
fn what_a_page_can_send_without_a_preflight_is_refused() {
    // A form.
    refuses(&[LOCAL, ("content-type", "text/plain")], Refusal::NoIntent);
    refuses(&[LOCAL, ("content-type", "Text/Plain; charset=application/json")], Refusal::NoIntent);
    refuses(&[LOCAL, ("content-type", "application/x-www-form-urlencoded")], Refusal::NoIntent);
    refuses(&[LOCAL, ("content-type", "multipart/form-data; boundary=x")], Refusal::NoIntent);
    // A form of an old browser that says nothing about itself, or a content type that is none.
    refuses(&[LOCAL], Refusal::NoIntent);
    refuses(&[LOCAL, ("content-type", "")], Refusal::NoIntent);
    refuses(&[LOCAL, ("content-type", "json")], Refusal::NoIntent);
    refuses(&[LOCAL, ("content-type", "text/plain, application/json")], Refusal::NoIntent);
    refuses(&[LOCAL, ("content-type", "text/plain"), JSON], Refusal::NoIntent);
    // Something that only looks like a signature.
    refuses(&[LOCAL, ("authorization", "Bearer AWS4-HMAC-SHA256")], Refusal::NoIntent);
    // A link or an image of another site, and a neighbour of the same site.
    refuses(&[LOCAL, SIGNED, ("sec-fetch-site", "cross-site")], Refusal::CrossSite);
    refuses(&[LOCAL, JSON, ("sec-fetch-site", "same-site")], Refusal::CrossSite);
    passes(&[LOCAL, JSON, ("sec-fetch-site", "none")]);
}

#[test]
fn a_preflight_gets_no_permission() {
    let headers = [
        LOCAL,
        ("origin", "https://evil.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type,authorization"),
    ];
    let refusal = judge("OPTIONS", "/2015-03-31/functions", &headers).unwrap_err();
    assert_eq!(refusal, Refusal::ForeignOrigin("https://evil.example".into()));
    assert_eq!(refusal.answer().status(), 403);
    assert_eq!(refusal.answer().code(), "AccessDeniedException");
}
