//! Any bytes as the body of rest-json calls, through the whole control plane: no panic, and always an answer.
#![no_main]

use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::Request;
use libfuzzer_sys::fuzz_target;
use wire::{ControlPlane, Service, Settings};

/// Method and path of calls whose inputs have every kind of member.
const CALLS: &[(&str, &str)] = &[
    ("POST", "/restapis"),
    ("PATCH", "/restapis/abcdefghij"),
    ("PUT", "/restapis/abcdefghij/resources/abcdef/methods/GET/integration"),
    ("POST", "/2015-03-31/functions"),
];

static CONTROL_PLANE: LazyLock<ControlPlane> = LazyLock::new(|| {
    let apis = Service::new(&model_apigateway::SERVICE, Arc::new(()))
        .operation(model_apigateway::CreateRestApi, |_, _, _| async { Ok(model_apigateway::RestApi::default()) })
        .operation(model_apigateway::UpdateRestApi, |_, _, _| async { Ok(model_apigateway::RestApi::default()) })
        .operation(model_apigateway::PutIntegration, |_, _, _| async { Ok(model_apigateway::Integration::default()) });
    let functions = Service::new(&model_lambda::SERVICE, Arc::new(())).operation(
        model_lambda::CreateFunction,
        |_, _, _| async { Ok(model_lambda::FunctionConfiguration::default()) },
    );
    ControlPlane::new([apis.into(), functions.into()], Settings::default())
});

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else { return };
    let (method, path) = CALLS[usize::from(*choice) % CALLS.len()];
    let request = Request::builder().method(method).uri(path).header("host", "localhost");
    let request = request.header("content-type", "application/json").body(()).expect("the parts are constant");
    let answer = CONTROL_PLANE.handle(request.into_parts().0, Bytes::copy_from_slice(body), ([127, 0, 0, 1], 1).into());
    // The handlers wait for nothing, so one poll is enough.
    let polled = std::pin::pin!(answer).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(response) if response.headers().contains_key("x-amzn-requestid")));
});
