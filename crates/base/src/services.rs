//! AWS's services by their names: the one of the command line, of host names, of signatures, of wire protocols.

/// A service that we know by name. Others are called by whatever name a caller gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownService {
    /// The name that the AWS CLI has for it: `stepfunctions`.
    pub name: &'static str,
    /// What stands for it in host names and in the addresses of integrations: `states`.
    pub endpoint: &'static str,
    /// What stands for it in the scope of a signature: `states`.
    pub signing: &'static str,
    /// For the JSON protocols: what stands before the dot in `X-Amz-Target`, and the protocol's version.
    pub target: Option<(&'static str, JsonVersion)>,
    /// For the query protocol: the version of the API.
    pub query_version: Option<&'static str>,
}

/// The versions of AWS's JSON protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonVersion {
    /// `application/x-amz-json-1.0`.
    V10,
    /// `application/x-amz-json-1.1`.
    V11,
}

impl JsonVersion {
    /// The content type of requests.
    pub fn content_type(self) -> &'static str {
        match self {
            V10 => "application/x-amz-json-1.0",
            V11 => "application/x-amz-json-1.1",
        }
    }
}

use JsonVersion::{V10, V11};

type Target = Option<(&'static str, JsonVersion)>;

const fn row(
    (name, endpoint, signing): (&'static str, &'static str, &'static str),
    target: Target,
    query_version: Option<&'static str>,
) -> KnownService {
    KnownService { name, endpoint, signing, target, query_version }
}

const fn json(name: &'static str, prefix: &'static str, version: JsonVersion) -> KnownService {
    row((name, name, name), Some((prefix, version)), None)
}

const fn query(name: &'static str, version: &'static str) -> KnownService {
    row((name, name, name), None, Some(version))
}

const fn rest(name: &'static str, endpoint: &'static str, signing: &'static str) -> KnownService {
    row((name, endpoint, signing), None, None)
}

/// The services, by name.
pub const KNOWN: &[KnownService] = &[
    json("acm", "CertificateManager", V11),
    rest("apigateway", "apigateway", "apigateway"),
    rest("apigatewaymanagementapi", "execute-api", "execute-api"),
    rest("apigatewayv2", "apigateway", "apigateway"),
    rest("appsync", "appsync-api", "appsync"),
    json("athena", "AmazonAthena", V11),
    query("autoscaling", "2011-01-01"),
    rest("batch", "batch", "batch"),
    rest("bedrock-runtime", "bedrock-runtime", "bedrock"),
    query("cloudformation", "2010-05-15"),
    row(("cloudwatch", "monitoring", "monitoring"), Some(("GraniteServiceVersion20100801", V10)), Some("2010-08-01")),
    json("codebuild", "CodeBuild_20161006", V11),
    json("cognito-identity", "AWSCognitoIdentityService", V11),
    json("cognito-idp", "AWSCognitoIdentityProviderService", V11),
    json("dynamodb", "DynamoDB_20120810", V10),
    row(("dynamodbstreams", "streams.dynamodb", "dynamodb"), Some(("DynamoDBStreams_20120810", V10)), None),
    query("ec2", "2016-11-15"),
    row(("ecr", "api.ecr", "ecr"), Some(("AmazonEC2ContainerRegistry_V20150921", V11)), None),
    json("ecs", "AmazonEC2ContainerServiceV20141113", V11),
    query("elasticache", "2015-02-02"),
    row(("elbv2", "elasticloadbalancing", "elasticloadbalancing"), None, Some("2015-12-01")),
    json("events", "AWSEvents", V11),
    json("firehose", "Firehose_20150804", V11),
    json("glue", "AWSGlue", V11),
    query("iam", "2010-05-08"),
    rest("iot-data", "data.iot", "iotdata"),
    json("kinesis", "Kinesis_20131202", V11),
    json("kms", "TrentService", V11),
    rest("lambda", "lambda", "lambda"),
    json("logs", "Logs_20140328", V11),
    query("rds", "2014-10-31"),
    row(("resourcegroupstaggingapi", "tagging", "tagging"), Some(("ResourceGroupsTaggingAPI_20170126", V11)), None),
    rest("s3", "s3", "s3"),
    rest("sagemaker-runtime", "runtime.sagemaker", "sagemaker"),
    json("secretsmanager", "secretsmanager", V11),
    row(("ses", "email", "ses"), None, Some("2010-12-01")),
    query("sns", "2010-03-31"),
    row(("sqs", "sqs", "sqs"), Some(("AmazonSQS", V10)), Some("2012-11-05")),
    json("ssm", "AmazonSSM", V11),
    row(("stepfunctions", "states", "states"), Some(("AWSStepFunctions", V10)), None),
    query("sts", "2011-06-15"),
    json("wafv2", "AWSWAF_20190729", V11),
    rest("xray", "xray", "xray"),
];

/// The services whose APIs Frontgate has itself.
pub const OWN: &[&str] = &["apigateway", "iam", "lambda", "sts"];

/// The service of that name, on the command line, in host names or in signatures; in this order.
pub fn by_any_name(name: &str) -> Option<&'static KnownService> {
    let find = |key: fn(&KnownService) -> &'static str| KNOWN.iter().find(|known| key(known) == name);
    find(|known| known.name).or_else(|| find(|known| known.endpoint)).or_else(|| find(|known| known.signing))
}

/// The service that a signature's scope names.
pub fn by_signing_name(name: &str) -> Option<&'static KnownService> {
    let exact = KNOWN.iter().find(|known| known.signing == name && known.name == name);
    exact.or_else(|| KNOWN.iter().find(|known| known.signing == name))
}

/// The name that the command line has for a service; a name that we do not know stands for itself.
pub fn canonical_name(name: &str) -> &str {
    by_any_name(name).map_or(name, |known| known.name)
}

/// The service that a host names, and a bucket in front of it: `sqs.us-east-1.localhost.localstack.cloud`,
/// `s3.localhost`, `bucket.s3.localhost`. Hosts are compared in lower case and without a port.
pub fn of_host(host: &str) -> Option<&'static KnownService> {
    let labels: Vec<&str> = host.split('.').collect();
    let find = |endpoint: &str| KNOWN.iter().find(|known| known.endpoint == endpoint);
    let (first, rest) = labels.split_first()?;
    if rest.is_empty() {
        return None;
    }
    let two = rest.first().filter(|_| rest.len() > 1).and_then(|second| find(&format!("{first}.{second}")));
    // Names of buckets have dots, too; behind the service there is a name at least.
    let has_bucket = || rest[..rest.len() - 1].contains(&"s3");
    two.or_else(|| find(first)).or_else(|| if has_bucket() { find("s3") } else { None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_to_the_service() {
        for (name, expected) in [
            ("stepfunctions", "stepfunctions"),
            ("states", "stepfunctions"),
            ("monitoring", "cloudwatch"),
            ("email", "ses"),
            ("execute-api", "apigatewaymanagementapi"),
            ("apigateway", "apigateway"),
            ("dynamodb", "dynamodb"),
            ("wavelengths", "wavelengths"),
        ] {
            assert_eq!(canonical_name(name), expected, "{name}");
        }
        assert_eq!(by_signing_name("dynamodb").map(|known| known.name), Some("dynamodb"));
        assert_eq!(by_signing_name("sagemaker").map(|known| known.name), Some("sagemaker-runtime"));
    }

    #[test]
    fn the_table_is_in_order_and_names_each_once() {
        assert!(KNOWN.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(OWN.iter().all(|own| by_any_name(own).is_some_and(|known| known.name == *own)));
    }

    #[test]
    fn hosts_name_services() {
        for (host, expected) in [
            ("sqs.us-east-1.localhost.localstack.cloud", Some("sqs")),
            ("states.localhost", Some("stepfunctions")),
            ("s3.localhost", Some("s3")),
            ("s3.eu-west-1.amazonaws.com", Some("s3")),
            ("bucket.s3.localhost", Some("s3")),
            ("my.bucket.s3.us-east-1.localhost.localstack.cloud", Some("s3")),
            ("streams.dynamodb.us-east-1.amazonaws.com", Some("dynamodbstreams")),
            ("localhost", None),
            ("s3", None),
            ("bucket.s3", None),
            ("localhost.localstack.cloud", None),
            ("127.0.0.1", None),
            ("", None),
        ] {
            assert_eq!(of_host(host).map(|known| known.name), expected, "{host}");
        }
    }
}
