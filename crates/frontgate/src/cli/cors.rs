//! `frontgate cors enable`: what the console's "Enable CORS" makes of a resource.
//!
//! An OPTIONS method that a mock answers, and `Access-Control-Allow-Origin` in the other methods' 200 responses and in
//! the API's 4XX and 5XX gateway responses (REST data plane, section 17). Run again it puts the same things anew.

use std::io::Write;
use std::process::ExitCode;

use http::Method;
use serde_json::{Map, Value, json};

use super::api_client::{ApiClient, CallError, Target};

/// What the console allows unless told otherwise.
const HEADERS: &str = "Content-Type,X-Amz-Date,Authorization,X-Api-Key,X-Amz-Security-Token";

/// What a method ANY stands for.
const ANY: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

const ORIGIN: &str = "Access-Control-Allow-Origin";

const EXAMPLES: &str = "\
Example:
  frontgate cors enable --rest-api-id a1b2c3d4e5 --resource-id x7y8z9
      Let pages of any origin call the resource's methods. Deploy the API afterwards.

Integrations of the types AWS_PROXY and HTTP_PROXY return their headers themselves: the function or the server behind
them must send Access-Control-Allow-Origin too.";

#[derive(Debug, clap::Args)]
pub(super) struct Cors {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Answer preflight requests of a resource and let browsers read its answers
    Enable(Enable),
}

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
struct Enable {
    /// The REST API
    #[arg(long, value_name = "ID")]
    rest_api_id: String,

    /// The resource, one of those that `aws apigateway get-resources` lists
    #[arg(long, value_name = "ID")]
    resource_id: String,

    /// The origin whose pages may call; `*` is any
    #[arg(long, value_name = "ORIGIN", default_value = "*", value_parser = plain)]
    allow_origin: String,

    /// The headers that pages may send, separated by commas
    #[arg(long, value_name = "NAMES", default_value = HEADERS, value_parser = plain)]
    allow_headers: String,

    /// The methods that pages may use, separated by commas [default: those of the resource and OPTIONS]
    #[arg(long, value_name = "METHODS", value_parser = plain)]
    allow_methods: Option<String>,

    /// Leave the API's gateway responses DEFAULT_4XX and DEFAULT_5XX as they are
    #[arg(long)]
    no_gateway_responses: bool,

    /// Put a mock in the place of an OPTIONS method that has another integration
    #[arg(long)]
    replace: bool,

    #[command(flatten)]
    target: Target,
}

/// What stands between the quotes of a mapping's literal.
fn plain(text: &str) -> Result<String, String> {
    let is_plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && c != '\'' || c == ' ');
    is_plain.then(|| text.to_owned()).ok_or_else(|| "only visible ASCII without ' can stand in a header".into())
}

/// Does what the command asks.
pub(super) fn run(cors: Cors) -> ExitCode {
    let Command::Enable(enable) = cors.command;
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => match runtime.block_on(enable.run()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        },
        Err(error) => fail(&error),
    }
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "error: {error}");
    ExitCode::FAILURE
}

/// Tells a step that is done.
fn done(step: &str) {
    let _ = writeln!(std::io::stdout(), "{step}");
}

/// Why CORS was not enabled, or not wholly.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(
        "{path} has an OPTIONS method with an integration of the type {kind}, which would be lost; \
         `--replace` puts the mock in its place"
    )]
    OtherOptions { path: String, kind: String },
}

impl Enable {
    async fn run(&self) -> Result<(), Error> {
        let client = ApiClient::new(self.target.clone())?;
        let resource = client.call(Method::GET, &format!("{}?embed=methods", self.resource_path()), None).await?;
        let path = resource["path"].as_str().unwrap_or("/").to_owned();
        let methods = resource["resourceMethods"].as_object().cloned().unwrap_or_default();
        if let Some(options) = methods.get("OPTIONS") {
            let kind = options["methodIntegration"]["type"].as_str().unwrap_or("MOCK");
            if kind != "MOCK" && !self.replace {
                return Err(Error::OtherOptions { path, kind: kind.to_owned() });
            }
            client.call(Method::DELETE, &self.method_path("OPTIONS"), None).await?;
        }
        let allowed = self.allow_methods.clone().unwrap_or_else(|| verbs(&methods));
        self.put_options(&client, &allowed).await?;
        done(&format!("{path} OPTIONS answers preflight requests: {allowed} from {}", self.allow_origin));
        for (verb, method) in methods.iter().filter(|(verb, _)| verb.as_str() != "OPTIONS") {
            self.add_origin(&client, &path, verb, method).await?;
        }
        if !self.no_gateway_responses {
            for kind in ["DEFAULT_4XX", "DEFAULT_5XX"] {
                self.add_origin_to_gateway_response(&client, kind).await?;
            }
        }
        done(&format!(
            "Deploy the API for this to take effect: aws apigateway create-deployment --rest-api-id {} --stage-name ...",
            self.rest_api_id
        ));
        Ok(())
    }

    /// The OPTIONS method and the mock behind it.
    async fn put_options(&self, client: &ApiClient, allowed: &str) -> Result<(), CallError> {
        let method = self.method_path("OPTIONS");
        let headers = [
            ("Access-Control-Allow-Headers", self.allow_headers.as_str()),
            ("Access-Control-Allow-Methods", allowed),
            (ORIGIN, self.allow_origin.as_str()),
        ];
        let declared: Map<String, Value> =
            headers.iter().map(|(name, _)| (response_header(name), Value::Bool(false))).collect();
        let mapped: Map<String, Value> =
            headers.iter().map(|(name, value)| (response_header(name), literal(value))).collect();
        let steps = [
            (method.clone(), json!({"authorizationType": "NONE"})),
            (
                format!("{method}/responses/200"),
                json!({"responseModels": {"application/json": "Empty"}, "responseParameters": declared}),
            ),
            (
                format!("{method}/integration"),
                json!({"type": "MOCK", "requestTemplates": {"application/json": "{\"statusCode\": 200}"}}),
            ),
            (format!("{method}/integration/responses/200"), json!({"responseParameters": mapped})),
        ];
        for (path, input) in steps {
            client.call(Method::PUT, &path, Some(input)).await?;
        }
        Ok(())
    }

    /// Lets browsers read a method's 200 response. What a proxy integration returns is not ours to change.
    async fn add_origin(&self, client: &ApiClient, path: &str, verb: &str, method: &Value) -> Result<(), CallError> {
        let parameter = patch_path("responseParameters", &response_header(ORIGIN));
        if method["methodResponses"].get("200").is_some() {
            let change = json!([{"op": "add", "path": parameter, "value": "false"}]);
            self.patch(client, &format!("{}/responses/200", self.method_path(verb)), change).await?;
        }
        let integration = &method["methodIntegration"];
        let kind = integration["type"].as_str().unwrap_or("none");
        if kind.ends_with("_PROXY") {
            done(&format!("{path} {verb} has a proxy integration: what is behind it must send {ORIGIN} itself"));
        } else if integration["integrationResponses"].get("200").is_some()
            && method["methodResponses"].get("200").is_some()
        {
            let change = json!([{"op": "add", "path": parameter, "value": literal(&self.allow_origin)}]);
            self.patch(client, &format!("{}/integration/responses/200", self.method_path(verb)), change).await?;
            done(&format!("{path} {verb} sends {ORIGIN} with its 200 response"));
        } else {
            done(&format!("{path} {verb} is left as it is: it has no method and integration response for 200"));
        }
        Ok(())
    }

    async fn add_origin_to_gateway_response(&self, client: &ApiClient, kind: &str) -> Result<(), CallError> {
        let path = format!("/restapis/{}/gatewayresponses/{kind}", self.rest_api_id);
        let parameter = patch_path("responseParameters", &format!("gatewayresponse.header.{ORIGIN}"));
        let change = json!([{"op": "add", "path": parameter, "value": literal(&self.allow_origin)}]);
        self.patch(client, &path, change).await?;
        done(&format!("gateway responses of the type {kind} send {ORIGIN}"));
        Ok(())
    }

    async fn patch(&self, client: &ApiClient, path: &str, operations: Value) -> Result<(), CallError> {
        client.call(Method::PATCH, path, Some(json!({"patchOperations": operations}))).await.map(drop)
    }

    fn resource_path(&self) -> String {
        format!("/restapis/{}/resources/{}", self.rest_api_id, self.resource_id)
    }

    fn method_path(&self, verb: &str) -> String {
        format!("{}/methods/{verb}", self.resource_path())
    }
}

/// The verbs of a resource and OPTIONS, as the console lists them.
fn verbs(methods: &Map<String, Value>) -> String {
    if methods.contains_key("ANY") {
        return ANY.join(",");
    }
    let mut verbs: Vec<&str> = methods.keys().map(String::as_str).filter(|verb| *verb != "OPTIONS").collect();
    verbs.push("OPTIONS");
    verbs.join(",")
}

fn response_header(name: &str) -> String {
    format!("method.response.header.{name}")
}

/// A fixed value, as mappings write it.
fn literal(value: &str) -> Value {
    Value::String(format!("'{value}'"))
}

fn patch_path(map: &str, key: &str) -> String {
    format!("/{map}/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_the_verbs_of_a_resource() {
        let methods = |verbs: &[&str]| verbs.iter().map(|verb| ((*verb).to_owned(), json!({}))).collect::<Map<_, _>>();
        assert_eq!(verbs(&methods(&["GET"])), "GET,OPTIONS");
        assert_eq!(verbs(&methods(&["DELETE", "OPTIONS", "PUT"])), "DELETE,PUT,OPTIONS");
        assert_eq!(verbs(&methods(&["ANY"])), "DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT");
    }

    #[test]
    fn refuses_what_cannot_stand_in_a_header() {
        assert_eq!(plain("https://a.example").as_deref(), Ok("https://a.example"));
        for text in ["", "a'b", "a\r\nb", "\u{e4}"] {
            assert!(plain(text).is_err(), "{text:?}");
        }
    }
}
