//! The Invoke operation.

use std::sync::Arc;

use base::seams::{Caller, Invocation, InvokeRefusal, Outcome};
use base::shape::{Blob, Sensitive};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use model_lambda as model;
use model_lambda::errors;
use wire::{Answer, ApiError, Call};

use super::configure::not_yet;
use super::names::Named;
use super::{conflict, invalid, not_found, refuse};
use crate::Functions;
use crate::recursion::{self, Loop};

/// The longest client context, in base64.
const CLIENT_CONTEXT_BYTES: usize = 3583;

pub(super) async fn invoke(
    functions: Arc<Functions>,
    call: Call,
    input: model::InvocationRequest,
) -> Result<Answer<model::InvocationResponse>, ApiError> {
    for (name, given) in
        [("durable executions", input.durable_execution_name.is_some()), ("tenants", input.tenant_id.is_some())]
    {
        if given {
            return Err(not_yet(name));
        }
    }
    let asked = Asked {
        function_name: &input.function_name,
        qualifier: input.qualifier.as_deref(),
        payload: input.payload.map(|Sensitive(payload)| payload),
        client_context: input.client_context.as_deref(),
        log_type: input.log_type.as_deref(),
    };
    let Some((invocation, trace)) = functions.unless_dry(&call, asked, input.invocation_type.as_deref())? else {
        let output = model::InvocationResponse { status_code: Some(204), ..model::InvocationResponse::default() };
        return Ok(output.into());
    };
    if input.invocation_type.as_deref() == Some("Event") {
        functions.queue.accept(&functions, invocation).await.map_err(refusal)?;
        let output = model::InvocationResponse { status_code: Some(202), ..model::InvocationResponse::default() };
        return Ok(output.into());
    }
    let invoked = functions.invoke_from_anywhere(invocation).await.map_err(refusal)?;
    let (function_error, payload) = match invoked.outcome {
        Outcome::Returned(payload) => (None, payload),
        Outcome::Failed(payload) => (Some("Unhandled".to_owned()), payload),
    };
    let output = model::InvocationResponse {
        status_code: Some(200),
        function_error,
        log_result: invoked.log_tail.map(|tail| STANDARD.encode(tail)),
        payload: Some(Sensitive(Blob(payload))),
        executed_version: Some(invoked.executed_version.to_string()),
        durable_execution_arn: None,
    };
    let remapped = HeaderName::from_static("x-amzn-remapped-content-length");
    let answer = Answer::from(output).with_header(remapped, HeaderValue::from_static("0"));
    Ok(answer.with_header(HeaderName::from_static("x-amzn-trace-id"), trace))
}

pub(super) async fn invoke_async(
    functions: Arc<Functions>,
    call: Call,
    input: model::InvokeAsyncRequest,
) -> Result<model::InvokeAsyncResponse, ApiError> {
    let asked = Asked {
        function_name: &input.function_name,
        qualifier: None,
        payload: Some(input.invoke_args),
        client_context: None,
        log_type: None,
    };
    let (invocation, _) = functions.invocation(&call, asked)?;
    functions.queue.accept(&functions, invocation).await.map_err(refusal)?;
    Ok(model::InvokeAsyncResponse { status: Some(202) })
}

/// What the operations that invoke a function have in common.
pub(super) struct Asked<'a> {
    pub(super) function_name: &'a str,
    pub(super) qualifier: Option<&'a str>,
    pub(super) payload: Option<Blob>,
    pub(super) client_context: Option<&'a str>,
    pub(super) log_type: Option<&'a str>,
}

impl Functions {
    /// What is to be run and its `X-Amzn-Trace-Id`; nothing for a caller who only wants to know whether it could be
    /// (`DryRun`).
    pub(super) fn unless_dry(
        &self,
        call: &Call,
        asked: Asked<'_>,
        invocation_type: Option<&str>,
    ) -> Result<Option<(Invocation, HeaderValue)>, ApiError> {
        let (invocation, trace) = self.invocation(call, asked)?;
        if invocation_type == Some("DryRun") {
            self.index.resolve(&invocation.function_arn, &invocation.caller).map_err(refusal)?;
            return Ok(None);
        }
        Ok(Some((invocation, HeaderValue::try_from(trace).map_err(ApiError::internal)?)))
    }

    /// What is to be run, and the trace that it belongs to.
    fn invocation(&self, call: &Call, asked: Asked<'_>) -> Result<(Invocation, String), ApiError> {
        let named = Named::read(call, asked.function_name, asked.qualifier)?;
        let trace = self.trace(call, &named)?;
        let invocation = Invocation {
            function_arn: named.qualified_arn().into(),
            payload: asked.payload.map_or_else(Bytes::new, |Blob(payload)| payload),
            caller: Caller::Trusted,
            trace_id: Some(trace.clone()),
            client_context: asked.client_context.map(client_context).transpose()?,
            tail_log: asked.log_type == Some("Tail"),
            request_id: Some(call.request_id.clone()),
        };
        Ok((invocation, trace))
    }

    /// The trace header of an invocation: that of the call, where it comes from a function, with one round more.
    ///
    /// # Errors
    /// Where the function is run without end by what it does itself.
    pub(super) fn trace(&self, call: &Call, named: &Named) -> Result<String, ApiError> {
        let arn = named.arn();
        let trace = match call.trace_id.as_ref().filter(|given| given.starts_with("Root=")) {
            Some(given) => given.clone(),
            None => {
                let found = self.index.resolve(&named.qualified_arn(), &Caller::Trusted);
                let is_sampled = found.is_ok_and(|version| version.settings.traced);
                trace_header(self.engine.clock.now().whole_seconds(), is_sampled)
            }
        };
        match recursion::advance(&trace, &arn) {
            Ok(advanced) => Ok(advanced),
            Err(Loop) if self.index.allows_recursion(&arn) => Ok(trace),
            Err(Loop) => Err(refuse(
                &errors::RECURSIVE_INVOCATION_EXCEPTION,
                format!(
                    "Lambda has detected that {arn} is invoked in a recursive loop and has stopped the invocation."
                ),
            )),
        }
    }
}

/// A trace of the call's own: `Root=1-{8 hex of the time}-{24 hex};Parent={16 hex};Sampled=0`.
fn trace_header(epoch_seconds: u64, is_sampled: bool) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let random = base::ids::random_bytes::<20>();
    let (seconds, sampled) = (epoch_seconds as u32, u8::from(is_sampled));
    format!("Root=1-{seconds:08x}-{};Parent={};Sampled={sampled}", hex(&random[..12]), hex(&random[12..]))
}

/// `X-Amz-Client-Context`: JSON in base64.
fn client_context(text: &str) -> Result<String, ApiError> {
    if text.len() > CLIENT_CONTEXT_BYTES {
        return Err(invalid(format!("The client context must be at most {CLIENT_CONTEXT_BYTES} bytes.")));
    }
    let unreadable = || {
        let message = "Client context must be a valid Base64-encoded JSON object.";
        refuse(&errors::INVALID_REQUEST_CONTENT_EXCEPTION, message)
    };
    let decoded = STANDARD.decode(text).map_err(|_| unreadable())?;
    match serde_json::from_slice::<serde_json::Value>(&decoded) {
        Ok(serde_json::Value::Object(_)) => String::from_utf8(decoded).map_err(|_| unreadable()),
        _ => Err(unreadable()),
    }
}

/// Lambda's error for what keeps a function from running.
pub(super) fn refusal(refusal: InvokeRefusal) -> ApiError {
    match refusal {
        InvokeRefusal::NotFound { function_arn } => not_found(format!("Function not found: {function_arn}")),
        InvokeRefusal::NotPermitted => ApiError::access_denied("The function's policy does not allow this invocation."),
        InvokeRefusal::TooManyRequests { reason } => {
            refuse(&errors::TOO_MANY_REQUESTS_EXCEPTION, "Rate Exceeded.").with_member("Reason", reason)
        }
        InvokeRefusal::NotReady { state } => conflict(format!(
            "The operation cannot be performed at this time. The function is currently in the following state: {state}"
        )),
        InvokeRefusal::BadPayload { message, too_large: true } => refuse(&errors::REQUEST_TOO_LARGE_EXCEPTION, message),
        InvokeRefusal::BadPayload { message, too_large: false } => {
            refuse(&errors::INVALID_REQUEST_CONTENT_EXCEPTION, message)
        }
        InvokeRefusal::Unavailable { reason } => {
            refuse(&errors::SERVICE_EXCEPTION, format!("The function could not be run: {reason}"))
        }
    }
}
