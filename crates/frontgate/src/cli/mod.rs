//! The command line: what the program is asked to do, and how refusals look.

mod api_client;
mod check;
mod cors;
mod doctor;
mod logging;
mod runtimes;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::config::{Config, Environment, Layers, Problem, Resolved, config_file};

const EXAMPLES: &str = "\
Examples:
  frontgate serve
      Serve on 127.0.0.1:4566 with everything kept in ./frontgate-data.
  frontgate serve --tls-listen 127.0.0.1:4567 --tls-certificate server.pem --tls-key server.key
      The same, and over TLS as well.
  frontgate serve --config frontgate.toml --check-config
      Say whether the settings are right, and where each comes from, without starting.

Every setting is also an environment variable (FRONTGATE_DATA_DIR) and a key of the TOML file (data-dir = \"...\").
The flag wins over the variable, the variable over the file, the file over the default. An on/off setting is switched
off again with --flag=false.";

/// Frontgate: an Amazon API Gateway that you can own
///
/// One program that creates, publishes and serves APIs and runs the functions behind them. It speaks AWS's own
/// protocols: point the AWS CLI or an SDK at it with AWS_ENDPOINT_URL=http://127.0.0.1:4566.
#[derive(Debug, clap::Parser)]
#[command(name = "frontgate", version, arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Serve the AWS APIs and the deployed APIs until interrupted
    Serve(Serve),
    /// Let web pages of other origins call an API
    Cors(cors::Cors),
    /// List which of Lambda's runtimes this host can run, and with what
    Runtimes,
    /// Say which layers of the functions' sandbox this host offers
    Doctor,
}

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
struct Serve {
    /// TOML file with settings, whose keys are the flags' names [env: FRONTGATE_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Say whether the settings are right, then exit: 0 if so, 1 if not; nothing is written and no port is taken
    #[arg(long)]
    check_config: bool,

    #[command(flatten)]
    settings: Config,
}

/// Does what the command line asks. Zero is success, 1 a refusal, 2 a command line that cannot be read.
pub(crate) fn run(arguments: impl IntoIterator<Item = OsString>, environment: &Environment) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    match parse(&arguments, environment) {
        Ok(Parsed::Serve(parsed)) if parsed.check_only => check(&parsed.resolved, parsed.config_file.as_deref()),
        Ok(Parsed::Serve(parsed)) => serve(parsed.resolved),
        Ok(Parsed::Cors(cors)) => cors::run(*cors),
        Ok(Parsed::Runtimes) => runtimes::run(),
        Ok(Parsed::Doctor) => doctor::run(),
        Err(Refusal::CommandLine(error)) => {
            // Help and version come this way too, with code 0. A closed terminal is no reason to fail differently.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        }
        Err(Refusal::Settings(problems)) => refuse(&problems),
    }
}

#[derive(Debug)]
enum Parsed {
    Serve(Box<ParsedServe>),
    Cors(Box<cors::Cors>),
    Runtimes,
    Doctor,
}

#[derive(Debug)]
struct ParsedServe {
    resolved: Resolved,
    check_only: bool,
    config_file: Option<PathBuf>,
}

#[derive(Debug)]
enum Refusal {
    CommandLine(clap::Error),
    Settings(Vec<Problem>),
}

impl From<clap::Error> for Refusal {
    fn from(error: clap::Error) -> Self {
        Refusal::CommandLine(error)
    }
}

/// The command line's definition, with the environment and the file as its defaults.
fn command(layers: &Layers) -> clap::Command {
    Cli::command().mut_subcommand("serve", |serve| layers.apply(serve))
}

/// Parses twice: once to find the file and to report what is wrong with the command line itself, then with the
/// file's and the environment's values as defaults.
fn parse(arguments: &[OsString], environment: &Environment) -> Result<Parsed, Refusal> {
    let matches = command(&Layers::default()).try_get_matches_from(arguments)?;
    let flags = match Cli::from_arg_matches(&matches)?.command {
        Command::Serve(flags) => flags,
        Command::Cors(cors) => return Ok(Parsed::Cors(Box::new(cors))),
        Command::Runtimes => return Ok(Parsed::Runtimes),
        Command::Doctor => return Ok(Parsed::Doctor),
    };
    let config_file = config_file(flags.config, environment);
    let text =
        config_file.as_deref().map(read_config_file).transpose().map_err(|problem| Refusal::Settings(vec![problem]))?;
    let file = config_file.as_deref().zip(text.as_deref());
    let layers = Layers::read(environment, file).map_err(Refusal::Settings)?;
    let matches = command(&layers).try_get_matches_from(arguments)?;
    let (_, serve) = matches.subcommand().expect("the first parse found a subcommand in the same arguments");
    let resolved = layers.resolve(serve)?;
    Ok(Parsed::Serve(Box::new(ParsedServe { resolved, check_only: flags.check_config, config_file })))
}

fn read_config_file(path: &Path) -> Result<String, Problem> {
    std::fs::read_to_string(path).map_err(|error| Problem {
        what: format!("the settings file cannot be read: {error}"),
        place: format!("{}", path.display()),
        next: "check the path given with `--config` or FRONTGATE_CONFIG, and that the file is UTF-8 text".into(),
    })
}

fn check(resolved: &Resolved, config_file: Option<&Path>) -> ExitCode {
    let problems = check::problems(resolved);
    if !problems.is_empty() {
        return refuse(&problems);
    }
    let _ = writeln!(std::io::stdout(), "{}", check::summary(resolved, config_file));
    ExitCode::SUCCESS
}

fn serve(resolved: Resolved) -> ExitCode {
    let problems = check::problems(&resolved);
    if !problems.is_empty() {
        return refuse(&problems);
    }
    let _log = logging::start(resolved.config.log_format, &resolved.config.log_level);
    for warning in resolved.layers.warnings.iter().chain(&resolved.config.warnings()) {
        tracing::warn!("{warning}");
    }
    match crate::wiring::serve(resolved.config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let because: String = error.chain().skip(1).map(|cause| format!("\n  because: {cause}")).collect();
            let _ = writeln!(std::io::stderr(), "error: {error}{because}");
            ExitCode::FAILURE
        }
    }
}

fn refuse(problems: &[Problem]) -> ExitCode {
    for problem in problems {
        let _ = writeln!(std::io::stderr(), "error: {problem}");
    }
    ExitCode::FAILURE
}
