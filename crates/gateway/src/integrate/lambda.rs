//! Lambda as a backend: the call through the seam, and what Lambda's refusals mean to a client.

use std::sync::Arc;

use base::seams::{Caller, Invocation, InvokeRefusal, Invoked, Outcome};
use bytes::Bytes;
use plan::Backend;

use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::listener::Thread;
use crate::route::Routed;
use templates::document::push_quoted;

/// Runs the method's function on `payload`; without one it gets an empty object.
pub(super) async fn invoke(
    thread: &Thread,
    exchange: &Exchange,
    routed: &Routed<'_>,
    payload: Bytes,
    trace: Option<&str>,
) -> Result<Invoked, Fault> {
    let (invocation, proxy) = invocation(exchange, routed, payload, trace)?;
    match thread.settings.functions.invoke(invocation).await {
        Ok(invoked) => Ok(invoked),
        Err(refusal) => refused(refusal, proxy),
    }
}

/// Hands `payload` over to be run later. Lambda's answer, 202 without a body, is mapped like any other.
pub(super) async fn enqueue(
    thread: &Thread,
    exchange: &Exchange,
    routed: &Routed<'_>,
    payload: Bytes,
    trace: Option<&str>,
) -> Result<Outcome, Fault> {
    let (invocation, proxy) = invocation(exchange, routed, payload, trace)?;
    match thread.settings.functions.enqueue(invocation).await {
        Ok(_) => Ok(Outcome::Returned(Bytes::new())),
        Err(refusal) => refused(refusal, proxy).map(|invoked| invoked.outcome),
    }
}

/// What Lambda says about an event that is not JSON is mapped like an answer of the function, behind a mapping template.
fn refused(refusal: InvokeRefusal, proxy: bool) -> Result<Invoked, Fault> {
    match refusal {
        InvokeRefusal::BadPayload { message, too_large: false } if !proxy => {
            let mut payload = String::from("{\"Type\":\"User\",\"message\":");
            push_quoted(&mut payload, &message);
            payload.push('}');
            let outcome = Outcome::Returned(payload.into());
            Ok(Invoked { request_id: String::new(), executed_version: "$LATEST".into(), outcome, log_tail: None })
        }
        refusal => Err(fault_of(refusal)),
    }
}

/// What the function is asked, and whether its answer is a proxy integration's.
pub(super) fn invocation(
    exchange: &Exchange,
    routed: &Routed<'_>,
    payload: Bytes,
    trace: Option<&str>,
) -> Result<(Invocation, bool), Fault> {
    let Backend::Lambda { function_arn, credentials, proxy } = &routed.method.integration.backend else {
        return Err(Fault::Internal { reason: "a function was to be called for a backend that is none".into() });
    };
    let caller = match credentials {
        // With `--auth off`, the only mode so far, whoever calls with credentials may: a role may, too.
        Some(_) => Caller::Trusted,
        None => Caller::Service {
            principal: "apigateway.amazonaws.com",
            source_arn: source_arn(exchange, routed),
            source_account: Arc::clone(&exchange.plan.api.account),
        },
    };
    let invocation = Invocation {
        function_arn: Arc::clone(function_arn),
        payload: if payload.is_empty() { Bytes::from_static(b"{}") } else { payload },
        caller,
        trace_id: trace.map(str::to_owned),
        client_context: None,
        tail_log: false,
        request_id: None,
    };
    Ok((invocation, *proxy))
}

/// What Lambda's refusal means to the client.
pub(super) fn fault_of(refusal: InvokeRefusal) -> Fault {
    match refusal {
        InvokeRefusal::NotPermitted => Fault::FunctionNotPermitted,
        // The event is the client's body and a little more.
        InvokeRefusal::BadPayload { too_large: true, .. } => Fault::RequestTooLarge,
        refusal => Fault::FunctionRefused { reason: refusal_text(&refusal).into() },
    }
}

/// What the function's policy is asked about: the method, as it is addressed at this stage.
pub(super) fn source_arn(exchange: &Exchange, routed: &Routed<'_>) -> String {
    let (plan, verb) = (&exchange.plan, &routed.method.verb);
    format!(
        "arn:aws:execute-api:{}:{}:{}/{}/{}{}",
        plan.api.region,
        plan.api.account,
        plan.api.id,
        plan.stage,
        if verb.as_ref() == "ANY" { "*" } else { verb },
        routed.resource.path,
    )
}

/// A refusal of Lambda, for the log.
pub(crate) fn refusal_text(refusal: &InvokeRefusal) -> String {
    match refusal {
        InvokeRefusal::NotFound { function_arn } => format!("Function not found: {function_arn}"),
        InvokeRefusal::NotPermitted => "not permitted".into(),
        InvokeRefusal::TooManyRequests { reason } => format!("Rate Exceeded. ({reason})"),
        InvokeRefusal::NotReady { state } => format!("the function is in the state {state}"),
        InvokeRefusal::BadPayload { message, .. } => message.clone(),
        InvokeRefusal::Unavailable { reason } => reason.clone(),
    }
}
