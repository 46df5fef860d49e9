//! The operations as `wire` calls them: the scope of the call goes in, refusals become AWS's errors.

use std::sync::Arc;

use model_apigateway as model;
use store::Scope;
use wire::{ApiError, Service};

use crate::Apis;
use crate::refusal::Refusal;

/// Gives each operation the method of [`Apis`] that carries it out.
macro_rules! operations {
    ($service:expr, $($operation:ident => $method:ident,)+) => {
        $service$(.operation(model::$operation, |apis: Arc<Apis>, call, input| async move {
            let (account, region) = call.scope();
            apis.$method(&Scope::new(account, region), input).await.map_err(ApiError::from)
        }))+
    };
}

impl Apis {
    /// Every operation of API Gateway v1 that there is, ready to be mounted.
    pub fn service(self: &Arc<Self>) -> Service<Apis> {
        let service = operations! { Service::new(&model::SERVICE, Arc::clone(self)),
            CreateRestApi => create_rest_api,
            GetRestApi => get_rest_api,
            GetRestApis => get_rest_apis,
            UpdateRestApi => update_rest_api,
            DeleteRestApi => delete_rest_api,
            CreateResource => create_resource,
            GetResource => get_resource,
            GetResources => get_resources,
            UpdateResource => update_resource,
            DeleteResource => delete_resource,
            CreateModel => create_model,
            GetModel => get_model,
            GetModels => get_models,
            UpdateModel => update_model,
            DeleteModel => delete_model,
            GetModelTemplate => get_model_template,
            CreateRequestValidator => create_request_validator,
            GetRequestValidator => get_request_validator,
            GetRequestValidators => get_request_validators,
            UpdateRequestValidator => update_request_validator,
            DeleteRequestValidator => delete_request_validator,
            PutMethod => put_method,
            GetMethod => get_method,
            UpdateMethod => update_method,
            DeleteMethod => delete_method,
            PutMethodResponse => put_method_response,
            GetMethodResponse => get_method_response,
            UpdateMethodResponse => update_method_response,
            DeleteMethodResponse => delete_method_response,
            PutIntegration => put_integration,
            GetIntegration => get_integration,
            UpdateIntegration => update_integration,
            DeleteIntegration => delete_integration,
            PutIntegrationResponse => put_integration_response,
            GetIntegrationResponse => get_integration_response,
            UpdateIntegrationResponse => update_integration_response,
            DeleteIntegrationResponse => delete_integration_response,
            PutGatewayResponse => put_gateway_response,
            GetGatewayResponse => get_gateway_response,
            GetGatewayResponses => get_gateway_responses,
            UpdateGatewayResponse => update_gateway_response,
            DeleteGatewayResponse => delete_gateway_response,
            GetAccount => get_account,
            UpdateAccount => update_account,
            CreateDeployment => create_deployment,
            GetDeployment => get_deployment,
            GetDeployments => get_deployments,
            UpdateDeployment => update_deployment,
            DeleteDeployment => delete_deployment,
            CreateStage => create_stage,
            GetStage => get_stage,
            GetStages => get_stages,
            UpdateStage => update_stage,
            DeleteStage => delete_stage,
            FlushStageCache => flush_stage_cache,
            FlushStageAuthorizersCache => flush_stage_authorizers_cache,
            CreateAuthorizer => create_authorizer,
            GetAuthorizer => get_authorizer,
            GetAuthorizers => get_authorizers,
            UpdateAuthorizer => update_authorizer,
            DeleteAuthorizer => delete_authorizer,
            CreateVpcLink => create_vpc_link,
            GetVpcLink => get_vpc_link,
            GetVpcLinks => get_vpc_links,
            UpdateVpcLink => update_vpc_link,
            DeleteVpcLink => delete_vpc_link,
            CreateDocumentationPart => create_documentation_part,
            GetDocumentationPart => get_documentation_part,
            GetDocumentationParts => get_documentation_parts,
            UpdateDocumentationPart => update_documentation_part,
            DeleteDocumentationPart => delete_documentation_part,
            ImportDocumentationParts => import_documentation_parts,
            CreateDocumentationVersion => create_documentation_version,
            GetDocumentationVersion => get_documentation_version,
            GetDocumentationVersions => get_documentation_versions,
            UpdateDocumentationVersion => update_documentation_version,
            DeleteDocumentationVersion => delete_documentation_version,
            GetTags => get_tags,
            TagResource => tag_resource,
            UntagResource => untag_resource,
            GetUsagePlans => get_usage_plans,
            GetApiKeys => get_api_keys,
        };
        // It shows the tried method who calls.
        service.operation(model::TestInvokeMethod, |apis: Arc<Apis>, call, input| async move {
            apis.test_invoke_method(&call, input).await.map_err(ApiError::from)
        })
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> ApiError {
        match refusal {
            Refusal::BadRequest(text) => ApiError::bad_request(text),
            Refusal::NotFound(text) => ApiError::not_found(text),
            Refusal::Conflict(text) => ApiError::conflict(text),
            Refusal::LimitExceeded(text) => ApiError::limit_exceeded(text),
            Refusal::Raced => ApiError::conflict(
                "Unable to complete operation due to concurrent modification. Please try again later.",
            ),
            Refusal::Unavailable(reason) => {
                tracing::error!(%reason, "the control plane cannot answer");
                unavailable("The service is unavailable. Please try again later.".to_owned())
            }
            Refusal::Full(reason) => {
                tracing::error!(%reason, "the control plane cannot keep a change");
                unavailable(format!("The change was not kept: {reason}."))
            }
            Refusal::Internal(reason) => ApiError::internal(reason),
        }
    }
}

fn unavailable(text: String) -> ApiError {
    ApiError::custom("ServiceUnavailableException", 503, text).with_retry_after(1)
}
