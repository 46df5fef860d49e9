//! The dispatch table: from what a request carries to the service and operation it means.

use http::Request;

use super::*;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn decide(method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> String {
    let services = [
        &model_apigateway::SERVICE,
        &model_lambda::SERVICE,
        &model_iam::SERVICE,
        &model_sts::SERVICE,
        &crate::codec::tests::NOTES,
    ];
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    match Dispatcher::new(services).decide(&parts, body.as_bytes(), Credential::of(&parts).as_ref()) {
        Decision::Operation { service, operation, .. } => format!("{}:{}", service.name, operation.name),
        Decision::UnknownOperation { service, asked } => format!("{} does not have {asked}", service.name),
        Decision::UnknownService { name, format } => format!("unknown {name} {format:?}"),
        Decision::Nothing => "nothing".into(),
    }
}

fn signed(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature={}",
        "a".repeat(64)
    )
}

#[test]
fn the_signature_names_the_service() {
    let apigateway = signed("apigateway");
    let sign = [("authorization", apigateway.as_str())];
    for (method, uri, expected) in [
        ("POST", "/restapis", "apigateway:CreateRestApi"),
        ("POST", "/restapis?mode=import&failonwarnings=true", "apigateway:ImportRestApi"),
        ("POST", "/restapis?mode=other", "apigateway:CreateRestApi"),
        ("PUT", "/restapis/a", "apigateway:PutRestApi"),
        ("GET", "/restapis/", "apigateway:GetRestApis"),
        ("GET", "/restapis/a/resources/b/methods/GET/integration/responses/200", "apigateway:GetIntegrationResponse"),
        ("GET", "/restapis/a/documentation/parts", "apigateway:GetDocumentationParts"),
        ("GET", "/restapis//resources", "apigateway does not have GET /restapis//resources"),
        ("GET", "/tags/arn%3Aaws%3Aapigateway%3A%2Frestapis%2Fa", "apigateway:GetTags"),
        ("GET", "/v2/apis", "unknown apigatewayv2 RestJson"),
        ("GET", "/v2apis", "apigateway does not have GET /v2apis"),
        ("GET", "/", "apigateway does not have GET /"),
    ] {
        assert_eq!(decide(method, uri, &sign, ""), expected, "{method} {uri}");
    }
    // It wins over everything else.
    let lambda = signed("lambda");
    let headers = [("authorization", lambda.as_str()), ("x-amz-target", "DynamoDB_20120810.PutItem")];
    assert_eq!(decide("GET", "/restapis", &headers, ""), "lambda does not have GET /restapis");
    assert_eq!(decide("GET", "/2015-03-31/functions/f", &headers, ""), "lambda:GetFunction");
}

#[test]
fn a_signed_query_call_finds_its_action() {
    let iam = signed("iam");
    let sts = signed("sts");
    let headers = [("authorization", iam.as_str()), FORM];
    assert_eq!(decide("POST", "/", &headers, "Action=CreateRole&Version=2010-05-08"), "iam:CreateRole");
    assert_eq!(decide("POST", "/", &headers, "Version=2010-05-08&Action=Nothing"), "iam does not have Nothing");
    assert_eq!(decide("POST", "/", &headers, ""), "iam does not have ");
    let headers = [("authorization", sts.as_str())];
    assert_eq!(decide("GET", "/?Action=GetCallerIdentity&Version=2011-06-15", &headers, ""), "sts:GetCallerIdentity");
}

#[test]
fn services_that_we_do_not_have_are_named() {
    let named = |service: &str, headers: &[(&str, &str)], body: &str| {
        let authorization = signed(service);
        let mut all = vec![("authorization", authorization.as_str())];
        all.extend(headers);
        decide("POST", "/", &all, body)
    };
    let dynamodb = [("x-amz-target", "DynamoDB_20120810.PutItem"), ("content-type", "application/x-amz-json-1.0")];
    assert_eq!(named("dynamodb", &dynamodb, "{}"), "unknown dynamodb Json10");
    assert_eq!(named("logs", &[("x-amz-target", "Logs_20140328.PutLogEvents")], ""), "unknown logs Json11");
    assert_eq!(named("sns", &[FORM], "Action=Publish"), "unknown sns Query");
    assert_eq!(named("s3", &[], ""), "unknown s3 RestXml");
    assert_eq!(named("monitoring", &[("smithy-protocol", "rpc-v2-cbor")], ""), "unknown cloudwatch Cbor");
    assert_eq!(named("wavelengths", &[], ""), "unknown wavelengths RestJson");
}

#[test]
fn without_a_signature_the_rest_decides_in_order() {
    let target = |target| decide("POST", "/", &[("x-amz-target", target)], "{}");
    assert_eq!(target("DynamoDB_20120810.PutItem"), "unknown dynamodb Json11");
    assert_eq!(target("Notes_20260101.PutNote"), "notes:PutNote");
    assert_eq!(target("Notes_20260101.Other"), "notes does not have Other");
    assert_eq!(target("Strange"), "unknown Strange Json11");
    assert_eq!(decide("POST", "/", &[FORM], "Action=CreateRole&Version=2010-05-08"), "iam:CreateRole");
    assert_eq!(decide("POST", "/", &[FORM], "Action=CreateRole"), "iam:CreateRole");
    assert_eq!(decide("POST", "/", &[FORM], "Action=CreateStack&Version=2010-05-15"), "unknown cloudformation Query");
    assert_eq!(decide("POST", "/", &[FORM], "Action=Jump"), "unknown the service Query");
    let rpc = "/service/GraniteServiceVersion20100801/operation/PutMetricData";
    assert_eq!(decide("POST", rpc, &[("smithy-protocol", "rpc-v2-cbor")], ""), "unknown cloudwatch Cbor");
    assert_eq!(decide("POST", "/restapis", &[], ""), "apigateway:CreateRestApi");
    assert_eq!(decide("POST", "/2015-03-31/functions/f/invocations", &[], ""), "lambda:Invoke");
    assert_eq!(decide("GET", "/2099-01-01/nothing", &[], ""), "lambda does not have GET /2099-01-01/nothing");
    assert_eq!(decide("GET", "/usageplans/x/nothing", &[], ""), "apigateway does not have GET /usageplans/x/nothing");
    assert_eq!(decide("GET", "/v2/apis", &[], ""), "unknown apigatewayv2 RestJson");
    assert_eq!(decide("GET", "/", &[], ""), "nothing");
    assert_eq!(decide("GET", "/favicon.ico", &[], ""), "nothing");
}

#[test]
fn hosts_name_services_before_paths_do() {
    let host = |host, uri| decide("GET", uri, &[("host", host)], "");
    assert_eq!(host("sqs.us-east-1.localhost.localstack.cloud:4566", "/0/queue"), "unknown sqs RestJson");
    assert_eq!(host("Bucket.S3.localhost:4566", "/restapis"), "unknown s3 RestXml");
    assert_eq!(host("apigateway.localhost", "/restapis"), "apigateway:GetRestApis");
    assert_eq!(host("apigateway.localhost", "/v2/apis"), "unknown apigatewayv2 RestJson");
    assert_eq!(host("localhost:4566", "/restapis"), "apigateway:GetRestApis");
}

#[test]
fn signatures_that_are_not_well_formed_say_nothing() {
    let good = signed("lambda");
    assert_eq!(decide("GET", "/", &[("authorization", &good)], ""), "lambda does not have GET /");
    for bad in [
        "",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=a/b/c",
        &good.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"),
        &good.replace("20260101", "yesterday"),
        &good.replace("AKID", ""),
        &good.replace("aws4_request", "aws5_request"),
        &good.replace("SignedHeaders=host", "SignedHeaders="),
        &good.replace("Signature=a", "Signature=x"),
        &good[..good.len() - 1],
        &good.replace("lambda", ""),
        &good.replace("lambda", "la mbda"),
        "Basic dXNlcjpwYXNzd29yZA==",
    ] {
        assert_eq!(decide("GET", "/", &[("authorization", bad)], ""), "nothing", "{bad}");
    }
    let no_spaces = good.replace(", ", ",");
    assert_eq!(decide("GET", "/", &[("authorization", &no_spaces)], ""), "lambda does not have GET /");
    let slashed = good.replace("AKID", "a/b/c");
    assert_eq!(decide("GET", "/", &[("authorization", &slashed)], ""), "lambda does not have GET /");
}
