//! How the names of headers are spelt in HTTP/1.1 answers.
//!
//! AWS sends most of its own as `Content-Type` and some as `x-amzn-RequestId`, and the names that a mapping declares or
//! a function returns as these wrote them. The HTTP library knows lower case only, so the spelling is put back when an
//! answer's head is written: the rule is here, and what departs from it goes beside the answer.

/// Spells a name, given in lower case, where nobody wrote it otherwise.
pub fn spell(name: &mut [u8]) {
    if name.starts_with(b"x-amz") {
        return spell_amazons(name);
    }
    let whole: Option<&[u8]> = match &*name {
        b"te" => Some(b"TE"),
        b"dnt" => Some(b"DNT"),
        b"etag" => Some(b"ETag"),
        b"content-md5" => Some(b"Content-MD5"),
        b"www-authenticate" => Some(b"WWW-Authenticate"),
        _ => None,
    };
    if let Some(whole) = whole {
        return name.copy_from_slice(whole);
    }
    let mut begins = true;
    for byte in name {
        if begins {
            byte.make_ascii_uppercase();
        }
        begins = *byte == b'-';
    }
}

/// API Gateway's own, as recorded.
fn spell_amazons(name: &mut [u8]) {
    const REMAPPED: &[u8] = b"x-amzn-remapped-";
    let whole: Option<&[u8]> = match &*name {
        b"x-amzn-trace-id" => Some(b"X-Amzn-Trace-Id"),
        b"x-amzn-requestid" => Some(b"x-amzn-RequestId"),
        b"x-amzn-errortype" => Some(b"x-amzn-ErrorType"),
        _ => None,
    };
    if let Some(whole) = whole {
        name.copy_from_slice(whole);
    } else if name.starts_with(REMAPPED) {
        name[7] = b'R';
        spell(&mut name[REMAPPED.len()..]);
    }
}

/// Whether a name as somebody wrote it is what the rule makes of it anyway.
pub fn is_usual(name: &str) -> bool {
    let mut spelt = name.to_ascii_lowercase().into_bytes();
    spell(&mut spelt);
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
