//! What plans snapshots give.

use std::collections::BTreeMap;

use plan::{Backend, Captures, Passthrough, StagePlan};
use serde_json::{Value, json};
use store::Scope;

use super::stage_plan;
use crate::rows::{Snapshot, Stage};

/// A snapshot with these resources (path to methods), as it is stored.
fn snapshot(resources: Value) -> Snapshot {
    let resources: Vec<Value> = resources
        .as_object()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(number, (path, methods))| json!({"api": "abc", "id": format!("r{number}"), "path": path, "methods": methods}))
        .collect();
    serde_json::from_value(json!({
        "deployment_id": "dep",
        "api": {
            "id": "abc", "name": "pets", "created": 0, "root_resource_id": "r0", "api_key_source": "HEADER",
            "endpoint_type": "EDGE", "ip_address_type": "ipv4", "binary_media_types": ["image/*"],
        },
        "resources": resources,
    }))
    .unwrap()
}

fn stage(variables: &[(&str, &str)]) -> Stage {
    Stage {
        api: "abc".into(),
        name: "dev".into(),
        deployment_id: "dep".into(),
        description: None,
        variables: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        tags: BTreeMap::new(),
        created: 0,
        last_updated: 0,
        method_settings: BTreeMap::new(),
        documentation_version: None,
        tracing_enabled: false,
        access_log: crate::rows::AccessLog::default(),
    }
}

fn compile(resources: Value, variables: &[(&str, &str)]) -> StagePlan {
    stage_plan(&Scope::new("0", "r"), &snapshot(resources), &stage(variables), None).unwrap()
}

/// A method without guards on this integration.
fn method(integration: Value) -> Value {
    let mut whole = json!({"passthrough": "WHEN_NO_MATCH", "timeout_in_millis": 29_000, "cache_namespace": "r0"});
    whole.as_object_mut().unwrap().extend(integration.as_object().unwrap().clone());
    json!({"authorization_type": "NONE", "integration": whole})
}

/// The backend of the GET of the root, in brief.
fn backend(integration: Value, variables: &[(&str, &str)]) -> String {
    let plan = compile(json!({"/": {"GET": method(integration)}}), variables);
    let resource = plan.router.find("/", &mut Captures::new(), |_| true).unwrap();
    match &resource.method("GET").unwrap().integration.backend {
        Backend::Mock => "mock".into(),
        Backend::Http { method, uri, proxy } => {
            let verb = method.as_ref().map_or("ANY", |method| method.as_str());
            format!("http {verb} {} proxy {proxy}", uri.constant().unwrap_or("with places"))
        }
        Backend::Lambda { function_arn, credentials, proxy } => {
            format!("lambda {function_arn} as {} proxy {proxy}", credentials.as_deref().unwrap_or("itself"))
        }
        Backend::Service(service) => {
            let verb = service.method.as_ref().map_or("ANY", |method| method.as_str());
            let role = service.credentials.as_deref().unwrap_or("nobody");
            format!(
                "{} in {} {verb} {} as {role}",
                service.name,
                service.region,
                service.uri.constant().unwrap_or("with places")
            )
        }
        Backend::Broken { reason } => format!("broken: {reason}"),
    }
}

const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:Items";

fn lambda_uri(function: &str) -> String {
    format!("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations")
}

#[test]
fn stage_variables_are_filled_into_addresses() {
    let variables = [("alias", "dev"), ("host", "h:1"), ("role", "caller")];
    for (integration, expected) in [
        (json!({"kind": "MOCK"}), "mock".to_owned()),
        (
            json!({"kind": "HTTP_PROXY", "http_method": "ANY", "uri": "http://${stageVariables.host}/x"}),
            "http ANY http://h:1/x proxy true".into(),
        ),
        (
            json!({"kind": "HTTP", "http_method": "POST", "uri": "http://${stageVariables.host}/{id}"}),
            "http POST with places proxy false".into(),
        ),
        (
            json!({
                "kind": "AWS_PROXY", "http_method": "POST",
                "uri": lambda_uri(&format!("{FUNCTION}:${{stageVariables.alias}}")),
            }),
            format!("lambda {FUNCTION}:dev as itself proxy true"),
        ),
        (
            json!({
                "kind": "AWS", "http_method": "POST", "uri": lambda_uri(&format!("{FUNCTION}${{stageVariables.none}}")),
                "credentials": "arn:aws:iam::0:role/${stageVariables.role}",
            }),
            format!("lambda {FUNCTION} as arn:aws:iam::0:role/caller proxy false"),
        ),
        (
            json!({"kind": "AWS_PROXY", "http_method": "GET", "uri": lambda_uri(FUNCTION)}),
            "broken: a Lambda function is invoked by POST".into(),
        ),
    ] {
        assert_eq!(backend(integration, &variables), expected);
    }
}

#[test]
fn methods_stand_under_their_resources() {
    let mock = || method(json!({"kind": "MOCK", "passthrough": "NEVER"}));
    let plan = compile(
        json!({"/": {}, "/items": {"GET": mock(), "ANY": mock()}, "/items/{id}": {"GET": mock()}, "/{proxy+}": {"ANY": mock()}}),
        &[("a", "b")],
    );
    let mut captures = Captures::new();
    assert!(plan.router.find("/", &mut captures, |_| true).is_none());
    let items = plan.router.find("/items", &mut captures, |_| true).unwrap();
    assert_eq!((&*items.path, &*items.id), ("/items", "r1"));
    assert_eq!(&*items.method("GET").unwrap().verb, "GET");
    assert_eq!(&*items.method("POST").unwrap().verb, "ANY");
    assert_eq!(items.method("GET").unwrap().integration.request.passthrough, Passthrough::Never);
    let item = plan.router.find("/items/7", &mut captures, |_| true).unwrap();
    assert_eq!(&*item.path, "/items/{id}");
    assert_eq!(plan.variables.get("a").map(AsRef::as_ref), Some("b"));
    assert!(plan.binary_media_types.matches("image/png") && plan.guard.is_none());
    assert_eq!((&*plan.stage, &*plan.deployment_id, &*plan.api.id), ("dev", "dep", "abc"));
}

#[test]
fn responses_come_by_rising_status_and_bad_patterns_are_never_chosen() {
    let plan = compile(
        json!({"/": {"GET": method(json!({"kind": "MOCK", "responses": {
            "502": {"selection_pattern": ".+"},
            "200": {"selection_pattern": "", "parameters": {"method.response.header.X-A": "'x'"}},
            "405": {"selection_pattern": ".*four.*", "templates": {"application/json": "t", "text/plain": null}},
            "500": {"selection_pattern": "("},
        }}))}}),
        &[],
    );
    let resource = plan.router.find("/", &mut Captures::new(), |_| true).unwrap();
    let responses = &resource.method("GET").unwrap().integration.responses;
    let brief: Vec<_> = responses
        .iter()
        .map(|response| {
            (response.status.as_u16(), response.selection.is_some(), response.headers.len(), response.templates.len())
        })
        .collect();
    assert_eq!(brief, [(200, false, 1, 0), (405, true, 0, 1), (502, true, 0, 0)]);
}

#[test]
fn responses_know_whether_the_method_declares_them() {
    let mut with_responses =
        method(json!({"kind": "MOCK", "responses": {"200": {}, "404": {"selection_pattern": "4"}}}));
    with_responses["responses"] = json!({"200": {}, "500": {}});
    let plan = compile(json!({"/": {"GET": with_responses}}), &[]);
    let resource = plan.router.find("/", &mut Captures::new(), |_| true).unwrap();
    let responses = &resource.method("GET").unwrap().integration.responses;
    let brief: Vec<_> = responses.iter().map(|response| (response.status.as_u16(), response.is_declared)).collect();
    assert_eq!(brief, [(200, true), (404, false)]);
}

#[test]
fn a_broken_template_fails_when_it_is_used_and_no_other() {
    let plan = compile(
        json!({"/": {"GET": method(json!({"kind": "MOCK", "request_templates": {
            "application/json": "{\"statusCode\": 200}", "text/plain": "#if(",
        }}))}}),
        &[],
    );
    let resource = plan.router.find("/", &mut Captures::new(), |_| true).unwrap();
    let templates = &resource.method("GET").unwrap().integration.request.templates;
    let renders: Vec<_> = templates.iter().map(|(kind, template)| (&**kind, renders(template))).collect();
    assert_eq!(renders, [("application/json", true), ("text/plain", false)]);
}

fn renders(template: &templates::vtl::Template) -> bool {
    use templates::vtl::{Limits, NoContext, Overrides, ParamLists, Scope};
    let (params, variables) = (ParamLists::default(), BTreeMap::new());
    let scope = Scope {
        body: "",
        params: &params,
        context: &NoContext,
        stage_variables: &variables,
        overrides: Overrides::default(),
    };
    template.render(&scope, &Limits::default()).is_ok()
}

#[test]
fn what_cannot_be_enforced_guards() {
    let guarded = |part: Value| {
        let mut method = method(json!({"kind": "MOCK"}));
        method.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        let plan = compile(json!({"/": {"GET": method}}), &[]);
        let resource = plan.router.find("/", &mut Captures::new(), |_| true).unwrap();
        resource.method("GET").unwrap().guard.as_ref().map(|guard| guard.what.to_string())
    };
    assert_eq!(guarded(json!({})), None);
    assert_eq!(guarded(json!({"authorization_type": "AWS_IAM"})).as_deref(), Some("authorizationType AWS_IAM"));
    assert_eq!(guarded(json!({"api_key_required": true})).as_deref(), Some("apiKeyRequired"));

    let mut snapshot = snapshot(json!({"/": {"GET": method(json!({"kind": "MOCK"}))}}));
    snapshot.api.policy = Some("{}".into());
    let plan = stage_plan(&Scope::new("0", "r"), &snapshot, &stage(&[]), None).unwrap();
    assert_eq!(plan.guard.map(|guard| guard.what.to_string()).as_deref(), Some("resource policy"));
}

#[test]
fn a_function_called_by_the_clients_verb_is_called_by_post_alone() {
    let any = || method(json!({"kind": "AWS", "http_method": "ANY", "uri": lambda_uri(FUNCTION)}));
    let mock = || method(json!({"kind": "MOCK"}));
    let plan = compile(
        json!({"/any": {"ANY": any()}, "/own": {"ANY": any(), "POST": mock()}, "/verbs": {"GET": any(), "POST": any()}}),
        &[],
    );
    let backend = |path: &str, verb: &str| {
        let resource = plan.router.find(path, &mut Captures::new(), |_| true).unwrap();
        match &resource.method(verb).unwrap().integration.backend {
            Backend::Lambda { .. } => "lambda",
            Backend::Mock => "mock",
            _ => "broken",
        }
    };
    assert_eq!((backend("/any", "POST"), backend("/any", "GET")), ("lambda", "broken"));
    assert_eq!((backend("/own", "POST"), backend("/own", "PUT")), ("mock", "broken"));
    assert_eq!((backend("/verbs", "POST"), backend("/verbs", "GET")), ("lambda", "broken"));
}

#[test]
fn gateway_responses_are_compiled_and_none_costs_nothing() {
    let mut snapshot = snapshot(json!({}));
    assert!(stage_plan(&Scope::new("0", "r"), &snapshot, &stage(&[]), None).unwrap().gateway_responses.is_none());
    snapshot.gateway_responses = vec![
        serde_json::from_value(json!({
            "api": "abc", "response_type": "THROTTLED", "status_code": "430",
            "parameters": {"gatewayresponse.header.Retry-After": "'1'", "gatewayresponse.header.A": "method.request.path.a"},
            "templates": {"application/json": "$context.error.message", "text/plain": null},
        }))
        .unwrap(),
    ];
    let plan = stage_plan(&Scope::new("0", "r"), &snapshot, &stage(&[]), None).unwrap();
    let responses = plan.gateway_responses.unwrap();
    let found = responses.find("THROTTLED", http::StatusCode::TOO_MANY_REQUESTS).unwrap();
    assert_eq!(found.status.map(|status| status.as_u16()), Some(430));
    let names: Vec<&str> = found.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["a", "retry-after"]);
    let templates: Vec<_> = found.templates.iter().map(|(kind, text)| (&**kind, text.names().count())).collect();
    assert_eq!(templates, [("application/json", 1), ("text/plain", 0)]);
    assert!(responses.find("UNAUTHORIZED", http::StatusCode::UNAUTHORIZED).is_none());
}

#[test]
fn services_get_the_stage_s_variables_in_their_address() {
    let integration = |uri: &str| json!({"kind": "AWS", "http_method": "ANY", "uri": uri, "credentials": "arn:aws:iam::0:role/${stageVariables.role}"});
    let variables = [("role", "r"), ("region", "eu-west-1"), ("queue", "q")];
    assert_eq!(
        backend(
            integration("arn:aws:apigateway:${stageVariables.region}:sqs:path/0/${stageVariables.queue}"),
            &variables
        ),
        "sqs in eu-west-1 ANY /0/q as arn:aws:iam::0:role/r"
    );
    assert_eq!(
        backend(integration("arn:aws:apigateway:r:states:action/StartExecution"), &[]),
        "stepfunctions in r ANY /?Action=StartExecution as arn:aws:iam::0:role/"
    );
    assert_eq!(
        backend(integration("arn:aws:apigateway:r:s3:path/b/{key}"), &[]),
        "s3 in r ANY with places as arn:aws:iam::0:role/"
    );
}

#[test]
fn a_streaming_function_has_an_address_and_a_mode_of_its_own() {
    let uri = format!(
        "arn:aws:apigateway:us-east-1:lambda:path/2021-11-15/functions/{FUNCTION}/response-streaming-invocations"
    );
    let streams = json!({"kind": "AWS_PROXY", "http_method": "POST", "uri": uri, "streams": true});
    assert_eq!(backend(streams, &[]), format!("lambda {FUNCTION} as itself proxy true"));
    // Rows of that kind cannot be stored; one that were would fail rather than answer in the wrong form.
    let mixed = json!({"kind": "AWS_PROXY", "http_method": "POST", "uri": lambda_uri(FUNCTION), "streams": true});
    assert!(backend(mixed, &[]).starts_with("broken: "));
    let plan = compile(json!({"/": {"GET": method(json!({"kind": "MOCK", "streams": true}))}}), &[]);
    let resource = plan.router.find("/", &mut Captures::new(), |_| true).unwrap();
    assert!(!resource.method("GET").unwrap().integration.streams, "only proxies stream");
}
