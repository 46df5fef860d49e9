//! What layers say that they are for: runtimes and architectures.

use wire::ApiError;

use crate::layers::LayerVersionRecord;

/// What a layer may say that it is for, in the order in which AWS's error names them: more than functions may use.
const RUNTIMES: [&str; 54] = [
    "ruby2.6",
    "dotnetcore1.0",
    "python3.7",
    "nodejs8.10",
    "nasa",
    "ruby2.7",
    "python2.7-greengrass",
    "dotnetcore2.0",
    "python3.8",
    "java21",
    "dotnet6",
    "dotnetcore2.1",
    "python3.9",
    "java11",
    "nodejs6.10",
    "provided",
    "dotnetcore3.1",
    "dotnet8",
    "java25",
    "java17",
    "nodejs",
    "nodejs4.3",
    "java8.al2",
    "go1.x",
    "dotnet10",
    "nodejs20.x",
    "go1.9",
    "byol",
    "nodejs10.x",
    "provided.al2023",
    "nodejs22.x",
    "python3.10",
    "java8",
    "nodejs12.x",
    "python3.11",
    "nodejs24.x",
    "nodejs8.x",
    "python3.12",
    "nodejs14.x",
    "nodejs8.9",
    "nodejs16.x",
    "python3.13",
    "python3.14",
    "nodejs18.x",
    "provided.al2",
    "nodejs4.3-edge",
    "ruby3.2",
    "python3.4",
    "ruby3.3",
    "ruby3.4",
    "ruby2.5",
    "python3.6",
    "python2.7",
    "dotnet5.0",
];

/// What a layer may say that it is for.
const ARCHITECTURES: [&str; 2] = ["x86_64", "arm64"];

/// `CompatibleRuntime` and `CompatibleArchitecture` of a list: what a version must name.
pub(super) struct Filter {
    runtime: Option<String>,
    architecture: Option<String>,
}

impl Filter {
    /// Reads them, and refuses what no layer can be for.
    pub(super) fn read(runtime: Option<String>, architecture: Option<String>) -> Result<Filter, ApiError> {
        let unknown = |name: &str, value: &Option<String>, known: &[&str]| {
            let value = value.as_ref().filter(|value| !known.contains(&value.as_str()))?;
            let known = known.join(", ");
            Some(format!(
                "Value '{value}' at '{name}' failed to satisfy constraint: Member must satisfy enum value set: [{known}]"
            ))
        };
        refuse_all(&[
            unknown("compatibleRuntime", &runtime, &RUNTIMES),
            unknown("compatibleArchitecture", &architecture, &ARCHITECTURES),
        ])?;
        Ok(Filter { runtime, architecture })
    }

    /// Whether it is shown.
    pub(super) fn fits(&self, version: &LayerVersionRecord) -> bool {
        let names = |wanted: &Option<String>, named: &[String]| wanted.as_ref().is_none_or(|it| named.contains(it));
        names(&self.runtime, &version.compatible_runtimes)
            && names(&self.architecture, &version.compatible_architectures)
    }
}

/// Refuses what no layer can be for.
pub(super) fn check(runtimes: &[String], architectures: &[String]) -> Result<(), ApiError> {
    let unknown = |name: &str, given: &[String], known: &[&str]| {
        given.iter().any(|value| !known.contains(&value.as_str())).then(|| {
            let (given, known) = (given.join(", "), known.join(", "));
            format!(
                "Value '[{given}]' at '{name}' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [{known}], Member must not be null]"
            )
        })
    };
    refuse_all(&[
        unknown("compatibleRuntimes", runtimes, &RUNTIMES),
        unknown("compatibleArchitectures", architectures, &ARCHITECTURES),
    ])
}

/// Refuses with all violations at once, as the validator in front of the service does.
fn refuse_all(violations: &[Option<String>]) -> Result<(), ApiError> {
    let violations: Vec<&str> = violations.iter().flatten().map(String::as_str).collect();
    let plural = match violations.len() {
        0 => return Ok(()),
        1 => "",
        _ => "s",
    };
    let text = violations.join("; ");
    Err(ApiError::validation(format!("{} validation error{plural} detected: {text}", violations.len())))
}
