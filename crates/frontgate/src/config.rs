//! Every setting of `frontgate serve`, defined once.
//!
//! A field of [`Config`] is a flag, an environment variable and a key of the TOML file at the same time: `data_dir` is
//! `--data-dir`, `FRONTGATE_DATA_DIR` and `data-dir`. The flag wins over the variable, the variable over the file, the
//! file over the default written here. `layers` derives the other two names; docs/configuration.md and the help text
//! are written from the same fields.

mod layers;
mod types;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use base::service_endpoints::ServiceEndpoint;
use functions::HotReload;

use layers::nearest;
#[cfg(test)]
pub(crate) use layers::variable_name;
pub(crate) use layers::{Environment, Layers, Problem, Resolved, config_file, long_name};
pub(crate) use types::{Auth, LogFormat, Sandbox};

/// What `frontgate serve` was told, with every value already of its type. [`Config::problems`] says what does not fit together.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Config {
    /// Address for everything: the AWS APIs, the deployed APIs and /_frontgate/
    ///
    /// Port 0 takes a free port, which is named in the log.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4566", value_parser = types::address)]
    #[arg(help_heading = "Addresses")]
    pub(crate) listen: SocketAddr,

    /// Second address that serves the same over TLS (HTTP/1.1 and HTTP/2)
    ///
    /// Needs --tls-certificate and --tls-key.
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = types::address, help_heading = "Addresses")]
    pub(crate) tls_listen: Option<SocketAddr>,

    /// Certificate chain for --tls-listen: a PEM file, the server's own certificate first
    #[arg(long, value_name = "FILE", help_heading = "Addresses")]
    pub(crate) tls_certificate: Option<PathBuf>,

    /// Private key for --tls-listen: a PEM file without a passphrase
    #[arg(long, value_name = "FILE", help_heading = "Addresses")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Host suffix of the addresses that answers print, as in {api-id}.execute-api.{domain}
    ///
    /// Requests are answered under any suffix; this one is only printed.
    #[arg(long, value_name = "NAME", default_value = "localhost", value_parser = types::host, help_heading = "Addresses")]
    pub(crate) domain: String,

    /// Directory that holds everything which must last; made if it is absent
    ///
    /// One process at a time may use it.
    #[arg(long, value_name = "DIRECTORY", default_value = "./frontgate-data", help_heading = "Data")]
    pub(crate) data_dir: PathBuf,

    /// Whether callers of the AWS APIs must prove who they are
    ///
    /// `off` accepts any credentials and is meant for one's own machine. `enforce` is not built yet and is refused.
    #[arg(long, value_name = "off|enforce", default_value = "off", help_heading = "Access")]
    pub(crate) auth: Auth,

    /// Let other machines reach the AWS APIs although --auth is off
    ///
    /// Whoever reaches the port can then run code on this machine. For containers in CI that nobody else can reach.
    #[arg(long, help_heading = "Access")]
    pub(crate) insecure_remote_admin: bool,

    /// Further Host name, without a port, under which the AWS APIs answer; repeatable
    ///
    /// Loopback addresses, localhost and --domain answer always. Other names are refused so that a web page cannot reach
    /// the AWS APIs by pointing a name of its own at this machine. The variable takes names separated by commas.
    #[arg(long, value_name = "NAME", value_parser = types::host, value_delimiter = ',', help_heading = "Access")]
    pub(crate) allowed_host: Vec<String>,

    /// Let integrations call this program's own AWS APIs and link-local addresses (169.254.0.0/16, fe80::/10)
    ///
    /// Link-local addresses hold the credentials service of cloud machines.
    #[arg(long, help_heading = "Access")]
    pub(crate) allow_internal_integrations: bool,

    /// Where an AWS service is that Frontgate does not have; repeatable, once for each service
    ///
    /// Integrations with the service are signed and sent there, and calls of its API that arrive at this program are
    /// forwarded there: sqs=http://127.0.0.1:9324. The name is that of the AWS CLI. A substitute that verifies signatures
    /// needs keys for the integrations: s3=http://KEY_ID:SECRET@127.0.0.1:9000. In a file it is a table of its own,
    /// [service-endpoint]. The variable takes them separated by commas.
    #[arg(long, value_name = "NAME=URL", value_parser = types::service_endpoint, value_delimiter = ',')]
    #[arg(help_heading = "Behaviour")]
    pub(crate) service_endpoint: Vec<ServiceEndpoint>,

    /// Directory below which functions may be run from folders (hot reload): the key of the bucket hot-reload names one
    ///
    /// Without it any folder may be named as long as only this machine reaches the AWS APIs, and none if others do.
    #[arg(long, value_name = "DIRECTORY", help_heading = "Behaviour")]
    pub(crate) hot_reload_root: Option<PathBuf>,

    /// Lift AWS's account limits (10,000 requests a second with a burst of 5,000, 300 resources an API, ...)
    #[arg(long, help_heading = "Behaviour")]
    pub(crate) no_account_limits: bool,

    /// Run a function on another version of its language when this machine lacks the one it asks for
    ///
    /// Each substitution is logged. Without this, creating such a function is refused with the versions that are there.
    #[arg(long, help_heading = "Behaviour")]
    pub(crate) runtime_substitution: bool,

    /// How long after its first failure an asynchronous invocation is tried again, in seconds (0 to 3600)
    ///
    /// The second time it is twice as long. AWS waits one minute and two.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = types::seconds, help_heading = "Behaviour")]
    pub(crate) event_retry_delay: Duration,

    /// How much of a sandbox functions run in
    ///
    /// `auto` takes every layer that this machine offers and names the others in the log, `strict` starts only where none is
    /// missing, `off` leaves functions this user's files. `frontgate doctor` says which layers there are.
    #[arg(long, value_name = "strict|auto|off", default_value = "auto", help_heading = "Behaviour")]
    pub(crate) sandbox: Sandbox,

    /// Time for requests in flight to finish at shutdown, in seconds (0 to 3600)
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = types::seconds, help_heading = "Behaviour")]
    pub(crate) grace_period: Duration,

    /// Threads that serve requests, 1 to 1024 [default: the cores this process may use]
    #[arg(long, value_name = "NUMBER", value_parser = types::threads, help_heading = "Behaviour")]
    pub(crate) data_threads: Option<NonZeroUsize>,

    /// Form of the log lines on standard error
    #[arg(long, value_name = "text|json", default_value = "text", help_heading = "Log")]
    pub(crate) log_format: LogFormat,

    /// What is logged: error, warn, info, debug or trace; by part with part=level, separated by commas
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = types::log_level, help_heading = "Log")]
    pub(crate) log_level: String,
}

/// What a TLS listener needs. The three settings are given together or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsConfig {
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// PEM file with the certificate chain, the server's own certificate first.
    pub(crate) certificate: PathBuf,
    /// PEM file with the unencrypted private key.
    pub(crate) key: PathBuf,
}

impl Config {
    /// The TLS listener, if one is asked for. [`Config::problems`] refuses a part of the three.
    pub(crate) fn tls(&self) -> Option<TlsConfig> {
        let (listen, certificate, key) = (self.tls_listen?, self.tls_certificate.clone()?, self.tls_key.clone()?);
        Some(TlsConfig { listen, certificate, key })
    }

    /// How many data threads to start: as told, or one for each core that this process may use (its affinity mask and
    /// its CPU quota, whichever is less).
    pub(crate) fn data_thread_count(&self) -> usize {
        let told = self.data_threads.map(NonZeroUsize::get);
        told.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, NonZeroUsize::get))
    }

    /// Which folders functions may be run from: whoever reaches the AWS APIs names them.
    pub(crate) fn hot_reload(&self) -> HotReload {
        match &self.hot_reload_root {
            Some(root) => HotReload::Below(std::path::absolute(root).unwrap_or_else(|_| root.clone())),
            None if self.remote_listeners().is_empty() && self.auth == Auth::Off => HotReload::Anywhere,
            None => HotReload::Refused,
        }
    }

    /// The listeners that other machines can reach, by the name of their setting.
    fn remote_listeners(&self) -> Vec<(&'static str, SocketAddr)> {
        let listeners = [("listen", Some(self.listen)), ("tls_listen", self.tls_listen)];
        let given = listeners.into_iter().filter_map(|(setting, address)| Some((setting, address?)));
        given.filter(|(_, address)| !address.ip().is_loopback()).collect()
    }

    /// What does not fit together, each with the setting it hangs on. Empty when the program may start.
    pub(crate) fn problems(&self, layers: &Layers) -> Vec<Problem> {
        let mut problems = Vec::new();
        problems.extend(self.half_tls(layers));
        if self.auth == Auth::Enforce {
            problems.push(Problem {
                what: "`--auth enforce` is not built yet: signatures would not be verified nor policies evaluated"
                    .into(),
                place: layers.origin("auth"),
                next: "leave it out and let the program listen on a loopback address".into(),
            });
        }
        if !self.insecure_remote_admin {
            problems.extend(self.remote_listeners().into_iter().map(|(setting, address)| Problem {
                what: format!("{address} can be reached by other machines, and with `--auth off` they could run code on this one"),
                place: layers.origin(setting),
                next: "listen on 127.0.0.1, or add `--insecure-remote-admin` if nobody else can reach this network".into(),
            }));
        }
        if self.tls_listen == Some(self.listen) && self.listen.port() != 0 {
            problems.push(Problem {
                what: format!("`--listen` and `--tls-listen` are both {}", self.listen),
                place: layers.origin("tls_listen"),
                next: "give the TLS listener a port of its own, for example 4567".into(),
            });
        }
        problems.extend(self.service_endpoint_problems(layers));
        problems
    }

    /// A service with two endpoints, and endpoints that are this program itself.
    fn service_endpoint_problems(&self, layers: &Layers) -> Vec<Problem> {
        let place = || layers.origin("service_endpoint");
        let mut problems = Vec::new();
        for (number, endpoint) in self.service_endpoint.iter().enumerate() {
            if self.service_endpoint[..number].iter().any(|earlier| earlier.service == endpoint.service) {
                problems.push(Problem {
                    what: format!("`--service-endpoint` names {} twice", endpoint.service),
                    place: place(),
                    next: "give each service one endpoint".into(),
                });
            }
            let named = endpoint.authority.replace("localhost", "127.0.0.1").parse::<SocketAddr>().ok();
            if named.is_some_and(|address| self.is_own(address)) {
                problems.push(Problem {
                    what: format!("`--service-endpoint {endpoint}` is the address of this program"),
                    place: place(),
                    next: "name the program that has the service".into(),
                });
            }
        }
        problems
    }

    /// Whether one of our listeners answers at the address.
    fn is_own(&self, address: SocketAddr) -> bool {
        [Some(self.listen), self.tls_listen].into_iter().flatten().any(|own| {
            own.port() == address.port()
                && (own.ip() == address.ip() || (own.ip().is_unspecified() && address.ip().is_loopback()))
        })
    }

    fn half_tls(&self, layers: &Layers) -> Option<Problem> {
        let parts = [
            ("tls_listen", self.tls_listen.is_some()),
            ("tls_certificate", self.tls_certificate.is_some()),
            ("tls_key", self.tls_key.is_some()),
        ];
        let given = parts.iter().find(|(_, is_given)| *is_given)?.0;
        let missing: Vec<String> = parts
            .iter()
            .filter(|(_, is_given)| !is_given)
            .map(|(setting, _)| format!("`--{}`", long_name(setting)))
            .collect();
        if missing.is_empty() {
            return None;
        }
        Some(Problem {
            what: format!("`--{}` is given without {}", long_name(given), missing.join(" and ")),
            place: layers.origin(given),
            next: "give all three TLS settings, or none".into(),
        })
    }

    /// What the operator should know although the program starts.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let remote = self.remote_listeners();
        if !remote.is_empty() && self.auth == Auth::Off {
            let addresses: Vec<String> = remote.iter().map(|(_, address)| address.to_string()).collect();
            warnings.push(format!(
                "INSECURE: anyone who can reach {} can create functions and so run code on this machine \
                 (--insecure-remote-admin with --auth off)",
                addresses.join(" and ")
            ));
        }
        let is_unknown = |endpoint: &&ServiceEndpoint| base::services::by_any_name(&endpoint.service).is_none();
        warnings.extend(self.service_endpoint.iter().filter(is_unknown).map(|endpoint| {
            let names: Vec<&str> = base::services::KNOWN.iter().map(|known| known.name).collect();
            let hint =
                nearest(&endpoint.service, &names).map_or(String::new(), |near| format!("; did you mean {near}?"));
            format!("--service-endpoint: {} is not a service that Frontgate knows by its name{hint}", endpoint.service)
        }));
        warnings
    }
}

#[cfg(test)]
mod tests;
