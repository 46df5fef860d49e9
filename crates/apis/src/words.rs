//! AWS's closed vocabularies as types, spelt on the wire and in the store as AWS spells them.

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$note:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub(crate) enum $name {
            $($(#[$note])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every word, in the order in which AWS lists them.
            pub(crate) const ALL: &'static [$name] = &[$($name::$variant,)+];

            /// As AWS spells it.
            pub(crate) fn text(self) -> &'static str {
                match self {
                    $($name::$variant => $text,)+
                }
            }

            /// The word of that spelling.
            pub(crate) fn parse(text: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|word| word.text() == text)
            }
        }
    };
}

words! {
    /// How clients reach an API. `EDGE` behaves as `REGIONAL` here.
    EndpointType { Regional = "REGIONAL", Edge = "EDGE", Private = "PRIVATE", }
}

words! {
    /// Which versions of IP reach an API.
    IpAddressType { Ipv4 = "ipv4", Dualstack = "dualstack", }
}

words! {
    /// What stands behind a method.
    IntegrationType { Http = "HTTP", Mock = "MOCK", AwsProxy = "AWS_PROXY", HttpProxy = "HTTP_PROXY", Aws = "AWS", }
}

words! {
    /// What becomes of a body that no template matches.
    Passthrough { WhenNoMatch = "WHEN_NO_MATCH", WhenNoTemplates = "WHEN_NO_TEMPLATES", Never = "NEVER", }
}

words! {
    /// Conversion of a body between bytes and Base64 text.
    ContentHandling { ToBinary = "CONVERT_TO_BINARY", ToText = "CONVERT_TO_TEXT", }
}

words! {
    /// The network in which an HTTP backend is reached.
    #[derive(Default)]
    Connection { #[default] Internet = "INTERNET", VpcLink = "VPC_LINK", }
}

impl Connection {
    /// Whether no VPC link is used.
    pub(crate) fn is_internet(&self) -> bool {
        *self == Connection::Internet
    }
}

words! {
    /// How an authorizer decides.
    AuthorizerType { Token = "TOKEN", Request = "REQUEST", CognitoUserPools = "COGNITO_USER_POOLS", }
}

/// The verbs that a method may have, in the order of AWS's message.
pub(crate) const VERBS: [&str; 8] = ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY"];

impl IntegrationType {
    /// Whether the client's request and the backend's answer pass without integration responses.
    pub(crate) fn is_proxy(self) -> bool {
        matches!(self, IntegrationType::AwsProxy | IntegrationType::HttpProxy)
    }

    /// Whether the backend is an HTTP endpoint.
    pub(crate) fn is_http(self) -> bool {
        matches!(self, IntegrationType::Http | IntegrationType::HttpProxy)
    }

    /// Whether the backend is an AWS service.
    pub(crate) fn is_aws(self) -> bool {
        matches!(self, IntegrationType::Aws | IntegrationType::AwsProxy)
    }
}
