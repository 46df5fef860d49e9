//! TestInvokeMethod: tries a method of the API as it is now, deployed or not.

use std::collections::BTreeMap;
use std::sync::Arc;

use model_apigateway as model;
use plan::{TEST_STAGE, TestAnswer, TestCaller, TestRefusal, TestRequest};
use store::Scope;
use wire::Call;

use super::validate;
use crate::Apis;
use crate::refusal::{Answer, Refusal};
use crate::rows::{Resource, Stage};

impl Apis {
    pub(crate) async fn test_invoke_method(
        &self,
        call: &Call,
        input: model::TestInvokeMethodRequest,
    ) -> Answer<model::TestInvokeMethodResponse> {
        let (account, region) = call.scope();
        let scope = Scope::new(account, region);
        let resource = self.resource(&scope, &input.rest_api_id, &input.resource_id).await?.record;
        check_method(&resource, &input.http_method)?;
        if input.client_certificate_id.as_deref().is_some_and(|id| !id.is_empty()) {
            return Err(Refusal::not_built("clientCertificateId"));
        }
        let variables = input.stage_variables.clone().unwrap_or_default();
        validate::stage_variables(&variables)?;
        let request = TestRequest {
            plan: self.test_plan(&scope, &resource, variables).await?,
            resource_path: resource.path.as_str().into(),
            verb: input.http_method.as_str().into(),
            target: input.path_with_query_string.as_deref().map(Box::from),
            headers: headers(&input),
            body: input.body.unwrap_or_default(),
            caller: TestCaller {
                access_key_id: call.access_key_id.as_deref().map(Box::from),
                user_agent: call.user_agent.as_str().into(),
            },
        };
        let tester = self.tester.get().ok_or_else(|| Refusal::Unavailable("there is no data plane yet".into()))?;
        tester.test_invoke(request).await.map(shown).map_err(|refusal| match refusal {
            TestRefusal::BadRequest(text) => Refusal::BadRequest(text),
            TestRefusal::Unavailable(reason) => Refusal::Unavailable(reason),
        })
    }

    /// The plan of the API's rows as they are, with no other resource than the one to be tried.
    async fn test_plan(
        &self,
        scope: &Scope,
        resource: &Resource,
        variables: BTreeMap<String, String>,
    ) -> Answer<Arc<plan::StagePlan>> {
        let api = self.rest_api(scope, &resource.api).await?.record;
        let mut snapshot = self.snapshot_of(scope, &api, "").await?;
        snapshot.resources.retain(|known| known.id == resource.id);
        if snapshot.resources.is_empty() {
            return Err(Refusal::unknown_resource());
        }
        let stage = Stage { api: api.id, name: TEST_STAGE.into(), variables, ..Stage::default() };
        self.compile(scope, &snapshot, &stage)
    }
}

/// The verb needs a method with an integration: its own, else `ANY`.
fn check_method(resource: &Resource, verb: &str) -> Answer<()> {
    let any = || {
        let is_one = matches!(verb, "DELETE" | "GET" | "HEAD" | "OPTIONS" | "PATCH" | "POST" | "PUT");
        resource.methods.get("ANY").filter(|_| is_one)
    };
    let method = resource.methods.get(verb).or_else(any).ok_or_else(Refusal::unknown_method)?;
    match method.integration {
        Some(_) => Ok(()),
        None => Err(Refusal::bad_request("No integration defined for method")),
    }
}

/// The values of `multiValueHeaders` come first, then those of `headers` that are not among them.
fn headers(input: &model::TestInvokeMethodRequest) -> Vec<(String, String)> {
    let multiple = input.multi_value_headers.iter().flatten();
    let mut all: Vec<(String, String)> =
        multiple.flat_map(|(name, values)| values.iter().map(|value| (name.clone(), value.clone()))).collect();
    for (name, value) in input.headers.iter().flatten() {
        if !all.iter().any(|(known, same)| known.eq_ignore_ascii_case(name) && same == value) {
            all.push((name.clone(), value.clone()));
        }
    }
    all
}

/// `headers` has the last value of each, `multiValueHeaders` all.
fn shown(answer: TestAnswer) -> model::TestInvokeMethodResponse {
    let mut multiple: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in answer.headers {
        multiple.entry(name).or_default().push(value);
    }
    let single = multiple.iter().filter_map(|(name, values)| Some((name.clone(), values.last()?.clone()))).collect();
    model::TestInvokeMethodResponse {
        status: Some(answer.status.into()),
        body: Some(answer.body),
        headers: Some(single),
        multi_value_headers: Some(multiple),
        log: Some(answer.log),
        latency: Some(answer.latency.as_millis() as i64),
    }
}
