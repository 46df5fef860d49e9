//! How the names of headers are spelt in HTTP/1.1 answers.
//!
//! AWS sends most of its own as `Content-Type` and some as `x-amzn-RequestId`, and the names that a mapping declares or
//! a function returns as these wrote them. The HTTP library knows lower case only, so the spelling is put back when an
//! answer's head is written: the rule is here, and what departs from it goes beside the answer.

/// Appends a name, given in lower case, as it is spelt where nobody wrote it otherwise.
pub fn spell_into(lower: &[u8], out: &mut Vec<u8>) {
    if let Some(spelt) = exception(lower) {
        return out.extend_from_slice(spelt);
    }
    if let Some(renamed) = lower.strip_prefix(b"x-amzn-remapped-") {
        out.extend_from_slice(b"x-amzn-Remapped-");
        return spell_into(renamed, out);
    }
    if lower.starts_with(b"x-amz") {
        return out.extend_from_slice(lower);
    }
    let mut begins = true;
    out.extend(lower.iter().map(|byte| {
        let spelt = if begins { byte.to_ascii_uppercase() } else { *byte };
        begins = *byte == b'-';
        spelt
    }));
}

/// Recorded of API Gateway, and the usual spelling of the others.
fn exception(lower: &[u8]) -> Option<&'static [u8]> {
    // The lengths tell most names apart from all of these.
    Some(match lower {
        b"te" => b"TE",
        b"dnt" => b"DNT",
        b"etag" => b"ETag",
        b"content-md5" => b"Content-MD5",
        b"x-amzn-trace-id" => b"X-Amzn-Trace-Id",
        b"x-amzn-requestid" => b"x-amzn-RequestId",
        b"x-amzn-errortype" => b"x-amzn-ErrorType",
        b"www-authenticate" => b"WWW-Authenticate",
        _ => return None,
    })
}

/// Whether a name as somebody wrote it is what the rule makes of it anyway.
pub fn is_usual(name: &str) -> bool {
    let mut spelt = Vec::with_capacity(name.len());
    spell_into(name.to_ascii_lowercase().as_bytes(), &mut spelt);
    spelt == name.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_as_recorded() {
        for name in [
            "Connection",
            "Content-Length",
            "Content-Type",
            "Content-MD5",
            "Date",
            "TE",
            "WWW-Authenticate",
            "X-Amzn-Trace-Id",
            "X-Powered-By",
            "x-amz-apigw-id",
            "x-amzn-ErrorType",
            "x-amzn-Remapped-Content-MD5",
            "x-amzn-Remapped-User-Agent",
            "x-amzn-Remapped-WWW-Authenticate",
            "x-amzn-RequestId",
        ] {
            assert!(is_usual(name), "{name}");
        }
        for name in ["tesT-Multi", "test-header", "X-Amz-Apigw-Id", "etag", "\u{e4}-b"] {
            assert!(!is_usual(name), "{name}");
        }
    }
}
