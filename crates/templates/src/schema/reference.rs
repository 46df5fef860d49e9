//! What a `$ref` of a model may say, and what it leads to.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::document::Json;

/// A reference taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference<'r> {
    pub(crate) document: Document<'r>,
    /// What follows `#`, decoded; empty is the whole document.
    pub(crate) fragment: Cow<'r, str>,
}

/// Which document a reference is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Document<'r> {
    /// The one that the reference stands in.
    Own,
    /// A model of an API.
    Model { api_id: &'r str, name: &'r str },
    /// JSON Schema's own schema, draft 4.
    MetaSchema,
    /// Any other address, which is never fetched.
    Foreign(&'r str),
}

impl<'r> Reference<'r> {
    /// Takes a reference apart.
    pub(crate) fn parse(text: &'r str) -> Reference<'r> {
        let (address, fragment) = text.split_once('#').unwrap_or((text, ""));
        let document = match address {
            "" => Document::Own,
            "http://json-schema.org/draft-04/schema" => Document::MetaSchema,
            address => match model_of(address) {
                Some((api_id, name)) => Document::Model { api_id, name },
                None => Document::Foreign(address),
            },
        };
        Reference { document, fragment: percent_decode_str(fragment).decode_utf8_lossy() }
    }
}

/// API and name of a model's address, on whichever host of API Gateway: `apigateway.amazonaws.com`,
/// `apigateway.us-east-1.amazonaws.com`.
fn model_of(address: &str) -> Option<(&str, &str)> {
    let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"))?;
    let (host, path) = rest.split_once('/')?;
    if !host.get(.."apigateway.".len())?.eq_ignore_ascii_case("apigateway.") {
        return None;
    }
    let (api_id, name) = path.strip_prefix("restapis/")?.split_once("/models/")?;
    (!api_id.is_empty() && !name.is_empty() && !name.contains('/')).then_some((api_id, name))
}

/// The value that a JSON Pointer leads to.
pub(crate) fn follow<'d, 't>(document: &'d Json<'t>, pointer: &str) -> Option<&'d Json<'t>> {
    if pointer.is_empty() {
        return Some(document);
    }
    pointer.strip_prefix('/')?.split('/').try_fold(document, |value, token| {
        let token = token.replace("~1", "/").replace("~0", "~");
        match value {
            Json::Array(items) => items.get(token.parse::<usize>().ok()?),
            other => other.member(&token),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{Document, Reference};

    #[test]
    fn models_are_told_from_other_addresses() {
        let model = |api_id, name| Document::Model { api_id, name };
        for (text, document, fragment) in [
            ("#", Document::Own, ""),
            ("#/definitions/a%25b", Document::Own, "/definitions/a%b"),
            ("https://apigateway.amazonaws.com/restapis/abc/models/Pet", model("abc", "Pet"), ""),
            ("http://apigateway.eu-west-1.amazonaws.com/restapis/abc/models/Pet#/x", model("abc", "Pet"), "/x"),
            ("https://APIGateway.localhost:4566/restapis/abc/models/Pet", model("abc", "Pet"), ""),
            ("http://json-schema.org/draft-04/schema#", Document::MetaSchema, ""),
            (
                "https://example.com/restapis/a/models/b",
                Document::Foreign("https://example.com/restapis/a/models/b"),
                "",
            ),
            ("Pet", Document::Foreign("Pet"), ""),
            (
                "https://apigateway.amazonaws.com/restapis//models/",
                Document::Foreign("https://apigateway.amazonaws.com/restapis//models/"),
                "",
            ),
        ] {
            let found = Reference::parse(text);
            assert_eq!((found.document, &*found.fragment), (document, fragment), "{text}");
        }
    }
}
