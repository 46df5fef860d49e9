//! Media types: the mime part of a `Content-Type`, and an API's list of binary ones.

/// The mime part of a `Content-Type` or of the first entry of an `Accept` header: what stands before `;` or `,`.
pub fn mime(value: &str) -> &str {
    value.split([';', ',']).next().unwrap_or("").trim()
}

/// An API's `binaryMediaTypes` (REST data plane, section 10).
#[derive(Clone, Debug, Default)]
pub struct MediaTypes {
    all: bool,
    exact: Vec<Box<str>>,
    /// `image/` for the entry `image/*`.
    families: Vec<Box<str>>,
}

impl MediaTypes {
    /// Compiles the list. `*/*` takes everything, `type/*` a family, anything else only itself. A `*` elsewhere takes
    /// nothing, not even itself.
    pub fn new<'a>(entries: impl IntoIterator<Item = &'a str>) -> MediaTypes {
        let mut types = MediaTypes::default();
        for entry in entries {
            match entry.strip_suffix("/*") {
                Some("*") => types.all = true,
                Some(family) => types.families.push(format!("{family}/").into()),
                None if entry.contains('*') => {}
                None => types.exact.push(entry.into()),
            }
        }
        types
    }

    /// Whether a header value names a binary type. A value without `/` never does.
    pub fn matches(&self, header: &str) -> bool {
        let mime = mime(header);
        mime.contains('/')
            && (self.all
                || self.exact.iter().any(|entry| entry.eq_ignore_ascii_case(mime))
                || self.families.iter().any(|family| mime.starts_with(family.as_ref())))
    }

    /// Whether the API has no binary type at all.
    pub fn is_empty(&self) -> bool {
        !self.all && self.exact.is_empty() && self.families.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_recorded() {
        for (entries, header, expected) in [
            (vec!["image/png"], "image/png; q=1", true),
            (vec!["image/png"], "*/*", false),
            (vec!["image/png"], "image/*", false),
            (vec!["image/*"], "image/*", true),
            (vec!["image/*"], "image/jpeg", true),
            (vec!["*/test"], "image/test", false),
            (vec!["*/test"], "*/test", false),
            (vec!["*/*"], "text/plain", true),
            (vec!["*/*"], "text", false),
            (vec![], "image/png", false),
        ] {
            assert_eq!(MediaTypes::new(entries.iter().copied()).matches(header), expected, "{entries:?} {header}");
        }
    }
}
