//! Where a setting's value comes from: the flag, else the environment, else the TOML file, else the default.
//!
//! The flags of [`Config`] are the one definition. The environment and the file are read against it and become new
//! defaults of the same clap arguments before the command line is parsed, so that clap alone knows types, defaults
//! and precedence. A value from outside the command line is parsed by its own argument first, because only here is it
//! known which line of which file, or which variable, to name in the error.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base::service_endpoints::ServiceEndpoint;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Args, FromArgMatches};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Config;

/// The environment, as names and values. A parameter, so that tests need not change their own process.
pub(crate) type Environment = BTreeMap<String, OsString>;

/// What environment variables of ours start with.
const PREFIX: &str = "FRONTGATE_";

/// How variables start that are not misspelt settings: those that container platforms set for a service named
/// "frontgate", and those of the project's own tests.
const NOT_SETTINGS: [&str; 6] = [
    "FRONTGATE_SERVICE_",
    "FRONTGATE_PORT",
    "FRONTGATE_BIN",
    "FRONTGATE_BOTOCORE",
    "FRONTGATE_UPDATE_CASES",
    "FRONTGATE_VECTORS",
];

/// A misspelt setting, a value of the wrong type, or settings that do not fit together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// What is wrong, in one sentence without a full stop.
    pub(crate) what: String,
    /// Where it was written, as [`Layers::origin`] words it.
    pub(crate) place: String,
    /// What to do about it.
    pub(crate) next: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}\n  where: {}\n  next:  {}", self.what, self.place, self.next)
    }
}

/// One setting's value from outside the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Value {
    /// One text, or several for a repeatable setting.
    texts: Vec<OsString>,
    /// Where it was written.
    place: String,
}

/// The values that the environment and the file give, by field name of [`Config`]; the environment has already won.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layers {
    values: BTreeMap<String, Value>,
    on_command_line: Vec<String>,
    /// What the operator should know about the environment.
    pub(crate) warnings: Vec<String>,
}

/// The settings with the place each came from.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    /// The settings.
    pub(crate) config: Config,
    /// Where each came from.
    pub(crate) layers: Layers,
}

/// The flag (without its dashes) and the TOML key of a field.
pub(crate) fn long_name(field: &str) -> String {
    field.replace('_', "-")
}

/// The environment variable of a field.
pub(crate) fn variable_name(field: &str) -> String {
    format!("{PREFIX}{}", field.to_ascii_uppercase())
}

/// The arguments that [`Config`] defines.
pub(super) fn settings() -> Vec<Arg> {
    Config::augment_args(clap::Command::new("settings")).get_arguments().cloned().collect()
}

/// The file that `--config` or its variable names.
pub(crate) fn config_file(flag: Option<PathBuf>, environment: &Environment) -> Option<PathBuf> {
    flag.or_else(|| environment.get("FRONTGATE_CONFIG").map(PathBuf::from))
}

/// What kind of TOML value a setting wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Boolean,
    Number,
    Text,
    Texts,
    /// A table of texts, which the other places write `KEY=TEXT`.
    Pairs,
}

impl Kind {
    fn of(setting: &Arg) -> Kind {
        let type_id = setting.get_value_parser().type_id();
        if type_id == std::any::TypeId::of::<ServiceEndpoint>() {
            Kind::Pairs
        } else if matches!(setting.get_action(), ArgAction::Append) {
            Kind::Texts
        } else if type_id == std::any::TypeId::of::<bool>() {
            Kind::Boolean
        } else if type_id == std::any::TypeId::of::<Duration>() || type_id == std::any::TypeId::of::<NonZeroUsize>() {
            Kind::Number
        } else {
            Kind::Text
        }
    }

    fn expected(self, key: &str, default: &str) -> String {
        match self {
            Kind::Boolean => format!("write `{key} = true` or `{key} = false`"),
            Kind::Number => format!("write a whole number without quotes, for example `{key} = 10`"),
            Kind::Text if default.is_empty() => format!("write text in quotes, for example `{key} = \"...\"`"),
            Kind::Text => format!("write text in quotes, for example `{key} = \"{default}\"`"),
            Kind::Texts => format!("write a list of texts, for example `{key} = [\"frontgate.test\"]`"),
            Kind::Pairs => {
                format!("write a table of texts: `[{key}]`, and below it for example `sqs = \"http://127.0.0.1:9324\"`")
            }
        }
    }

    /// The texts of a TOML value, or nothing if it is of another kind.
    fn texts(self, value: &DeValue<'_>) -> Option<Vec<OsString>> {
        match (self, value) {
            (Kind::Boolean, DeValue::Boolean(flag)) => Some(vec![flag.to_string().into()]),
            (Kind::Number, DeValue::Integer(number)) if number.radix() == 10 => Some(vec![number.as_str().into()]),
            (Kind::Text, DeValue::String(text)) => Some(vec![text.as_ref().into()]),
            (Kind::Texts, DeValue::Array(items)) => {
                items.iter().map(|item| item.get_ref().as_str().map(OsString::from)).collect()
            }
            (Kind::Pairs, DeValue::Table(pairs)) => {
                let pair = |key: &str, value: &DeValue<'_>| Some(OsString::from(format!("{key}={}", value.as_str()?)));
                pairs.iter().map(|(key, value)| pair(key.get_ref(), value.get_ref())).collect()
            }
            _ => None,
        }
    }
}

impl Layers {
    /// Reads the environment and, if given, the file. All problems are found, not only the first.
    pub(crate) fn read(environment: &Environment, file: Option<(&Path, &str)>) -> Result<Layers, Vec<Problem>> {
        let mut layers = Layers::default();
        let mut problems = Vec::new();
        if let Some((path, text)) = file {
            layers.read_file(path, text, &mut problems);
        }
        layers.read_environment(environment, &mut problems);
        if problems.is_empty() { Ok(layers) } else { Err(problems) }
    }

    fn read_file(&mut self, path: &Path, text: &str, problems: &mut Vec<Problem>) {
        let place_of = |offset: usize| format!("{}:{}", path.display(), line_of(text, offset));
        let table = match DeTable::parse(text) {
            Ok(table) => table,
            Err(error) => {
                let place = error.span().map_or_else(|| path.display().to_string(), |span| place_of(span.start));
                let what = format!("the file is not TOML: {}", error.message());
                problems.push(Problem { what, place, next: "mend that line".into() });
                return;
            }
        };
        let settings = settings();
        for (key, value) in table.get_ref() {
            let place = format!("{}, key `{}`", place_of(key.span().start), key.get_ref());
            match self.read_key(&settings, key.get_ref(), value, place) {
                Ok(()) => {}
                Err(problem) => problems.push(problem),
            }
        }
    }

    fn read_key(
        &mut self,
        settings: &[Arg],
        key: &str,
        value: &Spanned<DeValue<'_>>,
        place: String,
    ) -> Result<(), Problem> {
        let Some(setting) = settings.iter().find(|setting| setting.get_long() == Some(key)) else {
            let known: Vec<&str> = settings.iter().filter_map(Arg::get_long).collect();
            let next = match nearest(&key.replace('_', "-"), &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known keys are {}", known.join(", ")),
            };
            return Err(Problem { what: format!("`{key}` is not a setting"), place, next });
        };
        let kind = Kind::of(setting);
        let default = setting.get_default_values().first().and_then(|default| default.to_str()).unwrap_or_default();
        let texts = kind.texts(value.get_ref()).ok_or_else(|| Problem {
            what: format!("`{key}` is {}", worded(value.get_ref())),
            place: place.clone(),
            next: kind.expected(key, default),
        })?;
        self.add(setting, Value { texts, place }, &format!("`{key}`"))
    }

    fn read_environment(&mut self, environment: &Environment, problems: &mut Vec<Problem>) {
        let settings = settings();
        let by_variable: BTreeMap<String, &Arg> =
            settings.iter().map(|setting| (variable_name(setting.get_id().as_str()), setting)).collect();
        for (name, text) in
            environment.iter().filter(|(name, _)| name.starts_with(PREFIX) && *name != "FRONTGATE_CONFIG")
        {
            let place = format!("environment variable {name}");
            if let Some(setting) = by_variable.get(name) {
                // A list is split here and not by clap, because a new default is taken as it stands.
                let texts = match (Kind::of(setting), text.to_str()) {
                    (Kind::Texts | Kind::Pairs, Some(list)) => list.split(',').map(OsString::from).collect(),
                    _ => vec![text.clone()],
                };
                if let Err(problem) = self.add(setting, Value { texts, place }, name) {
                    problems.push(problem);
                }
            } else if !NOT_SETTINGS.iter().any(|prefix| name.starts_with(prefix)) {
                let known: Vec<&str> = by_variable.keys().map(String::as_str).collect();
                let hint = nearest(name, &known).map_or(String::new(), |near| format!("; did you mean {near}?"));
                self.warnings.push(format!("environment variable {name} is not a setting and does nothing{hint}"));
            }
        }
    }

    /// Takes a value after its own argument has parsed it.
    fn add(&mut self, setting: &Arg, value: Value, name: &str) -> Result<(), Problem> {
        for text in &value.texts {
            if let Err(why) = parse_alone(setting, text) {
                let what = format!("{name} is \"{}\"", text.to_string_lossy());
                return Err(Problem { what, place: value.place, next: why });
            }
        }
        self.values.insert(setting.get_id().to_string(), value);
        Ok(())
    }

    /// Where a setting's value was written, for people.
    pub(crate) fn origin(&self, field: &str) -> String {
        if self.on_command_line.iter().any(|given| given == field) {
            return format!("flag --{}", long_name(field));
        }
        self.values.get(field).map_or_else(|| "default".to_owned(), |value| value.place.clone())
    }

    /// Makes the values the defaults of `command`'s arguments, which must include those of [`Config`].
    pub(crate) fn apply(&self, command: clap::Command) -> clap::Command {
        let names: Vec<String> = settings().iter().map(|setting| setting.get_id().to_string()).collect();
        names.into_iter().fold(command, |command, name| {
            let value = self.values.get(&name).cloned();
            command.mut_arg(name, |argument| {
                let argument = complete(argument);
                match value {
                    Some(value) => argument.default_values(value.texts.into_iter().map(clap::builder::OsStr::from)),
                    None => argument,
                }
            })
        })
    }

    /// The settings that a parsed command line holds.
    pub(crate) fn resolve(mut self, matches: &clap::ArgMatches) -> Result<Resolved, clap::Error> {
        let config = Config::from_arg_matches(matches)?;
        let from_flag = |field: &String| matches.value_source(field) == Some(clap::parser::ValueSource::CommandLine);
        self.on_command_line =
            settings().iter().map(|setting| setting.get_id().to_string()).filter(from_flag).collect();
        Ok(Resolved { config, layers: self })
    }
}

/// What every setting has beside what its field says: the variable's name in the long help text, and for an on/off
/// setting the form `--flag=false`, without which a flag could not win over a file that says `true`.
fn complete(argument: Arg) -> Arg {
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let long_help = format!("{help}\n\n[env: {}]", variable_name(argument.get_id().as_str()));
    let argument = argument.long_help(long_help).hide_possible_values(true);
    if Kind::of(&argument) != Kind::Boolean {
        return argument;
    }
    let argument = argument.action(ArgAction::Set).num_args(0..=1).require_equals(true).value_name("true|false");
    let argument = argument.value_parser(clap::builder::BoolishValueParser::new());
    argument.default_value("false").default_missing_value("true")
}

/// Parses one value as the command line would, and words the refusal.
fn parse_alone(setting: &Arg, text: &OsString) -> Result<(), String> {
    let alone = clap::Command::new("setting").no_binary_name(true).arg(complete(setting.clone()));
    let mut argument = OsString::from(format!("--{}=", setting.get_long().unwrap_or_default()));
    argument.push(text);
    let Err(error) = alone.try_get_matches_from([argument]) else { return Ok(()) };
    let source = std::error::Error::source(&error).map(ToString::to_string);
    Err(match (error.kind(), error.get(ContextKind::ValidValue)) {
        (ErrorKind::InvalidValue, Some(ContextValue::Strings(words))) if !words.is_empty() => {
            format!("expected {}", words.join(" or "))
        }
        (ErrorKind::InvalidUtf8, _) => "expected text in UTF-8".to_owned(),
        _ => source.unwrap_or_else(|| "expected a value; leave the setting out to have the default".to_owned()),
    })
}

/// A TOML value as one says it.
fn worded(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text \"{text}\""),
        DeValue::Integer(number) => format!("the number {}", number.as_str()),
        DeValue::Float(number) => format!("the number {}", number.as_str()),
        DeValue::Boolean(flag) => format!("the truth value {flag}"),
        DeValue::Datetime(time) => format!("the time {time}"),
        DeValue::Array(_) => "a list of another kind".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// The known name that takes the fewest edits to reach, if it is near enough to have been meant.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let (edits, near) = known.iter().map(|candidate| (edit_distance(name, candidate), *candidate)).min()?;
    (edits <= (name.len() / 3).max(2)).then_some(near)
}

/// Insertions, deletions and replacements that turn one text into the other (Levenshtein).
fn edit_distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, from_char) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to_char) in to.iter().enumerate() {
            let replace = diagonal + usize::from(from_char != *to_char);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}
