//! What documentation parts are about, and the checks of a part.

use model_apigateway as model;

use crate::refusal::{Answer, Refusal};
use crate::rows::Location;
use crate::words::VERBS;

/// The longest properties of one part, in bytes. The bound is ours: AWS names none.
const PROPERTIES_BYTES: usize = 256 * 1024;

/// What a type of part is placed by, beyond the API itself.
struct Place {
    path: bool,
    method: bool,
    status: bool,
    name: bool,
}

/// The places of AWS's twelve types.
fn place(kind: &str) -> Option<Place> {
    let place = |path, method, status, name| Some(Place { path, method, status, name });
    match kind {
        "API" => place(false, false, false, false),
        "AUTHORIZER" | "MODEL" => place(false, false, false, true),
        "RESOURCE" => place(true, false, false, false),
        "PATH_PARAMETER" | "QUERY_PARAMETER" | "REQUEST_HEADER" => place(true, true, false, true),
        "METHOD" | "REQUEST_BODY" => place(true, true, false, false),
        "RESPONSE" | "RESPONSE_BODY" => place(true, true, true, false),
        "RESPONSE_HEADER" => place(true, true, true, true),
        _ => None,
    }
}

/// A location as it is kept: what its type has no use for is refused, what is left away gets AWS's default.
pub(super) fn checked_location(given: &model::DocumentationPartLocation) -> Answer<Location> {
    let place = place(&given.r#type)
        .ok_or_else(|| Refusal::BadRequest(format!("Invalid documentation part type: {}", given.r#type)))?;
    let field = |given: &Option<String>, wanted: bool, name: &str, default: &str| match given
        .as_deref()
        .filter(|text| !text.is_empty())
    {
        Some(_) if !wanted => Err(misplaced(name)),
        Some(text) => Ok(Some(text.to_owned())),
        None => Ok(wanted.then(|| default.to_owned())),
    };
    let misnamed = given.name.as_deref().unwrap_or_default().is_empty() == place.name;
    let location = Location {
        kind: given.r#type.clone(),
        path: field(&given.path, place.path, "path", "/")?,
        method: field(&given.method, place.method, "method", "*")?,
        status_code: field(&given.status_code, place.status, "statusCode", "*")?,
        name: given.name.clone().filter(|name| !name.is_empty()),
    };
    if misnamed {
        return Err(misplaced("name"));
    }
    if location.path.as_deref().is_some_and(|path| !path.starts_with('/')) {
        return Err(misplaced("path"));
    }
    if location.method.as_deref().is_some_and(|verb| verb != "*" && !VERBS.contains(&verb)) {
        return Err(misplaced("method"));
    }
    Ok(location)
}

fn misplaced(field: &str) -> Refusal {
    Refusal::BadRequest(format!("Invalid documentation part location: {field}"))
}

/// Properties are a JSON object.
pub(super) fn checked_properties(text: &str) -> Answer<String> {
    let sound = text.len() <= PROPERTIES_BYTES
        && serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok();
    match sound {
        true => Ok(text.to_owned()),
        false => Err(Refusal::bad_request("Documentation part properties must be a JSON object")),
    }
}

/// A location as AWS's messages spell it: `type 'METHOD', path '/', method 'GET'`.
pub(super) fn described(location: &Location) -> String {
    let fields = [
        ("path", &location.path),
        ("method", &location.method),
        ("statusCode", &location.status_code),
        ("name", &location.name),
    ];
    let mut text = format!("type '{}'", location.kind);
    for (name, value) in fields {
        if let Some(value) = value {
            text.push_str(&format!(", {name} '{value}'"));
        }
    }
    text
}

pub(super) fn shown_location(location: &Location) -> model::DocumentationPartLocation {
    model::DocumentationPartLocation {
        r#type: location.kind.clone(),
        path: location.path.clone(),
        method: location.method.clone(),
        status_code: location.status_code.clone(),
        name: location.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(kind: &str) -> model::DocumentationPartLocation {
        model::DocumentationPartLocation { r#type: kind.into(), ..model::DocumentationPartLocation::default() }
    }

    #[test]
    fn what_is_left_away_is_filled_in_and_what_has_no_place_is_refused() {
        let response = checked_location(&location("RESPONSE")).unwrap();
        assert_eq!(described(&response), "type 'RESPONSE', path '/', method '*', statusCode '*'");
        assert_eq!(described(&checked_location(&location("API")).unwrap()), "type 'API'");
        for (kind, path, name) in [
            ("API", Some("/"), None),
            ("MODEL", None, None),
            ("METHOD", Some("/"), Some("x")),
            ("RESOURCE", Some("x"), None),
        ] {
            let given = model::DocumentationPartLocation {
                path: path.map(str::to_owned),
                name: name.map(str::to_owned),
                ..location(kind)
            };
            assert!(checked_location(&given).is_err(), "{kind}");
        }
    }

    #[test]
    fn properties_are_an_object() {
        assert!(checked_properties("{\"a\": 1}").is_ok());
        for bad in ["", "[]", "{", "null", "\"x\""] {
            assert!(checked_properties(bad).is_err(), "{bad}");
        }
    }
}
