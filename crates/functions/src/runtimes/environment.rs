//! The environment variables of a function's process, as AWS documents them.

use std::path::Path;

use base::ids;
use base::seams::TemporaryCredentials;
use sha2::{Digest as _, Sha256};

use super::Runtime;

/// What the variables tell about a function.
#[derive(Debug)]
pub(crate) struct FunctionFacts<'a> {
    /// Where the layers are, if it has any.
    pub(crate) opt: Option<&'a Path>,
    /// `FunctionName`.
    pub(crate) name: &'a str,
    /// `$LATEST` or a number.
    pub(crate) version: &'a str,
    /// The identifier as it was given: `python3.13`, also where another interpreter stands in.
    pub(crate) runtime: &'a str,
    /// `file.function`.
    pub(crate) handler: &'a str,
    /// `MemorySize`.
    pub(crate) memory_mb: u32,
    /// What it signs requests with.
    pub(crate) credentials: &'a TemporaryCredentials,
    /// Where it is.
    pub(crate) region: &'a str,
    /// `/aws/lambda/{name}` unless configured otherwise.
    pub(crate) log_group: &'a str,
    /// `ApplicationLogLevel`, where the log is JSON.
    pub(crate) json_log_level: Option<&'a str>,
    /// The environment's own stream in it.
    pub(crate) log_stream: &'a str,
    /// `on-demand` or `provisioned-concurrency`.
    pub(crate) initialization: &'a str,
    /// Where the SDKs inside reach us.
    pub(crate) endpoint_url: &'a str,
    /// The function's own variables, which win where AWS lets them.
    pub(crate) own: &'a [(String, String)],
}

/// All variables of the process.
///
/// Against AWS: where the sandbox has no mount namespace, `LAMBDA_TASK_ROOT` and `LAMBDA_RUNTIME_DIR` are other paths and
/// `TMPDIR` names the environment's own temporary folder; `AWS_ENDPOINT_URL` leads SDKs to Frontgate. The Runtime API's
/// address is added by who opens it.
pub(crate) fn variables(
    facts: &FunctionFacts<'_>,
    interpreter: Runtime,
    task: &Path,
    temporary: &Path,
    runtime_directory: &Path,
) -> Vec<(String, String)> {
    let (task, runtime_directory) = (task.to_string_lossy(), runtime_directory.to_string_lossy());
    let memory = facts.memory_mb.to_string();
    let execution = format!("AWS_Lambda_{}", facts.runtime);
    let opt = facts.opt.unwrap_or(Path::new("/opt")).to_string_lossy();
    let programs = format!("/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:{opt}/bin");
    let libraries = format!(
        "/var/lang/lib:/lib64:/usr/lib64:{runtime_directory}:{runtime_directory}/lib:{task}:{task}/lib:{opt}/lib"
    );
    let mut variables: Vec<(String, String)> = [
        ("PATH", programs.as_str()),
        ("LANG", "en_US.UTF-8"),
        ("TZ", ":UTC"),
        ("LD_LIBRARY_PATH", &libraries),
        ("PWD", &task),
        ("SHLVL", "0"),
        ("AWS_ENDPOINT_URL", facts.endpoint_url),
        ("AWS_ACCESS_KEY_ID", &facts.credentials.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &facts.credentials.secret_access_key),
        ("AWS_SESSION_TOKEN", &facts.credentials.session_token),
        // Where the SDKs look anyway: a daemon of the operator's own.
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"),
        ("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000"),
        ("_AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1"),
        ("_AWS_XRAY_DAEMON_PORT", "2000"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    if temporary != Path::new("/tmp") {
        variables.push(("TMPDIR".to_owned(), temporary.to_string_lossy().into_owned()));
    }
    match interpreter {
        Runtime::Python(_) => {
            variables.push(("PYTHONPATH".to_owned(), runtime_directory.to_string()));
            variables.push(("LC_CTYPE".to_owned(), "C.UTF-8".to_owned()));
            if facts.opt.is_some() {
                // For the bootstrap, which takes it away before it loads the handler.
                variables.push(("FRONTGATE_LAYERS".to_owned(), opt.to_string()));
            }
        }
        Runtime::Node(major) => {
            let path = format!(
                "{opt}/nodejs/node{major}/node_modules:{opt}/nodejs/node_modules:{runtime_directory}/node_modules:{task}"
            );
            variables.push(("NODE_PATH".to_owned(), path));
        }
        Runtime::Provided(_) => {}
    }
    variables.extend(facts.own.iter().cloned());
    let reserved = [
        ("AWS_LAMBDA_FUNCTION_NAME", facts.name),
        ("AWS_LAMBDA_FUNCTION_VERSION", facts.version),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
        ("AWS_LAMBDA_LOG_GROUP_NAME", facts.log_group),
        ("AWS_LAMBDA_LOG_STREAM_NAME", facts.log_stream),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", facts.initialization),
        ("AWS_REGION", facts.region),
        ("AWS_DEFAULT_REGION", facts.region),
        ("_HANDLER", facts.handler),
        ("LAMBDA_TASK_ROOT", &task),
        ("LAMBDA_RUNTIME_DIR", &runtime_directory),
    ];
    variables.extend(reserved.map(|(name, value)| (name.to_owned(), value.to_owned())));
    if !matches!(interpreter, Runtime::Provided(_)) {
        variables.push(("AWS_EXECUTION_ENV".to_owned(), execution));
    }
    if let Some(level) = facts.json_log_level {
        variables.push(("AWS_LAMBDA_LOG_FORMAT".to_owned(), "JSON".to_owned()));
        variables.push(("AWS_LAMBDA_LOG_LEVEL".to_owned(), level.to_owned()));
    }
    // Of two with one name the later holds, as in a shell.
    let mut unique: Vec<(String, String)> = Vec::with_capacity(variables.len());
    for (name, value) in variables {
        match unique.iter_mut().find(|(known, _)| *known == name) {
            Some(entry) => entry.1 = value,
            None => unique.push((name, value)),
        }
    }
    unique
}

/// `RuntimeVersionArn`: in AWS's shape, the same for all functions of a runtime.
pub(crate) fn version_arn(region: &str, runtime: &str) -> String {
    let hash: String = Sha256::digest(runtime.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("arn:aws:lambda:{region}::runtime:{hash}")
}

/// A log stream's name: `2026/01/01/[$LATEST]{32 hex}`.
pub(crate) fn log_stream(date: &str, version: &str) -> String {
    let random: String = ids::random_bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{date}/[{version}]{random}")
}
