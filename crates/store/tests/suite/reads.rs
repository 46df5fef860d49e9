//! Cases of reading.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Record, Scope, SharedStore, StoreError, Stored, Transaction};

use super::{elsewhere, here};
use crate::records::{Other, Thing};

fn keys(found: Vec<Stored<Thing>>) -> Vec<String> {
    found.into_iter().map(|stored| stored.record.key).collect()
}

async fn insert_keys(store: &SharedStore, scope: &Scope, keys: &[&str]) {
    let transaction =
        keys.iter().fold(Transaction::new(), |transaction, key| transaction.insert(scope, &Thing::new(key, "")));
    store.commit(transaction).await.expect("the keys are free");
}

pub(crate) async fn nothing_is_found_in_an_empty_store(store: SharedStore) {
    assert_eq!(store.get::<Thing>(&here(), "a").await, Ok(None));
    assert_eq!(store.list::<Thing>(&here(), "", None, 10).await, Ok(vec![]));
    assert_eq!(store.list_tree::<Thing>(&here(), "a").await, Ok(vec![]));
    assert_eq!(store.list_all::<Thing>().await, Ok(vec![]));
    assert_eq!(store.find::<Thing>("a").await, Ok(None));
    assert_eq!(store.revision().await, 0);
    assert_eq!(store.changes_since(0, 10).await, Ok(vec![]));
}

pub(crate) async fn a_record_is_read_back_as_it_was_written(store: SharedStore) {
    let thing = Thing::new("é/\u{1F600}", "quotes \" and \\ and \0 and \u{2028}");
    let revision = store.commit(Transaction::new().insert(&here(), &thing)).await.unwrap();
    let found = store.get::<Thing>(&here(), &thing.key).await.unwrap();
    assert_eq!(found, Some(Stored { record: thing, revision }));
}

pub(crate) async fn scopes_and_kinds_do_not_mix(store: SharedStore) {
    let other_account = Scope::new("111111111111", "us-east-1");
    let transaction = Transaction::new()
        .insert(&here(), &Thing::new("a", "here"))
        .insert(&elsewhere(), &Thing::new("a", "elsewhere"))
        .insert(&other_account, &Thing::new("a", "other account"))
        .insert(&here(), &Other { key: "a".into(), value: "other kind".into() });
    store.commit(transaction).await.unwrap();
    for (scope, value) in [(here(), "here"), (elsewhere(), "elsewhere"), (other_account, "other account")] {
        let found = store.get::<Thing>(&scope, "a").await.unwrap().unwrap();
        assert_eq!(found.record.value, value);
        assert_eq!(store.list::<Thing>(&scope, "", None, 10).await.unwrap(), vec![found]);
    }
    let other = store.get::<Other>(&here(), "a").await.unwrap().unwrap();
    assert_eq!(other.record.value, "other kind");
}

pub(crate) async fn a_list_is_ordered_by_key_and_pages(store: SharedStore) {
    insert_keys(&store, &here(), &["b", "a", "é", "B", "a-", "c"]).await;
    let all = ["B", "a", "a-", "b", "c", "é"];
    assert_eq!(keys(store.list(&here(), "", None, 10).await.unwrap()), all);
    let mut paged = Vec::new();
    while let page @ [_, ..] = &*keys(store.list(&here(), "", paged.last().map(String::as_str), 4).await.unwrap()) {
        paged.extend_from_slice(page);
    }
    assert_eq!(paged, all);
    assert_eq!(keys(store.list(&here(), "", None, 0).await.unwrap()), [""; 0]);
    assert_eq!(keys(store.list(&here(), "", None, usize::MAX).await.unwrap()), all);
}

pub(crate) async fn a_list_holds_children_and_no_grandchildren(store: SharedStore) {
    insert_keys(&store, &here(), &["api", "api/x", "api/x/GET", "api/y", "api2/z"]).await;
    assert_eq!(keys(store.list(&here(), "", None, 10).await.unwrap()), ["api"]);
    assert_eq!(keys(store.list(&here(), "api", None, 10).await.unwrap()), ["api/x", "api/y"]);
    assert_eq!(keys(store.list(&here(), "api/x", None, 10).await.unwrap()), ["api/x/GET"]);
}

pub(crate) async fn a_tree_holds_the_row_and_all_below_it(store: SharedStore) {
    insert_keys(&store, &here(), &["api", "api/x", "api/x/GET", "api/é", "api2", "ap"]).await;
    insert_keys(&store, &elsewhere(), &["api/w"]).await;
    assert_eq!(keys(store.list_tree(&here(), "api").await.unwrap()), ["api", "api/x", "api/x/GET", "api/é"]);
    assert_eq!(keys(store.list_tree(&here(), "api/x").await.unwrap()), ["api/x", "api/x/GET"]);
    assert_eq!(keys(store.list_tree(&here(), "").await.unwrap()), [""; 0]);
}

pub(crate) async fn a_prefix_is_no_parent_and_no_pattern(store: SharedStore) {
    insert_keys(&store, &here(), &["a%", "a%/1", "ab/2", "a_/3", "a./4", "a0/5"]).await;
    assert_eq!(keys(store.list_tree(&here(), "a%").await.unwrap()), ["a%", "a%/1"]);
    assert_eq!(keys(store.list_tree(&here(), "a_").await.unwrap()), ["a_/3"]);
    assert_eq!(keys(store.list_tree(&here(), "a").await.unwrap()), [""; 0]);
    store.commit(Transaction::new().delete_tree::<Thing>(&here(), "a%")).await.unwrap();
    let left = store.list_all::<Thing>().await.unwrap().into_iter().map(|(_, stored)| stored).collect();
    assert_eq!(keys(left), ["a./4", "a0/5", "a_/3", "ab/2"]);
}

pub(crate) async fn every_scope_is_listed_at_start(store: SharedStore) {
    insert_keys(&store, &here(), &["b/1", "a"]).await;
    insert_keys(&store, &elsewhere(), &["c"]).await;
    let all = store.list_all::<Thing>().await.unwrap();
    let all: Vec<_> = all.iter().map(|(scope, stored)| (&*scope.region, &*stored.record.key)).collect();
    assert_eq!(all, [("eu-west-1", "c"), ("us-east-1", "a"), ("us-east-1", "b/1")]);
}

pub(crate) async fn a_record_is_found_in_any_scope(store: SharedStore) {
    insert_keys(&store, &elsewhere(), &["a1b2c3"]).await;
    let (scope, found) = store.find::<Thing>("a1b2c3").await.unwrap().unwrap();
    assert_eq!((scope, found.record.key.as_str()), (elsewhere(), "a1b2c3"));
    assert_eq!(store.find::<Other>("a1b2c3").await, Ok(None));
}

pub(crate) async fn an_acknowledged_write_is_seen_by_every_reader(store: SharedStore) {
    for number in 0..20 {
        let revision =
            store.commit(Transaction::new().put(&here(), &Thing::new("a", &number.to_string()))).await.unwrap();
        let reads = (0..8).map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.get::<Thing>(&here(), "a").await })
        });
        for read in reads.collect::<Vec<_>>() {
            let found = read.await.unwrap().unwrap().unwrap();
            assert_eq!((found.record.value, found.revision), (number.to_string(), revision));
        }
    }
}

/// `Thing` of a later release, where the value became a number with a unit.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LaterThing {
    key: String,
    number: u64,
    unit: String,
}

impl Record for LaterThing {
    const KIND: &'static str = Thing::KIND;
    const SCHEMA_VERSION: u32 = 3;

    fn key(&self) -> String {
        self.key.clone()
    }

    fn upgrade(from: u32, mut document: Value) -> Result<Value, String> {
        assert_eq!(from, 1);
        let value = document["value"].as_str().ok_or("no value")?;
        document["number"] = json!(value.parse::<u64>().map_err(|error| error.to_string())?);
        document["unit"] = json!("seconds");
        Ok(document)
    }
}

pub(crate) async fn a_document_of_an_earlier_version_is_upgraded(store: SharedStore) {
    store.commit(Transaction::new().insert(&here(), &Thing::new("a", "29"))).await.unwrap();
    let found = store.get::<LaterThing>(&here(), "a").await.unwrap().unwrap();
    assert_eq!(found.record, LaterThing { key: "a".into(), number: 29, unit: "seconds".into() });
    // Written back, it is of the later version, which the earlier program refuses.
    store.commit(Transaction::new().update(&here(), &found.record, found.revision)).await.unwrap();
    assert_eq!(store.get::<LaterThing>(&here(), "a").await.unwrap().unwrap().record, found.record);
    let reason = "written with schema version 3, this program knows 1".to_owned();
    let refused = Err(StoreError::Corrupt { kind: "thing", key: "a".into(), reason });
    assert_eq!(store.get::<Thing>(&here(), "a").await, refused);
}

pub(crate) async fn an_unreadable_document_is_told(store: SharedStore) {
    store.commit(Transaction::new().insert(&here(), &Thing::new("a", "many"))).await.unwrap();
    let error = store.get::<LaterThing>(&here(), "a").await.unwrap_err();
    assert_eq!(error.to_string(), "thing a is damaged: invalid digit found in string");

    /// The same kind and version with another shape: a fault of a release.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Misshapen {
        missing: u64,
    }
    impl Record for Misshapen {
        const KIND: &'static str = Thing::KIND;
        const SCHEMA_VERSION: u32 = 1;
        fn key(&self) -> String {
            String::new()
        }
    }
    let error = store.list::<Misshapen>(&here(), "", None, 10).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { kind: "thing", ref key, .. } if key == "a"), "{error}");
}
