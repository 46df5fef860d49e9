//! The help text, the reference page, and command lines from start to end.
//!
//! After a wanted change of the settings, write the two texts anew with
//! `FRONTGATE_UPDATE_CASES=1 cargo test -p frontgate`, and read the difference.

use std::fmt::Write as _;

use super::*;
use crate::config::variable_name;

const HELP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cases/cli/serve-help.txt");
const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");

fn parse_line(line: &str, variables: &[(&str, &str)]) -> Result<ParsedServe, String> {
    let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
    let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    match parse(&arguments, &environment) {
        Ok(Parsed::Serve(parsed)) => Ok(*parsed),
        Ok(Parsed::Cors(_) | Parsed::Runtimes | Parsed::Doctor) => Err(format!("{line} serves nothing")),
        Err(Refusal::CommandLine(error)) => Err(error.to_string()),
        Err(Refusal::Settings(problems)) => Err(problems.iter().map(ToString::to_string).collect()),
    }
}

/// Compares with the file, or writes it when asked to.
fn assert_matches_file(path: &str, actual: &str) {
    if std::env::var_os("FRONTGATE_UPDATE_CASES").is_some() {
        std::fs::write(path, actual).expect("the tests may write into the source tree when told to");
        return;
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        expected == actual,
        "{path} is not what the settings say; run `FRONTGATE_UPDATE_CASES=1 cargo test -p frontgate`"
    );
}

fn serve_command() -> clap::Command {
    let command = command(&Layers::default()).term_width(100);
    command.find_subcommand("serve").expect("serve is a command").clone().term_width(100)
}

#[test]
fn the_definition_is_sound() {
    command(&Layers::default()).debug_assert();
}

#[test]
fn the_help_text_is_the_one_on_file() {
    let help = serve_command().bin_name("frontgate serve").render_long_help().to_string();
    let trimmed: String = help.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    assert_matches_file(HELP, &trimmed);
}

#[test]
fn the_reference_page_is_the_one_on_file() {
    assert_matches_file(REFERENCE, &reference());
}

/// docs/configuration.md, from the definition.
fn reference() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         <!-- Written by `FRONTGATE_UPDATE_CASES=1 cargo test -p frontgate` from crates/frontgate/src/config.rs. -->\n\n\
         Every setting is a flag of `frontgate serve`, an environment variable, and a key of a TOML file given with\n\
         `--config FILE` (or `FRONTGATE_CONFIG`). The flag wins over the variable, the variable over the file, the file\n\
         over the default. `frontgate serve --check-config` says whether the settings are right and where each comes\n\
         from, without starting; it exits with 0 or 1.\n\n\
         The keys of the file are the flags' names without dashes in front. Numbers and `true`/`false` are written\n\
         without quotes, a repeatable setting is a list, and `service-endpoint` a table:\n\n\
         ```toml\n\
         listen = \"127.0.0.1:4566\"\n\
         data-dir = \"/var/lib/frontgate\"\n\
         grace-period = 30\n\
         no-account-limits = true\n\
         allowed-host = [\"frontgate.test\"]\n\n\
         [service-endpoint]\n\
         sqs = \"http://127.0.0.1:9324\"\n\
         ```\n\n\
         An unknown key is an error that names the nearest known one. An unknown `FRONTGATE_` variable is a warning.\n\
         An on/off flag alone switches on; `--flag=false` switches off what a file or a variable switched on.\n",
    );
    let mut heading = String::new();
    let command = serve_command();
    for setting in command.get_arguments().filter(|setting| setting.get_help_heading().is_some()) {
        let group = setting.get_help_heading().unwrap_or_default();
        if group != heading {
            let _ = write!(page, "\n## {group}\n");
            heading = group.to_owned();
        }
        let id = setting.get_id().as_str();
        let value = setting.get_value_names().unwrap_or_default().join(" ");
        let default =
            setting.get_default_values().first().map_or("none".to_owned(), |value| format!("`{}`", value.display()));
        let help = setting.get_long_help().map(ToString::to_string).unwrap_or_default();
        let help = help.rsplit_once("\n\n[env:").map_or(help.as_str(), |(help, _)| help);
        let _ = write!(
            page,
            "\n### `--{}`\n\n{help}\n\n- Value: `{value}`. Default: {default}. Variable: `{}`.\n",
            setting.get_long().unwrap_or_default(),
            variable_name(id)
        );
    }
    page
}

#[test]
fn a_file_named_by_flag_or_variable_is_read() {
    let directory = std::env::temp_dir().join(format!("frontgate-cli-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("settings.toml");
    std::fs::write(&file, "domain = \"file.test\"").unwrap();
    let by_flag = parse_line(&format!("frontgate serve --config {}", file.display()), &[]).unwrap();
    assert_eq!(by_flag.resolved.config.domain, "file.test");
    let variable = [("FRONTGATE_CONFIG", file.to_str().unwrap())];
    assert_eq!(parse_line("frontgate serve", &variable).unwrap().resolved.config.domain, "file.test");
    assert_eq!(
        parse_line("frontgate serve --domain flag.test", &variable).unwrap().resolved.config.domain,
        "flag.test"
    );
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_missing_file_is_refused_with_its_name() {
    let text = parse_line("frontgate serve --config /nonexistent/settings.toml", &[]).unwrap_err();
    assert!(text.contains("cannot be read") && text.contains("where: /nonexistent/settings.toml"), "{text}");
}

#[test]
fn a_misspelt_flag_is_refused_with_the_nearest() {
    let text = parse_line("frontgate serve --lisen 127.0.0.1:1", &[]).unwrap_err();
    assert!(text.contains("unexpected argument '--lisen'") && text.contains("'--listen'"), "{text}");
}

#[test]
fn version_and_help_are_answered() {
    assert_eq!(
        parse_line("frontgate --version", &[]).unwrap_err(),
        concat!("frontgate ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert!(parse_line("frontgate", &[]).unwrap_err().contains("Usage: frontgate <COMMAND>"));
}

#[test]
fn the_check_names_what_is_wrong_with_files() {
    let parsed = parse_line(
        "frontgate serve --check-config --tls-listen 127.0.0.1:1 --tls-certificate /nonexistent/c --tls-key /dev/null",
        &[],
    );
    let parsed = parsed.unwrap();
    assert!(parsed.check_only);
    let problems: String = check::problems(&parsed.resolved).iter().map(|problem| format!("{problem}\n")).collect();
    assert!(problems.contains("/nonexistent/c cannot be used for `--tls-certificate`"), "{problems}");
    assert!(problems.contains("/dev/null cannot be used for `--tls-key`: it is not a file"), "{problems}");
    let parsed = parse_line("frontgate serve --data-dir /dev/null/x", &[]).unwrap();
    let problems = check::problems(&parsed.resolved);
    assert!(problems[0].what.contains("/dev/null is a file, not a directory"), "{problems:?}");
}

#[test]
fn the_summary_shows_each_setting_with_its_origin() {
    let parsed =
        parse_line("frontgate serve --check-config --grace-period 3", &[("FRONTGATE_DOMAIN", "a.test")]).unwrap();
    let summary = check::summary(&parsed.resolved, None);
    let row = |name: &str| {
        let row = summary.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_default();
        row.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("grace-period"), "grace-period 3 s flag --grace-period");
    assert_eq!(row("domain"), "domain a.test environment variable FRONTGATE_DOMAIN");
    assert_eq!(row("listen"), "listen 127.0.0.1:4566 default");
    for setting in serve_command().get_arguments().filter(|setting| setting.get_help_heading().is_some()) {
        let name = setting.get_long().unwrap();
        assert!(!row(&format!("{name} ")).is_empty(), "the summary lacks {name}");
    }
}
