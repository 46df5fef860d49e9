//! Which value wins, and what is said about one that is wrong.

use std::path::Path;

use clap::{Args, Command};

use super::*;

const FILE: &str = "conf/frontgate.toml";

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
}

fn layers(variables: &[(&str, &str)], toml: &str) -> Result<Layers, Vec<Problem>> {
    Layers::read(&environment(variables), Some((Path::new(FILE), toml)))
}

fn resolve(flags: &[&str], variables: &[(&str, &str)], toml: &str) -> Resolved {
    let layers = layers(variables, toml).expect("the case's values are right");
    let command = layers.apply(Config::augment_args(Command::new("test"))).no_binary_name(true);
    layers.resolve(&command.try_get_matches_from(flags).expect("the case's flags are right")).unwrap()
}

/// The only problem of a file, as the operator sees it.
fn refusal(toml: &str) -> String {
    let problems = layers(&[], toml).expect_err("the case's file is wrong");
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].to_string()
}

fn refusal_of_variable(name: &str, value: &str) -> String {
    layers(&[(name, value)], "").expect_err("the case's variable is wrong")[0].to_string()
}

/// The only problem of settings that do not fit together.
fn misfit(flags: &[&str]) -> String {
    let resolved = resolve(flags, &[], "");
    let problems = resolved.config.problems(&resolved.layers);
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].to_string()
}

#[test]
fn without_anything_the_defaults_hold() {
    let Resolved { config, layers } = resolve(&[], &[], "");
    assert_eq!(config.listen, "127.0.0.1:4566".parse().unwrap());
    assert_eq!(config.data_dir, Path::new("./frontgate-data"));
    assert_eq!(config.domain, "localhost");
    assert_eq!(config.auth, Auth::Off);
    assert_eq!(config.grace_period, Duration::from_secs(10));
    assert_eq!(config.log_format, LogFormat::Text);
    assert_eq!(config.log_level, "info");
    assert_eq!(config.tls(), None);
    assert!(!config.no_account_limits && !config.runtime_substitution && !config.insecure_remote_admin);
    assert!(!config.allow_internal_integrations && config.allowed_host.is_empty());
    assert!(config.data_thread_count() >= 1);
    assert_eq!(config.problems(&layers), []);
    assert_eq!(config.warnings(), Vec::<String>::new());
}

#[test]
fn the_flag_wins_over_the_variable_and_the_variable_over_the_file() {
    let toml = "domain = \"file.test\"";
    let variable = [("FRONTGATE_DOMAIN", "variable.test")];
    let domain = |resolved: Resolved| (resolved.config.domain.clone(), resolved.layers.origin("domain"));
    let expected = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
    assert_eq!(domain(resolve(&[], &[], "")), expected("localhost", "default"));
    assert_eq!(domain(resolve(&[], &[], toml)), expected("file.test", "conf/frontgate.toml:1, key `domain`"));
    assert_eq!(
        domain(resolve(&[], &variable, toml)),
        expected("variable.test", "environment variable FRONTGATE_DOMAIN")
    );
    let flag = ["--domain", "flag.test"];
    assert_eq!(domain(resolve(&flag, &variable, toml)), expected("flag.test", "flag --domain"));
}

#[test]
fn an_on_off_setting_can_be_switched_off_again_from_above() {
    let limits = |flags: &[&str], variables: &[(&str, &str)], toml: &str| {
        resolve(flags, variables, toml).config.no_account_limits
    };
    assert!(limits(&["--no-account-limits"], &[], ""));
    assert!(limits(&[], &[("FRONTGATE_NO_ACCOUNT_LIMITS", "1")], ""));
    assert!(limits(&[], &[], "no-account-limits = true"));
    assert!(!limits(&[], &[("FRONTGATE_NO_ACCOUNT_LIMITS", "0")], "no-account-limits = true"));
    assert!(!limits(&["--no-account-limits=false"], &[("FRONTGATE_NO_ACCOUNT_LIMITS", "true")], ""));
}

#[test]
fn every_setting_can_be_given_in_a_file() {
    let toml = r#"
        listen = "[::1]:80"
        tls-listen = "127.0.0.1:443"
        tls-certificate = "chain.pem"
        tls-key = "key.pem"
        domain = "APIs.Example.com"
        data-dir = "/var/lib/frontgate"
        auth = "off"
        insecure-remote-admin = true
        allowed-host = ["one.test", "two.test"]
        allow-internal-integrations = true
        hot-reload-root = "/srv/functions"
        no-account-limits = true
        runtime-substitution = true
        event-retry-delay = 1
        sandbox = "strict"
        grace-period = 0
        data-threads = 3
        log-format = "json"
        log-level = "warn,gateway=debug"

        [service-endpoint]
        sqs = "http://127.0.0.1:9324"
        states = "http://127.0.0.1:8083"
    "#;
    for setting in layers::settings() {
        let key = setting.get_long().expect("every setting has a flag");
        let is_there = toml.contains(&format!("  {key} = ")) || toml.contains(&format!("[{key}]"));
        assert!(is_there, "this test lacks `{key}`");
    }
    let config = resolve(&[], &[], toml).config;
    assert_eq!(config.listen, "[::1]:80".parse().unwrap());
    let tls = config.tls().expect("all three are given");
    assert_eq!(
        (tls.listen.port(), tls.certificate.as_path(), tls.key.as_path()),
        (443, Path::new("chain.pem"), Path::new("key.pem"))
    );
    assert_eq!(config.domain, "apis.example.com");
    assert_eq!(config.allowed_host, ["one.test", "two.test"]);
    let endpoints: Vec<String> = config.service_endpoint.iter().map(ToString::to_string).collect();
    assert_eq!(endpoints, ["sqs=http://127.0.0.1:9324", "stepfunctions=http://127.0.0.1:8083"]);
    assert_eq!((config.grace_period, config.data_thread_count()), (Duration::ZERO, 3));
    assert_eq!((config.log_format, config.log_level.as_str()), (LogFormat::Json, "warn,gateway=debug"));
    assert!(config.insecure_remote_admin && config.allow_internal_integrations);
}

#[test]
fn folders_of_functions_are_any_that_the_user_has_or_those_that_the_operator_names() {
    let allowed = |flags: &[&str]| resolve(flags, &[], "").config.hot_reload();
    assert_eq!(allowed(&[]), HotReload::Anywhere);
    let remote = ["--listen", "0.0.0.0:80", "--insecure-remote-admin"];
    assert_eq!(allowed(&remote), HotReload::Refused);
    let root = ["--hot-reload-root", "/srv/functions"];
    assert_eq!(allowed(&root), HotReload::Below("/srv/functions".into()));
    assert_eq!(
        allowed(&[remote, [root[0], root[1], "--runtime-substitution"]].concat()),
        HotReload::Below("/srv/functions".into())
    );
}

#[test]
fn a_list_from_above_replaces_the_one_below() {
    let hosts = |flags: &[&str], variables: &[(&str, &str)]| {
        resolve(flags, variables, "allowed-host = [\"file.test\"]").config.allowed_host
    };
    assert_eq!(hosts(&[], &[("FRONTGATE_ALLOWED_HOST", "one.test,two.test")]), ["one.test", "two.test"]);
    assert_eq!(
        hosts(&["--allowed-host", "a.test", "--allowed-host", "b.test,c.test"], &[]),
        ["a.test", "b.test", "c.test"]
    );
}

#[test]
fn service_endpoints_are_given_alike_everywhere() {
    let endpoints = |flags: &[&str], variables: &[(&str, &str)], toml: &str| {
        let endpoints = resolve(flags, variables, toml).config.service_endpoint;
        endpoints.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    let toml = "[service-endpoint]\nsqs = \"http://file:1\"\nsns = \"http://file:2\"";
    let variable = [("FRONTGATE_SERVICE_ENDPOINT", "sqs=http://variable:1,s3=http://K:S@variable:2")];
    assert_eq!(endpoints(&[], &[], toml), "sns=http://file:2 sqs=http://file:1");
    assert_eq!(endpoints(&[], &variable, toml), "sqs=http://variable:1 s3=http://variable:2");
    let flags = ["--service-endpoint", "sqs=http://flag:1", "--service-endpoint", "s3=http://flag:2,sns=http://flag:3"];
    assert_eq!(endpoints(&flags, &variable, toml), "sqs=http://flag:1 s3=http://flag:2 sns=http://flag:3");
}

#[test]
fn a_wrong_service_endpoint_is_named_with_its_place() {
    assert!(refusal("[service-endpoint]\nsqs = \"127.0.0.1:9324\"").ends_with(
        "next:  expected a URL that begins with http:// or https://, for example sqs=http://127.0.0.1:9324"
    ));
    assert!(refusal("service-endpoint = [\"sqs=http://h\"]").contains("write a table of texts: `[service-endpoint]`"));
    assert!(refusal("[service-endpoint]\nsqs = 4566").contains("`service-endpoint` is a table"));
    assert!(refusal_of_variable("FRONTGATE_SERVICE_ENDPOINT", "lambda=http://h").contains("it has lambda"));
    let twice = ["--service-endpoint", "states=http://h", "--service-endpoint", "stepfunctions=http://h"];
    assert!(
        misfit(&twice).starts_with("`--service-endpoint` names stepfunctions twice\n  where: flag --service-endpoint")
    );
    for own in ["sqs=http://127.0.0.1:4566", "sqs=http://localhost:4566"] {
        assert!(misfit(&["--service-endpoint", own]).contains("is the address of this program"), "{own}");
    }
    let resolved = resolve(&["--service-endpoint", "dynamo=http://h"], &[], "");
    let warning =
        "--service-endpoint: dynamo is not a service that Frontgate knows by its name; did you mean dynamodb?";
    assert_eq!(resolved.config.warnings(), [warning]);
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    assert_eq!(
        refusal("listen = \"127.0.0.1:1\"\n\ndata_dir = \"x\""),
        "`data_dir` is not a setting\n  where: conf/frontgate.toml:3, key `data_dir`\n  next:  did you mean `data-dir`?"
    );
    assert!(refusal("listn = \"127.0.0.1:1\"").ends_with("did you mean `listen`?"));
    assert!(refusal("[server]\nport = 1").contains("known keys are listen, tls-listen, "));
}

#[test]
fn a_value_of_the_wrong_type_is_refused_with_its_line() {
    assert_eq!(
        refusal("# a comment\nlisten = 4566"),
        "`listen` is the number 4566\n  where: conf/frontgate.toml:2, key `listen`\n  \
         next:  write text in quotes, for example `listen = \"127.0.0.1:4566\"`"
    );
    assert!(refusal("grace-period = \"10\"").contains("is the text \"10\""));
    assert!(refusal("grace-period = 1.5").contains("is the number 1.5"));
    assert!(refusal("no-account-limits = \"true\"").contains("write `no-account-limits = true` or"));
    assert!(refusal("allowed-host = \"one.test\"").contains("write a list of texts"));
    assert!(refusal("allowed-host = [\"one.test\", 2]").contains("a list of another kind"));
    assert!(refusal("log-level = {}").contains("is a table"));
}

#[test]
fn a_value_that_its_own_type_refuses_is_named_with_its_place() {
    assert_eq!(
        refusal("listen = \"localhost\""),
        "`listen` is \"localhost\"\n  where: conf/frontgate.toml:1, key `listen`\n  \
         next:  expected an IP address and a port, for example 127.0.0.1:4566 or [::1]:4566"
    );
    assert!(refusal("auth = \"on\"").ends_with("expected off or enforce"));
    assert!(refusal("grace-period = 86400").ends_with("expected whole seconds, 0 to 3600"));
    assert!(refusal("data-threads = 0").ends_with("expected a number of threads, 1 to 1024"));
    assert!(refusal("log-level = \"loud\"").contains("expected error, warn, info"));
    assert!(refusal("domain = \"http://x\"").contains("without scheme, port or path"));
    assert_eq!(
        refusal_of_variable("FRONTGATE_GRACE_PERIOD", "ten"),
        "FRONTGATE_GRACE_PERIOD is \"ten\"\n  where: environment variable FRONTGATE_GRACE_PERIOD\n  \
         next:  expected whole seconds, 0 to 3600"
    );
    assert!(refusal_of_variable("FRONTGATE_RUNTIME_SUBSTITUTION", "perhaps").contains("next:  "));
    assert!(refusal_of_variable("FRONTGATE_LISTEN", "").contains("FRONTGATE_LISTEN is \"\""));
}

#[test]
fn a_file_that_is_not_toml_is_refused_with_its_line() {
    let text = refusal("listen = \"127.0.0.1:1\"\ndomain = \n");
    assert!(text.starts_with("the file is not TOML: ") && text.contains("where: conf/frontgate.toml:2"), "{text}");
}

#[test]
fn all_problems_are_told_at_once() {
    let problems =
        layers(&[("FRONTGATE_LISTEN", "x")], "nonsense = 1\nlog-level = 2").expect_err("three values are wrong");
    assert_eq!(problems.len(), 3, "{problems:?}");
}

#[test]
fn a_misspelt_variable_is_warned_of_and_a_platform_variable_is_not() {
    let resolved = resolve(
        &[],
        &[("FRONTGATE_LISTN", "x"), ("FRONTGATE_SERVICE_HOST", "10.0.0.1"), ("FRONTGATE_PORT_80_TCP", "x")],
        "",
    );
    let expected =
        "environment variable FRONTGATE_LISTN is not a setting and does nothing; did you mean FRONTGATE_LISTEN?";
    assert_eq!(resolved.layers.warnings, [expected]);
}

#[test]
fn tls_settings_come_together_or_not_at_all() {
    assert_eq!(
        misfit(&["--tls-listen", "127.0.0.1:443"]),
        "`--tls-listen` is given without `--tls-certificate` and `--tls-key`\n  where: flag --tls-listen\n  \
         next:  give all three TLS settings, or none"
    );
    assert!(
        misfit(&["--tls-key", "k", "--tls-certificate", "c"])
            .starts_with("`--tls-certificate` is given without `--tls-listen`\n")
    );
    let both = ["--tls-listen", "127.0.0.1:4566", "--tls-key", "k", "--tls-certificate", "c"];
    assert!(misfit(&both).starts_with("`--listen` and `--tls-listen` are both 127.0.0.1:4566"));
}

#[test]
fn enforced_auth_is_refused_until_it_is_built() {
    assert!(misfit(&["--auth", "enforce"]).starts_with("`--auth enforce` is not built yet"));
}

#[test]
fn a_listener_that_others_can_reach_needs_a_word_and_gives_a_warning() {
    let text = misfit(&["--listen", "0.0.0.0:4566"]);
    assert!(
        text.starts_with("0.0.0.0:4566 can be reached by other machines") && text.contains("--insecure-remote-admin"),
        "{text}"
    );
    assert!(
        misfit(&["--tls-listen", "[::]:1", "--tls-key", "k", "--tls-certificate", "c"])
            .contains("where: flag --tls-listen")
    );
    let resolved = resolve(&["--listen", "0.0.0.0:4566", "--insecure-remote-admin"], &[], "");
    assert_eq!(resolved.config.problems(&resolved.layers), []);
    assert!(resolved.config.warnings()[0].starts_with("INSECURE: anyone who can reach 0.0.0.0:4566"));
}
