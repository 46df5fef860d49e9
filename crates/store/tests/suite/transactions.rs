//! Cases of writing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use store::{Record, SharedStore, StoreError, Transaction};

use super::{elsewhere, here};
use crate::records::{Other, Thing};

fn exists(key: &str) -> StoreError {
    StoreError::Exists { kind: "thing", key: key.to_owned() }
}

fn changed(key: &str) -> StoreError {
    StoreError::Changed { kind: "thing", key: key.to_owned() }
}

async fn value(store: &SharedStore, key: &str) -> Option<String> {
    store.get::<Thing>(&here(), key).await.unwrap().map(|stored| stored.record.value)
}

pub(crate) async fn a_transaction_holds_or_fails_as_a_whole(store: SharedStore) {
    let revision = store.commit(Transaction::new().insert(&here(), &Thing::new("taken", "1"))).await.unwrap();
    let transaction = Transaction::new()
        .insert(&here(), &Thing::new("new", ""))
        .put(&here(), &Thing::new("taken", "2"))
        .put(&elsewhere(), &Thing::new("new", ""))
        .delete_tree::<Thing>(&here(), "taken")
        .insert(&here(), &Other { key: "new".into(), value: String::new() })
        .insert(&here(), &Thing::new("new", ""));
    assert_eq!(store.commit(transaction).await, Err(exists("new")));
    let all = store.list_all::<Thing>().await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].1.revision, all[0].1.record.value.as_str()), (revision, "1"));
    assert_eq!(store.list_all::<Other>().await, Ok(vec![]));
    assert_eq!(store.revision().await, revision);
    assert_eq!(store.changes_since(revision, 10).await, Ok(vec![]));
}

pub(crate) async fn an_insert_refuses_a_taken_key(store: SharedStore) {
    store.commit(Transaction::new().insert(&here(), &Thing::new("a", "1"))).await.unwrap();
    assert_eq!(store.commit(Transaction::new().insert(&here(), &Thing::new("a", "2"))).await, Err(exists("a")));
    assert_eq!(value(&store, "a").await.as_deref(), Some("1"));
}

pub(crate) async fn an_update_needs_the_revision_that_was_read(store: SharedStore) {
    let first = store.commit(Transaction::new().insert(&here(), &Thing::new("a", "1"))).await.unwrap();
    let update = |value, revision| store.commit(Transaction::new().update(&here(), &Thing::new("a", value), revision));
    let second = update("2", first).await.unwrap();
    assert!(second > first);
    assert_eq!(update("3", first).await, Err(changed("a")));
    assert_eq!(update("3", u64::MAX).await, Err(changed("a")));
    assert_eq!(value(&store, "a").await.as_deref(), Some("2"));
    let absent = store.commit(Transaction::new().update(&here(), &Thing::new("b", ""), second)).await;
    assert_eq!(absent, Err(changed("b")));
    // The right revision in the wrong scope.
    let absent = store.commit(Transaction::new().update(&elsewhere(), &Thing::new("a", ""), second)).await;
    assert_eq!(absent, Err(changed("a")));
}

pub(crate) async fn a_delete_needs_the_revision_that_was_read(store: SharedStore) {
    let revision = store.commit(Transaction::new().insert(&here(), &Thing::new("a", "1"))).await.unwrap();
    let delete = |revision| store.commit(Transaction::new().delete::<Thing>(&here(), "a", revision));
    assert_eq!(delete(revision + 1).await, Err(changed("a")));
    assert!(delete(revision).await.unwrap() > revision);
    assert_eq!(value(&store, "a").await, None);
    assert_eq!(delete(revision).await, Err(changed("a")));
}

pub(crate) async fn put_inserts_and_replaces(store: SharedStore) {
    let first = store.commit(Transaction::new().put(&here(), &Thing::new("a", "1"))).await.unwrap();
    let second = store.commit(Transaction::new().put(&here(), &Thing::new("a", "2"))).await.unwrap();
    let found = store.get::<Thing>(&here(), "a").await.unwrap().unwrap();
    assert!(second > first);
    assert_eq!((found.record.value.as_str(), found.revision), ("2", second));
}

pub(crate) async fn a_tree_is_deleted_in_its_scope_only(store: SharedStore) {
    let mut transaction = Transaction::new().insert(&here(), &Other { key: "api/x".into(), value: String::new() });
    for key in ["api", "api/x", "api/x/GET", "api2", "api2/x"] {
        transaction = transaction.insert(&here(), &Thing::new(key, "")).insert(&elsewhere(), &Thing::new(key, ""));
    }
    store.commit(transaction).await.unwrap();
    store.commit(Transaction::new().delete_tree::<Thing>(&here(), "api")).await.unwrap();
    let left = store.list_all::<Thing>().await.unwrap();
    let left: Vec<_> = left.iter().filter(|(scope, _)| *scope == here()).map(|(_, row)| &*row.record.key).collect();
    assert_eq!(left, ["api2", "api2/x"]);
    assert_eq!(store.list_tree::<Thing>(&elsewhere(), "api").await.unwrap().len(), 3);
    assert_eq!(store.list_all::<Other>().await.unwrap().len(), 1);
}

pub(crate) async fn an_expected_row_guards_a_transaction(store: SharedStore) {
    let parent = store.commit(Transaction::new().insert(&here(), &Thing::new("api", ""))).await.unwrap();
    let child = |key: &str, revision| {
        let transaction = Transaction::new().expect::<Thing>(&here(), "api", revision);
        store.commit(transaction.insert(&here(), &Thing::new(key, "")))
    };
    child("api/x", parent).await.unwrap();
    assert_eq!(child("api/y", parent + 1).await, Err(changed("api")));
    store.commit(Transaction::new().delete::<Thing>(&here(), "api", parent)).await.unwrap();
    assert_eq!(child("api/z", parent).await, Err(changed("api")));
    assert_eq!(store.list_tree::<Thing>(&here(), "api").await.unwrap().len(), 1);
}

pub(crate) async fn an_expected_absence_guards_a_transaction(store: SharedStore) {
    let guarded = |key: &str| {
        let transaction = Transaction::new().expect_absent::<Thing>(&here(), "closed");
        store.commit(transaction.insert(&here(), &Thing::new(key, "")))
    };
    guarded("a").await.unwrap();
    store.commit(Transaction::new().insert(&here(), &Thing::new("closed", ""))).await.unwrap();
    assert_eq!(guarded("b").await, Err(exists("closed")));
    assert_eq!(value(&store, "b").await, None);
}

pub(crate) async fn assertions_alone_leave_the_revision(store: SharedStore) {
    assert_eq!(store.commit(Transaction::new()).await, Ok(0));
    let revision = store.commit(Transaction::new().insert(&here(), &Thing::new("a", ""))).await.unwrap();
    let transaction = Transaction::new()
        .expect::<Thing>(&here(), "a", revision)
        .expect_absent::<Thing>(&here(), "b")
        .delete_tree::<Thing>(&here(), "c");
    assert_eq!(store.commit(transaction).await, Ok(revision));
    assert_eq!(store.revision().await, revision);
}

pub(crate) async fn a_later_step_sees_an_earlier_one(store: SharedStore) {
    let transaction = Transaction::new()
        .insert(&here(), &Thing::new("api/x", "old"))
        .delete_tree::<Thing>(&here(), "api")
        .expect_absent::<Thing>(&here(), "api/x")
        .insert(&here(), &Thing::new("api/x", "new"));
    store.commit(transaction).await.unwrap();
    assert_eq!(value(&store, "api/x").await.as_deref(), Some("new"));
}

pub(crate) async fn writers_of_one_row_take_turns(store: SharedStore) {
    const WRITERS: usize = 8;
    const TURNS: usize = 10;
    store.commit(Transaction::new().insert(&here(), &Thing::new("count", "0"))).await.unwrap();
    let writers = (0..WRITERS).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for turn in 0..TURNS {
                loop {
                    let found = store.get::<Thing>(&here(), "count").await.unwrap().unwrap();
                    let next = found.record.value.parse::<usize>().unwrap() + 1;
                    let transaction = Transaction::new()
                        .insert(&here(), &Thing::new(&format!("turn/{writer}-{turn}"), ""))
                        .update(&here(), &Thing::new("count", &next.to_string()), found.revision);
                    match store.commit(transaction).await {
                        Ok(_) => break,
                        Err(error) => assert_eq!(error, changed("count")),
                    }
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(value(&store, "count").await, Some((WRITERS * TURNS).to_string()));
    assert_eq!(store.list::<Thing>(&here(), "turn", None, 1000).await.unwrap().len(), WRITERS * TURNS);
}

/// A map whose keys are no strings cannot be a JSON object.
#[derive(Serialize, Deserialize)]
struct Unwritable(BTreeMap<Vec<u8>, u8>);

impl Record for Unwritable {
    const KIND: &'static str = "unwritable";
    const SCHEMA_VERSION: u32 = 1;

    fn key(&self) -> String {
        "a".to_owned()
    }
}

pub(crate) async fn a_record_that_is_no_json_fails_the_commit(store: SharedStore) {
    let unwritable = Unwritable(BTreeMap::from([(vec![1], 1)]));
    let transaction = Transaction::new().insert(&here(), &Thing::new("a", "")).insert(&here(), &unwritable);
    let error = store.commit(transaction).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { kind: "unwritable", .. }), "{error}");
    assert_eq!(value(&store, "a").await, None);
}
