//! Any text as a filter pattern of CloudWatch Logs, and what follows a NUL as an event: no panic, no hang; what is shown of
//! an event is shown exactly when the event is one that is looked for, and terms that are read again mean the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use observe::logs::pattern::Pattern;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (source, event) = text.split_once('\0').unwrap_or((text, r#"{"a":{"b":[1,"x",null]},"s":"5xx"} 127.0.0.1 [d t] "q r" 404"#));
    // The model lets no longer ones through.
    if source.chars().count() > 1024 {
        return;
    }
    let Ok(pattern) = Pattern::parse(source) else { return };
    let is_match = pattern.matches(event);
    assert_eq!(pattern.extract(event).is_some(), is_match);
    let again = Pattern::parse(&format!(" {source}\n")).expect("blanks around a pattern mean nothing");
    assert_eq!(again.matches(event), is_match);
});
