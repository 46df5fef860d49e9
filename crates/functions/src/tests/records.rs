//! The documents of every released version stay readable: one file a record type and schema version, never rewritten.

use serde_json::Value;
use store::Record;

use crate::concurrency::{ProvisionedRecord, ReservedRecord};
use crate::event_invoke::EventInvokeRecord;
use crate::layers::{LayerRecord, LayerVersionRecord};
use crate::records::{AliasRecord, FunctionRecord, PolicyRecord, QueuedEvent, QueuedInvocation, VersionRecord};
use crate::urls::UrlRecord;

fn reads<R: Record + PartialEq + std::fmt::Debug>(text: &str, key: &str) {
    let record: R = serde_json::from_str(text).unwrap();
    assert_eq!(record.key(), key);
    let document: Value = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_value(&record).unwrap(), document, "{} loses something", R::KIND);
}

#[test]
fn the_first_version_of_each_record_is_read() {
    reads::<FunctionRecord>(include_str!("../../cases/records/function-1.json"), "Items");
    reads::<VersionRecord>(include_str!("../../cases/records/function_version-1.json"), "Items/00000000000000000007");
    reads::<AliasRecord>(include_str!("../../cases/records/function_alias-1.json"), "Items/prod");
    reads::<PolicyRecord>(include_str!("../../cases/records/function_policy-1.json"), "Items/$LATEST");
    reads::<UrlRecord>(include_str!("../../cases/records/function_url-1.json"), "Items/prod");
    reads::<FunctionRecord>(include_str!("../../cases/records/function-1-layers.json"), "Items");
    reads::<LayerRecord>(include_str!("../../cases/records/layer-1.json"), "tools");
    reads::<LayerVersionRecord>(include_str!("../../cases/records/layer_version-1.json"), "tools/00000000000000000002");
    let id = "8a7b6c5d-0000-4000-8000-000000000001";
    reads::<QueuedInvocation>(include_str!("../../cases/records/queued_invocation-1.json"), id);
    reads::<ReservedRecord>(include_str!("../../cases/records/function_concurrency-1.json"), "Items");
    let provisioned = include_str!("../../cases/records/provisioned_concurrency-1.json");
    reads::<ProvisionedRecord>(provisioned, "Items/prod");
    reads::<QueuedInvocation>(include_str!("../../cases/records/queued_invocation-2.json"), id);
    reads::<QueuedEvent>(include_str!("../../cases/records/queued_event-1.json"), id);
    let config = include_str!("../../cases/records/function_event_invoke_config-1.json");
    reads::<EventInvokeRecord>(config, "Items/prod");
}
