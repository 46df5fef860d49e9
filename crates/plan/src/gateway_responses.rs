//! What an API answers in place of the gateway's own error bodies: its gateway responses, compiled.

use http::{HeaderName, StatusCode};
use templates::mapping::Source;
use templates::plain::PlainTemplate;

/// The gateway responses that an API's owner has defined, by response type (`MISSING_AUTHENTICATION_TOKEN`, ...).
#[derive(Debug)]
pub struct GatewayResponses {
    defined: Vec<(Box<str>, GatewayResponsePlan)>,
}

/// One gateway response, ready to be rendered.
#[derive(Debug)]
pub struct GatewayResponsePlan {
    /// The status; without one, each refusal keeps its own.
    pub status: Option<StatusCode>,
    /// `gatewayresponse.header.NAME` and where its value comes from.
    pub headers: Vec<(HeaderName, Source)>,
    /// Those of the headers' names that were not written as [`crate::spelling`] has it.
    pub spelled: Vec<Box<str>>,
    /// Templates by media type, in the order in which they were given; never empty.
    pub templates: Vec<(Box<str>, PlainTemplate)>,
}

impl GatewayResponses {
    /// Gathers what is defined; `None` where nothing is, so that such an API pays for nothing.
    pub fn new(defined: impl IntoIterator<Item = (Box<str>, GatewayResponsePlan)>) -> Option<Box<GatewayResponses>> {
        let defined: Vec<_> = defined.into_iter().collect();
        (!defined.is_empty()).then(|| Box::new(GatewayResponses { defined }))
    }

    /// What answers a refusal of that type, whose own status is `status`: the type's definition, else that of
    /// `DEFAULT_4XX` or `DEFAULT_5XX`.
    pub fn find(&self, response_type: &str, status: StatusCode) -> Option<&GatewayResponsePlan> {
        let fallback = if status.is_server_error() { "DEFAULT_5XX" } else { "DEFAULT_4XX" };
        self.get(response_type).or_else(|| self.get(fallback))
    }

    fn get(&self, response_type: &str) -> Option<&GatewayResponsePlan> {
        self.defined.iter().find(|(known, _)| known.as_ref() == response_type).map(|(_, plan)| plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(status: u16) -> GatewayResponsePlan {
        GatewayResponsePlan {
            status: StatusCode::from_u16(status).ok(),
            headers: Vec::new(),
            spelled: Vec::new(),
            templates: Vec::new(),
        }
    }

    #[test]
    fn a_type_falls_back_to_its_family_and_to_no_other() {
        assert!(GatewayResponses::new([]).is_none());
        let defined = [("THROTTLED".into(), plan(430)), ("DEFAULT_5XX".into(), plan(599))];
        let responses = GatewayResponses::new(defined).unwrap();
        let found = |kind, status| {
            let found = responses.find(kind, StatusCode::from_u16(status).unwrap());
            found.and_then(|plan| plan.status).map(|status| status.as_u16())
        };
        assert_eq!(found("THROTTLED", 429), Some(430));
        assert_eq!(found("INTEGRATION_TIMEOUT", 504), Some(599));
        assert_eq!(found("DEFAULT_5XX", 500), Some(599));
        assert_eq!(found("MISSING_AUTHENTICATION_TOKEN", 403), None);
        assert_eq!(found("DEFAULT_4XX", 400), None);
    }
}
