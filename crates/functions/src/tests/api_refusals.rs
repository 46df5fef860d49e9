//! What the Lambda API refuses, in AWS's words.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::client::{Client, Reply, create};
use super::lab::{on_data_thread, runtime, zip};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function";
const INVALID: &str = "InvalidParameterValueException";
const MISSING: &str = "ResourceNotFoundException";

#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str, text: &str) {
    let (found_status, found_code, found_text) = reply.error();
    assert_eq!((found_status, found_code.as_str()), (status, code), "{found_text}");
    assert!(found_text.contains(text), "{found_text}");
}

#[test]
fn creations_are_refused() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        let with = |change: Value| {
            let mut request = create("Bad", "def handler(e, c): pass\n");
            for (name, value) in change.as_object().unwrap() {
                request[name] = value.clone();
            }
            request
        };
        let large = "x".repeat(4096);
        let bomb = zip(&[("../evil.py", "")]);
        for (change, status, code, text) in [
            (
                json!({"Runtime": "nodejs12.x"}),
                400,
                INVALID,
                "The runtime parameter of nodejs12.x is no longer supported for creating or updating AWS Lambda functions. We recommend",
            ),
            (
                json!({"Runtime": "cobol"}),
                400,
                INVALID,
                "Value cobol at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [nodejs20.x, python3.14,",
            ),
            (json!({"Runtime": "java21"}), 400, INVALID, "java21"),
            (
                json!({"Runtime": null}),
                400,
                INVALID,
                "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
            ),
            (json!({"Role": "nobody"}), 400, "ValidationException", "at 'role' failed to satisfy constraint"),
            (json!({"Timeout": 901}), 400, "ValidationException", "at 'timeout' failed to satisfy constraint"),
            (
                json!({"MemorySize": 10_241}),
                400,
                "ValidationException",
                "Value '10241' at 'memorySize' failed to satisfy constraint: Member must have value less than or equal to 10240",
            ),
            (json!({"Timeout": 0}), 400, "ValidationException", "at 'timeout' failed to satisfy constraint"),
            (json!({"MemorySize": 127}), 400, "ValidationException", "at 'memorySize' failed to satisfy constraint"),
            (
                json!({"FunctionName": "a".repeat(65)}),
                400,
                INVALID,
                "at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 64",
            ),
            (
                json!({"FunctionName": "a b"}),
                400,
                "ValidationException",
                "at 'functionName' failed to satisfy constraint",
            ),
            (
                json!({"Code": {"ZipFile": "bm90IGEgemlw"}}),
                400,
                INVALID,
                "Could not unzip uploaded file. Please check your file, then try to upload again.",
            ),
            (json!({"Code": {"ZipFile": STANDARD.encode(&bomb)}}), 400, INVALID, "Could not unzip uploaded file."),
            (
                json!({"Code": {"ZipFile": STANDARD.encode(zip(&[]))}}),
                400,
                INVALID,
                "Uploaded file must be a non-empty zip",
            ),
            (
                json!({"Code": {"ZipFile": STANDARD.encode(vec![0; 52_428_801])}}),
                413,
                "RequestEntityTooLargeException",
                "Zipped size must be smaller than 52428800 bytes",
            ),
            (json!({"Code": {}}), 400, INVALID, "Please provide a source for function code."),
            (json!({"Code": {"S3Bucket": "bucket", "S3Key": "k"}}), 501, "NotImplemented", "S3"),
            (json!({"PackageType": "Image", "Code": {"ImageUri": "x"}}), 501, "NotImplemented", "PackageType Image"),
            (json!({"Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:l:1"]}), 400, INVALID, "does not exist"),
            (json!({"VpcConfig": {"SubnetIds": ["subnet-1"]}}), 501, "NotImplemented", "VpcConfig"),
            (json!({"SnapStart": {"ApplyOn": "PublishedVersions"}}), 501, "NotImplemented", "SnapStart"),
            (
                json!({"Environment": {"Variables": {"AWS_REGION": "x"}}}),
                400,
                INVALID,
                "reserved keys that are currently not supported for modification. Reserved keys used in this request: AWS_REGION",
            ),
            (
                json!({"Environment": {"Variables": {"LARGE": large}}}),
                400,
                INVALID,
                "exceeded the 4KB limit. String measured: {\"LARGE\":\"xxx",
            ),
            (json!({"Environment": {"Variables": {"1X": "x"}}}), 400, "ValidationException", "environment.variables"),
        ] {
            let what = change.to_string();
            let reply = client.ask("POST", "", with(change)).await;
            let (found_status, found_code, found_text) = reply.error();
            let shown = &what[..what.len().min(200)];
            assert_eq!((found_status, found_code.as_str()), (status, code), "{shown}: {found_text}");
            assert!(found_text.contains(text), "{shown}: {}", &found_text[..found_text.len().min(400)]);
        }
        refused(&client.ask("GET", "/Bad", Value::Null).await, 404, MISSING, "Function not found");
        // What says only what is so anyway is taken.
        let defaults = json!({
            "Layers": [], "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}, "TracingConfig": {"Mode": "PassThrough"},
            "SnapStart": {"ApplyOn": "None"}, "EphemeralStorage": {"Size": 512}, "PackageType": "Zip", "DeadLetterConfig": {},
            "Architectures": ["arm64"], "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/my/group"}, "KMSKeyArn": "",
            "Environment": {},
        });
        let made = client.ask("POST", "", with(defaults)).await;
        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!(
            (&made.json()["Architectures"], &made.json()["LoggingConfig"]["LogGroup"]),
            (&json!(["arm64"]), &json!("/my/group"))
        );
        refused(&client.create("Bad", "x = 1").await, 409, "ResourceConflictException", "Function already exist: Bad");
    });
}

#[test]
fn a_runtime_that_the_host_lacks_is_refused_naming_what_is_there() {
    on_data_thread(|lab| async move {
        let found = crate::runtimes::found_for_tests();
        let Some(lacking) =
            ["python3.8", "python3.14", "python3.9"].into_iter().find(|name| !found.contains(&(*name).to_owned()))
        else {
            return;
        };
        let client = Client::of(&lab);
        let mut request = create("Bad", "x = 1");
        request["Runtime"] = json!(lacking);
        let reply = client.ask("POST", "", request).await;
        refused(&reply, 400, INVALID, &format!("to run {lacking} on python3."));
        refused(&reply, 400, INVALID, &runtime("python"));
    });
}

#[test]
fn names_and_qualifiers_are_refused() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        client.create("Items", "def handler(e, c): return 1\n").await;
        for (method, path, status, code, text) in [
            ("GET", "/none", 404, MISSING, format!("Function not found: {ARN}:none")),
            ("GET", "/none?Qualifier=dev", 404, MISSING, format!("Function not found: {ARN}:none:dev")),
            ("GET", "/Items?Qualifier=9", 404, MISSING, format!("Function not found: {ARN}:Items:9")),
            (
                "GET",
                "/Items:dev?Qualifier=prod",
                400,
                INVALID,
                "The derived qualifier from the function name does not match the specified qualifier.".to_owned(),
            ),
            (
                "GET",
                "/arn:aws:lambda:eu-west-1:000000000000:function:Items",
                404,
                MISSING,
                "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')".to_owned(),
            ),
            (
                "GET",
                "/arn:aws:lambda:us-east-1:123456789012:function:Items",
                403,
                "AccessDeniedException",
                "not authorized to perform: lambda:GetFunction".to_owned(),
            ),
            (
                "GET",
                "/arn:aws:lambda:us-east-1:000000000000:function",
                404,
                MISSING,
                format!("Function not found: {ARN}:function"),
            ),
            (
                "DELETE",
                "/Items?Qualifier=%24LATEST",
                400,
                INVALID,
                "$LATEST version cannot be deleted without deleting the function.".to_owned(),
            ),
            ("DELETE", "/none", 404, MISSING, format!("Function not found: {ARN}:none")),
            ("GET", "/Items/aliases/dev", 404, MISSING, format!("Cannot find alias arn: {ARN}:Items:dev")),
            ("GET", "/none/policy", 404, MISSING, "The resource you requested does not exist.".to_owned()),
            ("DELETE", "/none/policy/s", 404, MISSING, format!("No policy found for: {ARN}:none")),
            ("DELETE", "/Items/policy/s", 404, MISSING, "No policy is associated with the given resource.".to_owned()),
            (
                "DELETE",
                "/Items/policy/s?Qualifier=dev",
                404,
                MISSING,
                format!("Cannot find alias arn: {ARN}:Items:dev"),
            ),
            ("GET", "/Items/versions?Marker=x", 400, INVALID, "marker".to_owned()),
        ] {
            let reply = client.ask(method, path, Value::Null).await;
            let (found_status, found_code, found_text) = reply.error();
            assert_eq!((found_status, found_code.as_str()), (status, code), "{method} {path}: {found_text}");
            assert!(found_text.contains(&text), "{method} {path}: {found_text}");
        }
    });
}

#[test]
fn bodies_are_refused() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        client.create("Items", "def handler(e, c): return 1\n").await;
        client.ask("POST", "/Items/versions", json!({})).await;
        client.ask("POST", "/Items/aliases", json!({"Name": "dev", "FunctionVersion": "1"})).await;
        let permission =
            json!({"StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"});
        let with = |name: &str, value: &str| {
            let mut permission = permission.clone();
            permission[name] = json!(value);
            permission
        };
        client.ask("POST", "/Items/policy", permission.clone()).await;
        for (method, path, body, status, code, text) in [
            (
                "POST",
                "/Items/versions",
                json!({"CodeSha256": "wrong"}),
                400,
                INVALID,
                "CodeSHA256 (wrong) is different from current CodeSHA256 in $LATEST (",
            ),
            (
                "POST",
                "/Items/versions",
                json!({"RevisionId": "wrong"}),
                412,
                "PreconditionFailedException",
                "The Revision Id provided does not match the latest Revision Id.",
            ),
            (
                "POST",
                "/Items/aliases",
                json!({"Name": "x", "FunctionVersion": "9"}),
                404,
                MISSING,
                "Function not found: arn:aws:lambda:us-east-1:000000000000:function:Items:9",
            ),
            (
                "POST",
                "/Items/aliases",
                json!({"Name": "2024", "FunctionVersion": "1"}),
                400,
                "ValidationException",
                "at 'name' failed to satisfy constraint",
            ),
            (
                "POST",
                "/Items/aliases",
                json!({"Name": "x", "FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}}}),
                400,
                INVALID,
                "Invalid function version 1. Function version 1 is already included in routing configuration.",
            ),
            (
                "POST",
                "/Items/aliases",
                json!({"Name": "x", "FunctionVersion": "$LATEST", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}}}),
                400,
                INVALID,
                "$LATEST is not supported for an alias pointing to more than 1 version",
            ),
            (
                "POST",
                "/Items/aliases",
                json!({"Name": "x", "FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5, "2": 0.1}}}),
                400,
                INVALID,
                "Number of items in AdditionalVersionWeights cannot be greater than 1",
            ),
            (
                "PUT",
                "/Items/aliases/none",
                json!({}),
                404,
                MISSING,
                "Cannot find alias arn: arn:aws:lambda:us-east-1:000000000000:function:Items:none",
            ),
            (
                "PUT",
                "/Items/aliases/dev",
                json!({"RevisionId": "wrong"}),
                412,
                "PreconditionFailedException",
                "The Revision Id",
            ),
            ("PUT", "/none/code", json!({"ZipFile": "eA=="}), 404, MISSING, "Function not found"),
            (
                "PUT",
                "/Items/code",
                json!({"ImageUri": "x"}),
                400,
                INVALID,
                "Please don't provide ImageUri when updating a function with packageType Zip.",
            ),
            ("PUT", "/Items/code", json!({"ZipFile": "eA=="}), 400, INVALID, "Could not unzip uploaded file."),
            (
                "PUT",
                "/Items/configuration",
                json!({"Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:l:1"]}),
                400,
                INVALID,
                "does not exist",
            ),
            (
                "POST",
                "/Items/policy",
                permission.clone(),
                409,
                "ResourceConflictException",
                "The statement id (s3) provided already exists. Please provide a new statement id, or remove the existing statement.",
            ),
            (
                "POST",
                "/Items/policy",
                with("StatementId", "example.com"),
                400,
                "ValidationException",
                "at 'statementId' failed to satisfy constraint: Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)",
            ),
            (
                "POST",
                "/Items/policy",
                with("Principal", "invalid.nonaws.com"),
                400,
                INVALID,
                "The provided principal was invalid. Please check the principal and try again.",
            ),
            (
                "POST",
                "/Items/policy?Qualifier=%24LATEST",
                with("StatementId", "x"),
                400,
                INVALID,
                "We currently do not support adding policies for $LATEST.",
            ),
            (
                "POST",
                "/Items/policy?Qualifier=42",
                with("StatementId", "x"),
                404,
                MISSING,
                "Function not found: arn:aws:lambda:us-east-1:000000000000:function:Items:42",
            ),
            (
                "POST",
                "/Items/policy?Qualifier=none",
                with("StatementId", "x"),
                404,
                MISSING,
                "Cannot find alias arn: arn:aws:lambda:us-east-1:000000000000:function:Items:none",
            ),
            (
                "POST",
                "/Items/policy?Qualifier=a-%24-b",
                with("StatementId", "x"),
                404,
                MISSING,
                "Function not found: arn:aws:lambda:us-east-1:000000000000:function:Items:a-$-b",
            ),
            (
                "POST",
                "/none/policy",
                with("StatementId", "x"),
                404,
                MISSING,
                "Function not found: arn:aws:lambda:us-east-1:000000000000:function:none",
            ),
            (
                "POST",
                "/Items/policy",
                with("RevisionId", "wrong"),
                412,
                "PreconditionFailedException",
                "Call the GetPolicy API",
            ),
            (
                "DELETE",
                "/Items/policy/none",
                Value::Null,
                404,
                MISSING,
                "Statement none is not found in resource policy.",
            ),
        ] {
            let what = format!("{method} {path} {body}");
            let reply = client.ask(method, path, body).await;
            let (found_status, found_code, found_text) = reply.error();
            assert_eq!((found_status, found_code.as_str()), (status, code), "{what}: {found_text}");
            assert!(found_text.contains(text), "{what}: {found_text}");
        }
    });
}

#[test]
fn invocations_are_refused() {
    on_data_thread(|lab| async move {
        let client = Client::of(&lab);
        client.create("Items", "def handler(e, c): return 1\n").await;
        let invoke = async |path: &str, headers: &[(&str, &str)], body: &[u8]| {
            client.send("POST", path, headers, Bytes::copy_from_slice(body)).await
        };
        let missing = format!("Function not found: {ARN}:none:$LATEST");
        refused(&invoke("/none/invocations", &[], b"{}").await, 404, MISSING, &missing);
        let dry = [("x-amz-invocation-type", "DryRun")];
        refused(&invoke("/none/invocations", &dry, b"{}").await, 404, MISSING, &missing);
        let missing = format!("Function not found: {ARN}:Items:dev");
        refused(&invoke("/Items/invocations?Qualifier=dev", &[], b"{}").await, 404, MISSING, &missing);
        let event = [("x-amz-invocation-type", "Event")];
        refused(
            &invoke("/none/invocations", &event, b"{}").await,
            404,
            MISSING,
            &format!("Function not found: {ARN}:none:$LATEST"),
        );
        let unread = "Could not parse request body into json: Could not parse payload into json: Unexpected character ((CTRL-CHAR, code 153)): expected a valid value";
        refused(&invoke("/Items/invocations", &[], b"\x99").await, 400, "InvalidRequestContentException", unread);
        let long = vec![b' '; 6_291_457];
        refused(
            &invoke("/Items/invocations", &[], &long).await,
            413,
            "RequestTooLargeException",
            "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
        );
        let context = [("x-amz-client-context", "!")];
        refused(
            &invoke("/Items/invocations", &context, b"{}").await,
            400,
            "InvalidRequestContentException",
            "Client context",
        );
    });
}
