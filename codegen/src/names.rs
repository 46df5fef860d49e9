//! Rust's spelling of AWS's names.

/// `restApiId` to `rest_api_id`, `KMSKeyArn` to `kms_key_arn`, `providerARNs` to `provider_arns`.
pub(crate) fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.replace("ARNs", "Arns").replace("IDs", "Ids").chars().collect();
    let mut snake = String::new();
    for (at, letter) in letters.iter().copied().enumerate() {
        if !letter.is_ascii_alphanumeric() {
            if !snake.ends_with('_') && !snake.is_empty() {
                snake.push('_');
            }
            continue;
        }
        let before = at.checked_sub(1).map(|before| letters[before]);
        let after = letters.get(at + 1).copied();
        let starts_word = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_ascii_uppercase() && after.is_some_and(|after| after.is_ascii_lowercase()))
            });
        if starts_word && !snake.ends_with('_') {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// The name of a struct's field, with Rust's keywords escaped.
pub(crate) fn field(name: &str) -> String {
    let snake = snake_case(name);
    match snake.as_str() {
        "type" | "move" | "ref" | "use" | "match" | "in" | "where" | "static" | "const" | "enum" | "mod" | "for"
        | "loop" | "fn" | "impl" | "trait" | "struct" | "pub" | "let" | "if" | "else" | "return" | "yield"
        | "async" | "await" | "dyn" | "abstract" | "final" | "override" | "virtual" | "macro" | "try" | "box"
        | "do" => {
            format!("r#{snake}")
        }
        "self" | "super" | "crate" => format!("{snake}_"),
        _ => snake,
    }
}

/// The name of a constant or a static.
pub(crate) fn constant(name: &str) -> String {
    let upper = snake_case(name).to_ascii_uppercase();
    let upper = upper.trim_end_matches('_');
    if upper.starts_with(|first: char| first.is_ascii_digit()) || upper.is_empty() {
        format!("VALUE_{upper}")
    } else {
        upper.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_snake_case() {
        for (name, expected) in [
            ("restApiId", "rest_api_id"),
            ("KMSKeyArn", "kms_key_arn"),
            ("providerARNs", "provider_arns"),
            ("CodeSha256", "code_sha256"),
            ("S3ObjectVersion", "s3_object_version"),
            ("PrincipalOrgID", "principal_org_id"),
            ("nodejs4.3-edge", "nodejs4_3_edge"),
            ("x86_64", "x86_64"),
            ("HTTP_PROXY", "http_proxy"),
            ("ProvisionedConcurrency", "provisioned_concurrency"),
        ] {
            assert_eq!(snake_case(name), expected);
        }
    }

    #[test]
    fn constants_are_identifiers() {
        assert_eq!(constant("2012-10-17"), "VALUE_2012_10_17");
        assert_eq!(constant("python3.13"), "PYTHON3_13");
        assert_eq!(field("type"), "r#type");
    }
}
