//! ARNs of managed policies: an account's own, and AWS's, of which the names are known here.

use base::arn::Arn;
use wire::ApiError;

use super::refusals;

/// Names of AWS's managed policies, see its first lines.
const AWS_POLICIES: &str = include_str!("managed_policies.txt");

/// What the ARN of a managed policy names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PolicyName<'a> {
    /// One that AWS has, under a path that it may have.
    Aws { path: &'a str, name: &'a str },
    /// One that only a service may attach to its own role.
    ServiceLinked,
    /// One of an account, if there is such a policy.
    Account { account: &'a str, name: &'a str },
    /// None that AWS has.
    Unknown,
}

impl<'a> PolicyName<'a> {
    /// Reads an ARN.
    ///
    /// # Errors
    /// When it is no ARN, or no managed policy's.
    pub(crate) fn parse(text: &'a str) -> Result<Self, ApiError> {
        let arn = Arn::parse(text).ok_or_else(refusals::no_arn)?;
        let wrong = || refusals::no_policy_arn(text);
        let resource = arn.resource.strip_prefix("policy").ok_or_else(wrong)?;
        let (path, name) = resource.rsplit_once('/').ok_or_else(wrong)?;
        // What stands between `policy` and the name is the path, which begins and ends with the slashes around it.
        let path = &resource[..path.len() + 1];
        if !arn.partition.starts_with("aws") || arn.service != "iam" || !arn.region.is_empty() || name.is_empty() {
            return Err(wrong());
        }
        Ok(match arn.account {
            "aws" if path == "/aws-service-role/" => Self::ServiceLinked,
            "aws" if aws_has(path, name) => Self::Aws { path, name },
            "aws" => Self::Unknown,
            account if account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()) => {
                Self::Account { account, name }
            }
            _ => return Err(wrong()),
        })
    }
}

/// ARN of an account's policy; `path` begins and ends with a slash.
pub(crate) fn policy_arn(account: &str, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:policy{path}{name}")
}

fn aws_has(path: &str, name: &str) -> bool {
    AWS_POLICIES.lines().filter(|line| !line.starts_with('#')).any(|line| match line.rsplit_once('/') {
        Some((known_path, known_name)) => {
            known_name == name && path.strip_prefix('/').and_then(|path| path.strip_suffix('/')) == Some(known_path)
        }
        None => line == name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awss_policies_are_known_by_name_and_path() {
        let parse = PolicyName::parse;
        let aws = |path, name| Ok::<_, String>(PolicyName::Aws { path, name });
        let told = |arn| parse(arn).map_err(|error| error.to_string());
        assert_eq!(told("arn:aws:iam::aws:policy/AdministratorAccess"), aws("/", "AdministratorAccess"));
        assert_eq!(
            told("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"),
            aws("/service-role/", "AWSLambdaBasicExecutionRole")
        );
        assert_eq!(told("arn:aws:iam::aws:policy/AWSLambdaBasicExecutionRole"), Ok(PolicyName::Unknown));
        assert_eq!(told("arn:aws:iam::aws:policy/AdministratorAcces"), Ok(PolicyName::Unknown));
        assert_eq!(told("arn:aws:iam::aws:policy/# Names"), Ok(PolicyName::Unknown));
        assert_eq!(
            told("arn:aws:iam::aws:policy/aws-service-role/APIGatewayServiceRolePolicy"),
            Ok(PolicyName::ServiceLinked)
        );
    }

    #[test]
    fn an_accounts_policies_may_have_a_path() {
        let account = "000000000000";
        for path in ["/", "/a/", "/a/b/"] {
            let arn = policy_arn(account, path, "Items");
            assert_eq!(PolicyName::parse(&arn).unwrap(), PolicyName::Account { account, name: "Items" });
        }
    }

    #[test]
    fn what_is_no_policys_arn_is_refused() {
        for (arn, text) in [
            ("arn-of-nothing-at-all", "Invalid ARN:  Could not be parsed!"),
            ("arn:aws:iam::000000000000:role/Items", "ARN arn:aws:iam::000000000000:role/Items is not valid."),
            ("arn:aws:iam::000000000000:policy/", "ARN arn:aws:iam::000000000000:policy/ is not valid."),
            ("arn:aws:iam::0000:policy/Items", "ARN arn:aws:iam::0000:policy/Items is not valid."),
            ("arn:aws:s3::000000000000:policy/Items", "ARN arn:aws:s3::000000000000:policy/Items is not valid."),
        ] {
            assert_eq!(PolicyName::parse(arn).unwrap_err().message(), text);
        }
    }
}
