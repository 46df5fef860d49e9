//! Any bytes as a form of the query protocol, through the whole control plane: no panic, and always an answer.
#![no_main]

use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::Request;
use libfuzzer_sys::fuzz_target;
use wire::{ControlPlane, Service, Settings};

/// A signature with the right form; nobody verifies it here.
const SIGNATURE: &str = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, \
                         Signature=0000000000000000000000000000000000000000000000000000000000000000";

static CONTROL_PLANE: LazyLock<ControlPlane> = LazyLock::new(|| {
    let iam = Service::new(&model_iam::SERVICE, Arc::new(()))
        .operation(model_iam::CreateRole, |_, _, _| async { Ok(model_iam::CreateRoleResponse::default()) })
        .operation(model_iam::ListRoles, |_, _, _| async { Ok(model_iam::ListRolesResponse::default()) });
    ControlPlane::new([iam.into()], Settings::default())
});

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    let action: &[u8] = match choice % 3 {
        0 => b"Action=CreateRole&",
        1 => b"Action=ListRoles&",
        _ => b"",
    };
    let body = Bytes::from([action, rest].concat());
    let request = Request::post("/").header("host", "localhost").header("authorization", SIGNATURE);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let request = request.body(()).expect("the parts are constant");
    let answer = CONTROL_PLANE.handle(request.into_parts().0, body, ([127, 0, 0, 1], 1).into());
    // The handlers wait for nothing, so one poll is enough.
    let polled = std::pin::pin!(answer).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(response) if response.headers().contains_key("x-amzn-requestid")));
});
