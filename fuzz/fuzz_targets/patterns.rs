//! Any text as a Java pattern, what follows a NUL as the text, and after another NUL the replacement: no panic and no hang.
#![no_main]

use libfuzzer_sys::fuzz_target;
use templates::java_regex::{JavaRegex, MatchError};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (pattern, rest) = text.split_once('\0').unwrap_or((text, "aaaaaaaaaaaaaaaaaaaaaaaa1,b,,c"));
    let (text, replacement) = rest.split_once('\0').unwrap_or((rest, "<$0>"));
    let Ok(regex) = JavaRegex::parse(pattern) else { return };
    let full = regex.is_full_match(text);
    let replaced = regex.replace_all(text, replacement);
    if replacement == "<$0>" {
        match replaced {
            Ok(replaced) => assert!(!full || replaced != text, "what matches as a whole is found"),
            Err(error) => assert_eq!(error, MatchError::TooSlow, "every pattern has group 0, and the result is small"),
        }
    }
    let _ = regex.replace_first(text, replacement);
    if let Ok(parts) = regex.split(text) {
        assert!(parts.iter().map(|part| part.len()).sum::<usize>() <= text.len());
    }
    assert!(regex.split_at_most(text, Some(3)).map_or(0, |parts| parts.len()) <= 3);
});
