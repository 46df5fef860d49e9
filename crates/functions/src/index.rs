//! The index: all functions as invocations need them, in memory. A handler that has changed rows refreshes the function
//! before it answers, so that an acknowledged write is seen by the next call; invocations never wait on the store.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use base::arn::{Arn, matches_wildcard};
use base::seams::{Caller, InvokeRefusal};
use store::{Scope, SharedStore, StoreError};
use tokio::sync::Mutex;

use crate::concurrency::{self, Account, Claim, FunctionPlaces, ProvisionedRecord, ReservedRecord};
use crate::engine::{Engine, RUNNING_AT_MOST};
use crate::event_invoke::{EventInvokeRecord, Handling};
use crate::records::{AliasRecord, Configuration, FunctionRecord, LATEST, PolicyRecord, Statement, VersionRecord};
use crate::urls::{UrlIndex, UrlRecord};
use crate::version::{Version, VersionSettings};

type Functions = HashMap<Arc<str>, Arc<Function>>;

/// See the module.
pub(crate) struct Index {
    /// By unqualified ARN.
    functions: ArcSwap<Functions>,
    /// The functions' HTTP addresses.
    pub(crate) urls: UrlIndex,
    writing: Mutex<HashMap<Scope, Arc<Account>>>,
}

/// A function with its versions, aliases and policies.
#[derive(Debug)]
struct Function {
    places: Arc<FunctionPlaces>,
    versions: HashMap<Arc<str>, Indexed>,
    aliases: HashMap<String, Alias>,
    policies: HashMap<String, Vec<Statement>>,
    allows_recursion: bool,
    /// By qualifier.
    event_invoke: HashMap<String, EventInvokeRecord>,
}

#[derive(Clone, Debug)]
struct Indexed {
    /// Tells whether a version is still the one in the store.
    configuration: Configuration,
    version: Arc<Version>,
}

#[derive(Debug)]
struct Alias {
    version: String,
    additional: Option<(String, f64)>,
}

/// The parts of a function's ARN that tell versions apart.
struct Qualified<'a> {
    function: &'a str,
    qualifier: Option<&'a str>,
}

/// Takes `arn:aws:lambda:region:account:function:name[:qualifier]` apart.
fn take_apart(arn: &str) -> Qualified<'_> {
    match arn.match_indices(':').nth(6) {
        Some((colon, _)) => Qualified { function: &arn[..colon], qualifier: Some(&arn[colon + 1..]) },
        None => Qualified { function: arn, qualifier: None },
    }
}

/// The account and region that a function's ARN names.
pub(crate) fn scope_of(arn: &str) -> Scope {
    let mut parts = arn.split(':').skip(3);
    let region = parts.next().unwrap_or_default();
    Scope::new(parts.next().unwrap_or_default(), region)
}

/// The unqualified ARN of a function.
pub(crate) fn function_arn(scope: &Scope, name: &str) -> String {
    format!("arn:aws:lambda:{}:{}:function:{name}", scope.region, scope.account)
}

impl Index {
    /// Reads all functions.
    pub(crate) async fn load(store: &SharedStore, engine: &Engine) -> Result<Index, StoreError> {
        let index = Index { functions: ArcSwap::default(), urls: UrlIndex::default(), writing: Mutex::default() };
        let all = store.list_all::<FunctionRecord>().await?;
        for (scope, function) in all {
            index.refresh(store, engine, &scope, &function.record.name).await?;
        }
        Ok(index)
    }

    /// Finds what an ARN names and asks the policy whether the caller may invoke it.
    pub(crate) fn resolve(&self, arn: &str, caller: &Caller) -> Result<Arc<Version>, InvokeRefusal> {
        let Qualified { function, qualifier } = take_apart(arn);
        let functions = self.functions.load();
        let missing = || {
            let function_arn = format!("{function}:{}", qualifier.unwrap_or(LATEST));
            InvokeRefusal::NotFound { function_arn }
        };
        let found = functions.get(function).ok_or_else(missing)?;
        let version = found.version(qualifier.unwrap_or(LATEST)).ok_or_else(missing)?;
        if !found.permits(qualifier.unwrap_or(LATEST), caller) {
            return Err(InvokeRefusal::NotPermitted);
        }
        match version.settings.state {
            "Active" => Ok(Arc::clone(version)),
            state => Err(InvokeRefusal::NotReady { state }),
        }
    }

    /// Whether a function, by its unqualified ARN, may call itself by way of others without end.
    pub(crate) fn allows_recursion(&self, arn: &str) -> bool {
        self.functions.load().get(arn).is_some_and(|function| function.allows_recursion)
    }

    /// How many functions there are, and how many bytes the zips of all their versions take.
    pub(crate) fn code_usage(&self, scope: &Scope) -> (usize, u64) {
        let (functions, prefix) = (self.functions.load(), function_arn(scope, ""));
        let own = functions.iter().filter(|(arn, _)| arn.starts_with(&prefix)).map(|(_, function)| function);
        own.fold((0, 0), |(count, bytes), function| {
            let versions = function.versions.values().map(|indexed| indexed.configuration.code_size);
            (count + 1, bytes + versions.sum::<u64>())
        })
    }

    /// Whether a statement of a policy is one that is looked for: of the function (`$LATEST`), or of a version or an alias.
    pub(crate) fn any_statement(&self, arn: &str, qualifier: &str, is_it: impl Fn(&Statement) -> bool) -> bool {
        let functions = self.functions.load();
        let policy = functions.get(arn).and_then(|function| function.policies.get(qualifier));
        policy.into_iter().flatten().any(is_it)
    }

    /// How asynchronous invocations of what an ARN names are handled; as usual where it names nothing.
    pub(crate) fn handling(&self, arn: &str) -> Handling {
        let Qualified { function, qualifier } = take_apart(arn);
        let (functions, qualifier) = (self.functions.load(), qualifier.unwrap_or(LATEST));
        let Some(found) = functions.get(function) else { return Handling::of(None, None) };
        let number = found.aliases.get(qualifier).map_or(qualifier, |alias| &alias.version);
        let dead_letter = found.versions.get(number).and_then(|version| version.configuration.dead_letter.clone());
        let is_barred = found.places.is_barred();
        Handling { is_barred, ..Handling::of(found.event_invoke.get(qualifier), dead_letter) }
    }

    /// Takes one function over from the store as it is now; versions that are no more are retired.
    pub(crate) async fn refresh(
        &self,
        store: &SharedStore,
        engine: &Engine,
        scope: &Scope,
        name: &str,
    ) -> Result<(), StoreError> {
        // Held while the store is read, so that no older reading replaces a newer one.
        let mut accounts = self.writing.lock().await;
        let account = account_of(&mut accounts, engine, scope);
        let arn: Arc<str> = function_arn(scope, name).into();
        let before = self.functions.load().get(&arn).cloned();
        let urls = store.list_tree::<UrlRecord>(scope, name).await?;
        let after = match store.get::<FunctionRecord>(scope, name).await? {
            Some(function) => {
                let versions = store.list_tree::<VersionRecord>(scope, name).await?;
                let aliases = store.list_tree::<AliasRecord>(scope, name).await?;
                let policies = store.list_tree::<PolicyRecord>(scope, name).await?;
                let known = before.as_ref().map(|before| Arc::clone(&before.places));
                let places = known.unwrap_or_else(|| Arc::new(FunctionPlaces::new(Arc::clone(&account))));
                let mut builder =
                    Builder { scope, places: &places, engine, before: before.as_deref(), versions: HashMap::new() };
                builder.add(LATEST, name, &function.record.latest);
                for version in &versions {
                    builder.add(&version.record.number.to_string(), name, &version.record.configuration);
                }
                let aliases = aliases.into_iter().map(|alias| {
                    let AliasRecord { name, version, additional, .. } = alias.record;
                    (name, Alias { version, additional })
                });
                let policies = policies.into_iter().map(|policy| (policy.record.qualifier, policy.record.statements));
                let (versions, aliases, policies) = (builder.versions, aliases.collect(), policies.collect());
                let allows_recursion = function.record.allows_recursion;
                let event_invoke = store.list_tree::<EventInvokeRecord>(scope, name).await?.into_iter();
                let event_invoke =
                    event_invoke.map(|config| (config.record.qualifier.clone(), config.record)).collect();
                let function = Function { places, versions, aliases, policies, event_invoke, allows_recursion };
                let provisioned = store.list_tree::<ProvisionedRecord>(scope, name).await?;
                let provisioned: Vec<_> = provisioned.into_iter().map(|stored| stored.record).collect();
                let reserved = store.get::<ReservedRecord>(scope, name).await?.map(|stored| stored.record);
                let claim = Claim {
                    reserved: reserved.map(|reserved| reserved.executions as usize),
                    provisioned: provisioned.iter().map(|record| record.executions as usize).sum(),
                };
                account.set_claim(name, claim);
                function.places.set_claim(claim);
                function.provision(engine, &provisioned);
                Some(function)
            }
            None => {
                account.set_claim(name, Claim::default());
                None
            }
        };
        let kept: Vec<u64> = after
            .iter()
            .flat_map(|function| function.versions.values())
            .map(|indexed| indexed.version.serial)
            .collect();
        let mut functions = Functions::clone(&self.functions.load());
        match after {
            Some(function) => functions.insert(arn, Arc::new(function)),
            None => functions.remove(&arn),
        };
        self.functions.store(Arc::new(functions));
        self.urls.replace(scope, name, urls.into_iter().map(|url| url.record).collect());
        for indexed in before.iter().flat_map(|function| function.versions.values()) {
            if !kept.contains(&indexed.version.serial) {
                concurrency::provision(engine, &indexed.version, 0, 0);
                engine.retire(&indexed.version);
            }
        }
        Ok(())
    }

    /// The account and region's concurrency.
    pub(crate) async fn account(&self, engine: &Engine, scope: &Scope) -> Arc<Account> {
        account_of(&mut *self.writing.lock().await, engine, scope)
    }

    /// The version that a function's number or alias means, whatever its weights say.
    pub(crate) fn version(&self, scope: &Scope, name: &str, qualifier: &str) -> Option<Arc<Version>> {
        let functions = self.functions.load();
        let function = functions.get(function_arn(scope, name).as_str())?;
        let number = function.aliases.get(qualifier).map_or(qualifier, |alias| &alias.version);
        Some(Arc::clone(&function.versions.get(number)?.version))
    }
}

fn account_of(accounts: &mut HashMap<Scope, Arc<Account>>, engine: &Engine, scope: &Scope) -> Arc<Account> {
    let quota = engine.limits.concurrent_functions.min(RUNNING_AT_MOST);
    Arc::clone(accounts.entry(scope.clone()).or_insert_with(|| Arc::new(Account::new(quota))))
}

struct Builder<'a> {
    scope: &'a Scope,
    places: &'a Arc<FunctionPlaces>,
    engine: &'a Engine,
    before: Option<&'a Function>,
    versions: HashMap<Arc<str>, Indexed>,
}

impl Builder<'_> {
    /// Adds a version: the one that is known, with its environments, unless it has changed.
    fn add(&mut self, number: &str, name: &str, configuration: &Configuration) {
        let known = self.before.and_then(|before| before.versions.get(number));
        let same = known.filter(|indexed| indexed.configuration.is_like(configuration)).cloned();
        let number: Arc<str> = number.into();
        let indexed = same.unwrap_or_else(|| {
            let settings = settings(self.scope, name, Arc::clone(&number), configuration);
            let version = Version::new(settings, Arc::clone(self.places), self.engine.thread_count());
            Indexed { configuration: configuration.clone(), version: Arc::new(version) }
        });
        self.versions.insert(number, indexed);
    }
}

fn settings(scope: &Scope, name: &str, number: Arc<str>, configuration: &Configuration) -> VersionSettings {
    let variables = configuration.variables.iter().flatten();
    VersionSettings {
        name: name.into(),
        account: Arc::clone(&scope.account),
        region: Arc::clone(&scope.region),
        number,
        runtime: configuration.runtime.clone(),
        handler: configuration.handler.clone(),
        role: configuration.role.clone(),
        timeout: Duration::from_secs(u64::from(configuration.timeout)),
        memory_mb: configuration.memory_size,
        temporary_mb: configuration.ephemeral_storage,
        variables: variables.map(|(name, value)| (name.clone(), value.clone())).collect(),
        code: configuration.code,
        layers: configuration.layers.iter().map(|layer| layer.code).collect(),
        folder: configuration.folder.clone(),
        log_group: configuration.log_group.clone().unwrap_or_else(|| format!("/aws/lambda/{name}")),
        json_log: configuration.json_log.clone(),
        traced: configuration.traced,
        initialization: "on-demand",
        state: "Active",
    }
}

impl Function {
    /// Sees to it that what is provisioned is there. An alias means the version that it points to; one that it gives a
    /// part of the calls to is not provisioned.
    fn provision(&self, engine: &Engine, records: &[ProvisionedRecord]) {
        for (number, indexed) in &self.versions {
            let of_version = records.iter().filter(|record| {
                let alias = self.aliases.get(&record.qualifier);
                alias.map_or(&*record.qualifier, |alias| &alias.version) == &**number
            });
            let (wanted, change) = of_version.fold((0, 0), |(wanted, change), record| {
                (wanted + record.executions as usize, change.max(record.last_modified))
            });
            concurrency::provision(engine, &indexed.version, wanted, change);
        }
    }

    fn version(&self, qualifier: &str) -> Option<&Arc<Version>> {
        let number = match self.aliases.get(qualifier) {
            Some(alias) => alias.choose(),
            None => qualifier,
        };
        Some(&self.versions.get(number)?.version)
    }

    /// Permissions are given for exactly what is invoked: one for an alias does not hold for the version behind it.
    fn permits(&self, qualifier: &str, caller: &Caller) -> bool {
        match caller {
            Caller::Trusted => true,
            Caller::Service { principal, source_arn, source_account } => {
                let statements = self.policies.get(qualifier).into_iter().flatten();
                statements.into_iter().any(|statement| statement.permits(principal, source_arn, source_account))
            }
            Caller::AnyoneByUrl => {
                let statements = self.policies.get(qualifier).into_iter().flatten();
                statements.into_iter().any(Statement::permits_anyone_by_url)
            }
        }
    }
}

impl Alias {
    fn choose(&self) -> &str {
        match &self.additional {
            // 53 random bits make a number from 0 to 1.
            Some((version, weight)) if random_fraction() < *weight => version,
            _ => &self.version,
        }
    }
}

/// Whether a statement names a service, by its name or by that in the region of the source: `logs.us-east-1.amazonaws.com`.
fn is_service(named: &str, principal: &str, source_arn: &str) -> bool {
    let regional = || {
        let (service, suffix) = principal.split_once('.')?;
        let region = named.strip_prefix(service)?.strip_prefix('.')?.strip_suffix(suffix)?.strip_suffix('.')?;
        Some(region == Arn::parse(source_arn)?.region)
    };
    named == principal || regional() == Some(true)
}

fn random_fraction() -> f64 {
    let bits = u64::from_le_bytes(base::ids::random_bytes()) >> 11;
    bits as f64 / (1_u64 << 53) as f64
}

impl Statement {
    /// Whether it lets a service invoke the function for one of its resources.
    fn permits(&self, principal: &str, source_arn: &str, source_account: &str) -> bool {
        let principal_fits = self.principal == "*" || is_service(&self.principal, principal, source_arn);
        let action_fits = matches_wildcard(&self.action.to_ascii_lowercase(), "lambda:invokefunction");
        let source_fits = self.source_arn.as_deref().is_none_or(|pattern| matches_wildcard(pattern, source_arn));
        let account_fits = self.source_account.as_deref().is_none_or(|account| account == source_account);
        // What these ask for, a service does not bring.
        let others_fit = self.event_source_token.is_none()
            && self.principal_org_id.is_none()
            && self.function_url_auth_type.is_none()
            && self.invoked_via_function_url != Some(true);
        principal_fits && action_fits && source_fits && account_fits && others_fit
    }

    /// Whether it lets everybody call the function by a URL that asks for no credentials. Recorded in November 2025: this
    /// one permission is enough, although the documentation asks for `lambda:InvokeFunction` besides.
    fn permits_anyone_by_url(&self) -> bool {
        let action_fits = matches_wildcard(&self.action.to_ascii_lowercase(), "lambda:invokefunctionurl");
        let auth_fits = self.function_url_auth_type.as_deref().is_none_or(|auth| auth == "NONE");
        // What these ask for, nobody in particular does not bring.
        let others_fit = self.source_arn.is_none()
            && self.source_account.is_none()
            && self.event_source_token.is_none()
            && self.principal_org_id.is_none()
            && self.invoked_via_function_url != Some(false);
        self.principal == "*" && action_fits && auth_fits && others_fit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement() -> Statement {
        Statement {
            sid: "s".to_owned(),
            action: "lambda:InvokeFunction".to_owned(),
            principal: "apigateway.amazonaws.com".to_owned(),
            source_arn: Some("arn:aws:execute-api:us-east-1:000000000000:abc/*/GET/items".to_owned()),
            ..Statement::default()
        }
    }

    #[test]
    fn arns_are_taken_apart() {
        let plain = take_apart("arn:aws:lambda:us-east-1:000000000000:function:Items");
        assert_eq!((plain.function.len(), plain.qualifier), (52, None));
        let alias = take_apart("arn:aws:lambda:us-east-1:000000000000:function:Items:dev");
        assert_eq!((alias.function, alias.qualifier), (plain.function, Some("dev")));
        assert_eq!(take_apart("nonsense").function, "nonsense");
    }

    #[test]
    fn a_statement_permits_what_it_says() {
        let permits = |statement: Statement, arn: &str, account: &str| {
            statement.permits(
                "apigateway.amazonaws.com",
                &format!("arn:aws:execute-api:us-east-1:000000000000:{arn}"),
                account,
            )
        };
        assert!(permits(statement(), "abc/dev/GET/items", "000000000000"));
        assert!(!permits(statement(), "abc/dev/POST/items", "000000000000"));
        assert!(!permits(statement(), "xyz/dev/GET/items", "000000000000"));
        let any = Statement { source_arn: None, source_account: Some("1".to_owned()), ..statement() };
        assert!(permits(any.clone(), "x", "1"));
        assert!(!permits(any, "x", "2"));
        for (principal, expected) in [
            ("*", true),
            ("events.amazonaws.com", false),
            ("apigateway.us-east-1.amazonaws.com", true),
            ("apigateway.eu-west-1.amazonaws.com", false),
            ("apigateway..amazonaws.com", false),
        ] {
            let statement = Statement { principal: principal.to_owned(), ..statement() };
            assert_eq!(permits(statement, "abc/dev/GET/items", "1"), expected, "{principal}");
        }
        assert!(permits(Statement { action: "lambda:*".to_owned(), ..statement() }, "abc/dev/GET/items", "1"));
        assert!(!permits(
            Statement { action: "lambda:GetFunction".to_owned(), ..statement() },
            "abc/dev/GET/items",
            "1"
        ));
    }
}
