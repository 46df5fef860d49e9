//! Runs AWS's published signature vectors and prints what differs: `cargo run -p sigv4 --example signatures -- FOLDER`.
//!
//! A case is a folder with `NAME.req` (the request), `NAME.creq` (its canonical form), `NAME.sts` (the text to sign) and
//! `NAME.authz` (the header `Authorization`), all for one key, moment, region and service.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use sigv4::key::{ALGORITHM, Scope, SigningKey, string_to_sign};
use sigv4::{Rules, canonical_request, payload_hash};

const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SCOPE: Scope<'static> = Scope { date: "20150830", region: "us-east-1", service: "service" };
const TIMESTAMP: &str = "20150830T123600Z";

const TOKEN: &str = "x-amz-security-token";

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    for folder in std::env::args().skip(1) {
        let mut requests = Vec::new();
        find(Path::new(&folder), &mut requests)?;
        requests.sort();
        let mut same = 0;
        let mut differing = 0;
        for request in &requests {
            match differences(request)? {
                differences if differences.is_empty() => same += 1,
                differences => {
                    differing += 1;
                    writeln!(out, "== {}\n{differences}", request.display())?;
                }
            }
        }
        writeln!(out, "{folder}: {same} as expected, {differing} differ")?;
    }
    Ok(())
}

/// Finds the requests below a folder.
fn find(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "req") {
            found.push(path);
        }
    }
    Ok(())
}

/// What of a case is not as expected; empty if all is.
fn differences(request: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(request)?;
    let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
    let mut lines = head.lines();
    let line = lines.next().unwrap_or_default();
    let (method, rest) = line.split_once(' ').ok_or("a request line without blanks")?;
    let (address, _) = rest.rsplit_once(' ').ok_or("a request line without a protocol")?;
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in lines {
        match (line.strip_prefix(' '), headers.last_mut()) {
            // A line that begins with a blank belongs to the value above.
            (Some(more), Some((_, value))) => {
                value.push(' ');
                value.push_str(more);
            }
            _ => {
                let (name, value) = line.split_once(':').ok_or("a header without a colon")?;
                headers.push((name.to_owned(), value.to_owned()));
            }
        }
    }
    let expected = std::fs::read_to_string(request.with_extension("authz"))?;
    let has_token = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(TOKEN));
    if expected.contains(TOKEN) && !has_token {
        // The credentials' own token, which only the signed request shows.
        let signed = std::fs::read_to_string(request.with_extension("sreq"))?;
        let token =
            signed.lines().find_map(|line| line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case(TOKEN)));
        headers.push((TOKEN.to_owned(), token.ok_or("a signed request without its token")?.1.to_owned()));
    }
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (canonical, signed) =
        canonical_request(RULES, method, path, query, &headers, &payload_hash(body.trim_end_matches('\n').as_bytes()));
    let to_sign = string_to_sign(TIMESTAMP, &SCOPE, &canonical);
    let signature = SigningKey::derive(SECRET, &SCOPE).sign(&to_sign);
    let authorization = format!(
        "{ALGORITHM} Credential={ACCESS_KEY_ID}/{}, SignedHeaders={signed}, Signature={signature}",
        SCOPE.text()
    );
    let mut differences = String::new();
    for (extension, found) in [("creq", canonical), ("sts", to_sign), ("authz", authorization)] {
        let expected = std::fs::read_to_string(request.with_extension(extension))?;
        if expected.trim_end() != found {
            differences.push_str(&format!("-- {extension} expected\n{}\n-- found\n{found}\n", expected.trim_end()));
        }
    }
    Ok(differences)
}

/// The vectors' service is like most.
const RULES: Rules = Rules::COMMON;
