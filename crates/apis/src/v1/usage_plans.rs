//! Usage plans. None can be made in this version, so there are none to list.

use model_apigateway as model;
use store::Scope;

use super::page::page;
use crate::Apis;
use crate::refusal::Answer;

impl Apis {
    pub(crate) async fn get_usage_plans(
        &self,
        _scope: &Scope,
        input: model::GetUsagePlansRequest,
    ) -> Answer<model::UsagePlans> {
        let (items, position) = page(Vec::new(), |_| String::new(), input.position.as_deref(), input.limit)?;
        Ok(model::UsagePlans { position, items: Some(items) })
    }
}
