//! The ways to name a layer: its name, its ARN, and the ARN of one of its versions.

use store::Scope;

/// A layer and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LayerName {
    /// Its owner and region.
    pub(crate) scope: Scope,
    /// `LayerName`.
    pub(crate) name: String,
}

impl LayerName {
    /// Reads a name or an ARN, which have passed the model's pattern; a bare name is one of `own`.
    pub(crate) fn read(own: &Scope, text: &str) -> LayerName {
        match take_apart(text) {
            Some((scope, name, _)) => LayerName { scope, name: name.to_owned() },
            None => LayerName { scope: own.clone(), name: text.to_owned() },
        }
    }

    /// Reads the ARN of a version; nothing where that is none, or its number beyond any that is given out.
    pub(crate) fn read_version(arn: &str) -> Option<(LayerName, u64)> {
        let (scope, name, version) = take_apart(arn)?;
        Some((LayerName { scope, name: name.to_owned() }, version?.parse().ok()?))
    }

    /// The layer's ARN.
    pub(crate) fn arn(&self) -> String {
        format!("arn:aws:lambda:{}:{}:layer:{}", self.scope.region, self.scope.account, self.name)
    }

    /// The ARN of a version.
    pub(crate) fn version_arn(&self, number: impl std::fmt::Display) -> String {
        format!("{}:{number}", self.arn())
    }
}

/// Takes `arn:aws:lambda:region:account:layer:name[:version]` apart.
fn take_apart(arn: &str) -> Option<(Scope, &str, Option<&str>)> {
    let mut parts = arn.split(':');
    let (_, _, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, kind, name) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let version = parts.next();
    (service == "lambda" && kind == "layer").then(|| (Scope::new(account, region), name, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_arns_are_read() {
        let own = Scope::new("000000000000", "us-east-1");
        let plain = LayerName::read(&own, "tools");
        assert_eq!(plain.arn(), "arn:aws:lambda:us-east-1:000000000000:layer:tools");
        assert_eq!(LayerName::read(&own, &plain.arn()), plain);
        let (other, number) = LayerName::read_version("arn:aws:lambda:eu-west-1:111111111111:layer:x:12").unwrap();
        assert_eq!((&*other.scope.account, &*other.scope.region, &*other.name), ("111111111111", "eu-west-1", "x"));
        assert_eq!(
            (number, other.version_arn(12)),
            (12, "arn:aws:lambda:eu-west-1:111111111111:layer:x:12".to_owned())
        );
        assert_eq!(LayerName::read_version(&plain.arn()), None);
        assert_eq!(LayerName::read_version(&plain.version_arn("99999999999999999999999")), None);
    }
}
