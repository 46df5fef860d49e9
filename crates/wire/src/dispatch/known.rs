//! What AWS calls its services in signatures, targets, versions and paths, so that errors can name them.

/// Signing names that differ from the name of the service.
const SIGNING_NAMES: &[(&str, &str)] = &[
    ("monitoring", "cloudwatch"),
    ("email", "ses"),
    ("states", "stepfunctions"),
    ("execute-api", "apigatewaymanagementapi"),
    ("cognito-identity", "cognito-identity"),
    ("tagging", "resourcegroupstaggingapi"),
];

/// What stands before the dot in `X-Amz-Target`; also the service in an rpc-v2 path.
const TARGET_PREFIXES: &[(&str, &str)] = &[
    ("AWSCognitoIdentityProviderService", "cognito-idp"),
    ("AWSCognitoIdentityService", "cognito-identity"),
    ("AWSEvents", "events"),
    ("AWSStepFunctions", "stepfunctions"),
    ("AWSWAF_20190729", "wafv2"),
    ("AmazonAthena", "athena"),
    ("AmazonEC2ContainerRegistry_V20150921", "ecr"),
    ("AmazonEC2ContainerServiceV20141113", "ecs"),
    ("AmazonSQS", "sqs"),
    ("AmazonSSM", "ssm"),
    ("CertificateManager", "acm"),
    ("DynamoDBStreams_20120810", "dynamodbstreams"),
    ("DynamoDB_20120810", "dynamodb"),
    ("Firehose_20150804", "firehose"),
    ("GraniteServiceVersion20100801", "cloudwatch"),
    ("Kinesis_20131202", "kinesis"),
    ("Logs_20140328", "logs"),
    ("TrentService", "kms"),
    ("secretsmanager", "secretsmanager"),
];

/// API versions of query-protocol services.
const QUERY_VERSIONS: &[(&str, &str)] = &[
    ("2010-03-31", "sns"),
    ("2010-05-08", "iam"),
    ("2010-05-15", "cloudformation"),
    ("2010-08-01", "cloudwatch"),
    ("2010-12-01", "ses"),
    ("2011-01-01", "autoscaling"),
    ("2011-06-15", "sts"),
    ("2012-11-05", "sqs"),
    ("2014-10-31", "rds"),
    ("2015-02-02", "elasticache"),
    ("2015-12-01", "elbv2"),
    ("2016-11-15", "ec2"),
];

/// First segments of paths that belong to API Gateway.
const API_GATEWAY_PATHS: &[&str] = &[
    "account",
    "apikeys",
    "clientcertificates",
    "domainnameaccessassociations",
    "domainnames",
    "rejectdomainnameaccessassociations",
    "restapis",
    "sdktypes",
    "tags",
    "usageplans",
    "vpclinks",
];

/// The service of a signing name. API Gateway's two APIs share one and are told apart by the path.
pub(super) fn by_signing_name(name: &str, path: &str) -> Option<String> {
    if name == "apigateway" {
        let second = path == "/v2" || path.starts_with("/v2/");
        return Some(if second { "apigatewayv2" } else { "apigateway" }.into());
    }
    let known = SIGNING_NAMES.iter().find(|(signing, _)| *signing == name);
    Some(known.map_or(name, |(_, service)| service).into())
}

/// The service of a target prefix; an unknown prefix stands for itself.
pub(super) fn by_target_prefix(prefix: &str) -> String {
    let known = TARGET_PREFIXES.iter().find(|(target, _)| *target == prefix);
    known.map_or(prefix, |(_, service)| service).into()
}

/// The service of a query-protocol version.
pub(super) fn by_query_version(version: Option<&str>) -> &'static str {
    let known = QUERY_VERSIONS.iter().find(|(known, _)| Some(*known) == version);
    known.map_or("the service", |(_, service)| service)
}

/// The service that a path belongs to, though it has no such operation: its first segment is a date (Lambda) or one of
/// API Gateway's.
pub(super) fn by_path(path: &str) -> Option<&'static str> {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let date = first.len() == 10
        && first.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if date {
        return Some("lambda");
    }
    API_GATEWAY_PATHS.contains(&first).then_some("apigateway")
}
