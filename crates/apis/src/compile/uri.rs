//! The addresses of AWS integrations, and stage variables in addresses.

use super::Variables;

/// `arn:{partition}:apigateway:{region}:{subdomain.service|service}:{path|action}/{rest}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AwsUri<'a> {
    /// The region.
    pub(crate) region: &'a str,
    /// The service, with its subdomain if it has one.
    pub(crate) service: &'a str,
    /// `action` rather than `path`.
    pub(crate) is_action: bool,
    /// What follows `path/` or `action/`.
    pub(crate) rest: &'a str,
}

/// Why an address is not one of an AWS integration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AwsUriError {
    NotAnArn,
    NeitherPathNorAction,
}

impl<'a> AwsUri<'a> {
    /// Takes an address apart.
    pub(crate) fn parse(uri: &'a str) -> Result<AwsUri<'a>, AwsUriError> {
        let parts: Vec<&str> = uri.splitn(6, ':').collect();
        let ["arn", partition, kind, region, service, rest] = parts.as_slice() else {
            return Err(AwsUriError::NotAnArn);
        };
        if partition.is_empty() {
            return Err(AwsUriError::NotAnArn);
        }
        let (is_action, rest) = match (rest.strip_prefix("path/"), rest.strip_prefix("action/")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(AwsUriError::NeitherPathNorAction),
        };
        match *kind == "apigateway" {
            true => Ok(AwsUri { region, service, is_action, rest }),
            false => Err(AwsUriError::NeitherPathNorAction),
        }
    }

    /// The ARN of the Lambda function that the address invokes. Stage variables may stand in it.
    pub(crate) fn lambda_function(&self) -> Option<&'a str> {
        if self.service != "lambda" || self.is_action {
            return None;
        }
        let function = self.rest.strip_prefix("2015-03-31/functions/")?.strip_suffix("/invocations")?;
        (!function.is_empty()).then_some(function)
    }

    /// The ARN of the Lambda function whose answer the address streams. Stage variables may stand in it.
    pub(crate) fn lambda_stream(&self) -> Option<&'a str> {
        if self.service != "lambda" || self.is_action {
            return None;
        }
        let function =
            self.rest.strip_prefix("2021-11-15/functions/")?.strip_suffix("/response-streaming-invocations")?;
        (!function.is_empty()).then_some(function)
    }
}

/// Replaces each `${stageVariables.name}` by the stage's value; one that the stage has not becomes nothing.
pub(crate) fn fill(text: &str, variables: &Variables) -> String {
    const OPEN: &str = "${stageVariables.";
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find(OPEN) {
        let name_on = &rest[open + OPEN.len()..];
        let Some(close) = name_on.find('}') else { break };
        filled.push_str(&rest[..open]);
        filled.push_str(variables.get(&name_on[..close]).map_or("", |value| value));
        rest = &name_on[close + 1..];
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_aws_addresses_apart() {
        let lambda =
            "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:0:function:f";
        let whole = format!("{lambda}:${{stageVariables.alias}}/invocations");
        assert_eq!(
            AwsUri::parse(&whole).unwrap().lambda_function(),
            Some("arn:aws:lambda:us-east-1:0:function:f:${stageVariables.alias}")
        );
        for (uri, expected) in [
            (lambda, Ok(None)),
            ("arn:aws:apigateway:r:lambda:path/random/value/invocations", Ok(None)),
            ("arn:aws:apigateway:r:s3:path/b/k", Ok(None)),
            ("arn:aws:apigateway:r:firehose:action/PutRecord", Ok(None)),
            (
                "arn:aws:apigateway:r:lambda:test/2015-03-31/functions/f/invocations",
                Err(AwsUriError::NeitherPathNorAction),
            ),
            ("arn:aws:lambda:us-east-1:000000000000:function:f", Err(AwsUriError::NeitherPathNorAction)),
            ("lambda", Err(AwsUriError::NotAnArn)),
            ("", Err(AwsUriError::NotAnArn)),
        ] {
            assert_eq!(AwsUri::parse(uri).map(|uri| uri.lambda_function()), expected, "{uri}");
        }
    }

    #[test]
    fn knows_a_function_that_streams_by_its_address() {
        let stream = "arn:aws:apigateway:r:lambda:path/2021-11-15/functions/f:${stageVariables.alias}/response-streaming-invocations";
        let uri = AwsUri::parse(stream).unwrap();
        assert_eq!((uri.lambda_stream(), uri.lambda_function()), (Some("f:${stageVariables.alias}"), None));
        let whole = "arn:aws:apigateway:r:lambda:path/2015-03-31/functions/f/invocations";
        assert_eq!(AwsUri::parse(whole).unwrap().lambda_stream(), None);
        let nothing = "arn:aws:apigateway:r:lambda:path/2021-11-15/functions//response-streaming-invocations";
        assert_eq!(AwsUri::parse(nothing).unwrap().lambda_stream(), None);
    }

    #[test]
    fn fills_stage_variables_in() {
        let variables: Variables = [("alias".into(), "dev".into()), ("host".into(), "h:1".into())].into();
        for (text, expected) in [
            ("f:${stageVariables.alias}", "f:dev"),
            ("http://${stageVariables.host}/${stageVariables.alias}/x", "http://h:1/dev/x"),
            ("f:${stageVariables.unknown}", "f:"),
            ("f:${stageVariables.alias", "f:${stageVariables.alias"),
            ("{name}${other}", "{name}${other}"),
        ] {
            assert_eq!(fill(text, &variables), expected);
        }
    }
}
