//! Own cases: the rules of S3, and signatures worked out with botocore.

use base::clock::Moment;

use crate::key::{SigningKey, string_to_sign, timestamp};
use crate::{Credentials, Rules, Scope, canonical_request, payload_hash, sign};

/// 2015-08-30T12:36:00Z.
const MOMENT: Moment = Moment(1_440_938_160_000);

const CREDENTIALS: Credentials<'static> = Credentials {
    access_key_id: "AKIDEXAMPLE",
    secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    session_token: None,
};

/// Checks the canonical path and query of an address.
fn check(rules: Rules, address: &str, path: &str, query: &str) {
    let (sent_path, sent_query) = address.split_once('?').unwrap_or((address, ""));
    let (text, signed) = canonical_request(rules, "GET", sent_path, sent_query, &[("Host", "h")], "hash");
    assert_eq!(text, format!("GET\n{path}\n{query}\nhost:h\n\nhost\nhash"), "{address}");
    assert_eq!(signed, "host");
}

#[test]
fn paths_are_normalized_and_escaped_twice() {
    check(Rules::COMMON, "/a/../b//c/./d", "/b/c/d", "");
    check(Rules::COMMON, "/a%20b/%C3%BC", "/a%2520b/%25C3%25BC", "");
    check(Rules::COMMON, "/..", "/", "");
    check(Rules::COMMON, "", "/", "");
}

#[test]
fn s3_takes_paths_as_they_are_and_escapes_once() {
    check(Rules::S3, "/bucket//a/../b", "/bucket//a/../b", "");
    check(Rules::S3, "/bucket/a%20b/%C3%BC", "/bucket/a%20b/%C3%BC", "");
    check(Rules::S3, "/bucket/(a)'*", "/bucket/%28a%29%27%2A", "");
    check(Rules::S3, "/bucket/a%2Fb", "/bucket/a%2Fb", "");
    check(Rules::S3, "/bucket/100%", "/bucket/100%25", "");
}

#[test]
fn queries_are_sorted_and_escaped_strictly() {
    check(Rules::COMMON, "/?b=2&a=1&b=1&&c", "/", "a=1&b=1&b=2&c=");
    check(Rules::COMMON, "/?a=x+y&b=%2B&c=:/", "/", "a=x%20y&b=%2B&c=%3A%2F");
    check(Rules::S3, "/?list-type=2&prefix=a/b", "/", "list-type=2&prefix=a%2Fb");
}

#[test]
fn headers_are_folded_under_their_name() {
    let headers = [("X-B", " two  words "), ("Host", "h"), ("x-b", "again"), ("X-A", "")];
    let (text, signed) = canonical_request(Rules::COMMON, "GET", "/", "", &headers, "hash");
    assert_eq!(text, "GET\n/\n\nhost:h\nx-a:\nx-b:two words,again\n\nhost;x-a;x-b\nhash");
    assert_eq!(signed, "host;x-a;x-b");
}

#[test]
fn signs_as_botocore_does() {
    let empty = payload_hash(b"");
    let signed = sign(
        &CREDENTIALS,
        ("us-east-1", "service"),
        MOMENT,
        ("GET", "/", ""),
        &[("host", "example.amazonaws.com")],
        &empty,
    );
    assert_eq!(signed.date, "20150830T123600Z");
    assert_eq!(
        signed.authorization,
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    );
    assert_eq!((signed.session_token, signed.content_hash), (None, None));
    let body = payload_hash(b"text");
    let credentials = Credentials { session_token: Some("token"), ..CREDENTIALS };
    let request = ("PUT", "/bucket/a%20b/%C3%BC//c", "x-id=PutObject&acl");
    let headers = [("host", "127.0.0.1:9000"), ("content-type", "text/plain")];
    let signed = sign(&credentials, ("eu-west-1", "s3"), MOMENT, request, &headers, &body);
    assert_eq!(signed.content_hash.as_deref(), Some(body.as_str()));
    assert_eq!(signed.session_token.as_deref(), Some("token"));
    assert_eq!(
        signed.authorization,
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/s3/aws4_request, \
         SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token, Signature=6125276f5bcbaf40317cc94f3978b3a4cf1d9bfbb3de2ebfbbbfb09a7b9a7538"
    );
}

#[test]
fn a_signature_is_verified_by_all_of_its_digits() {
    let scope = Scope { date: "20150830", region: "us-east-1", service: "sqs" };
    let key = SigningKey::derive("secret", &scope);
    let text = string_to_sign(&timestamp(MOMENT), &scope, "request");
    let signature = key.sign(&text);
    assert!(key.verify(&text, &signature));
    assert!(!key.verify(&text, &signature[..63]));
    assert!(!key.verify(&text, &signature.replace(&signature[..1], "x")));
    assert!(!SigningKey::derive("other", &scope).verify(&text, &signature));
    assert!(!format!("{key:?} {:?}", CREDENTIALS).contains(CREDENTIALS.secret_access_key));
}
