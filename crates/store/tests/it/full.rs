//! A store that may not grow further: refused whole, usable still.

use store::{DataDir, SharedStore, SqliteOptions, StoreError, Transaction};
use tempfile::TempDir;

use crate::records::{Other, Thing};
use crate::suite::here;

fn open(maximum_bytes: u64) -> (TempDir, SharedStore) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut options = SqliteOptions::default();
    options.maximum_bytes = Some(maximum_bytes);
    let store = DataDir::open_with(folder.path(), options).expect("the limit leaves room for the tables").store();
    (folder, store)
}

fn pair(number: usize, size: usize) -> Transaction {
    let value = "x".repeat(size);
    let key = format!("{number:06}");
    Transaction::new()
        .insert(&here(), &Thing { key: key.clone(), value: value.clone() })
        .insert(&here(), &Other { key, value })
}

#[tokio::test]
async fn a_full_store_refuses_whole_transactions_and_goes_on() {
    let (folder, store) = open(256 << 10);
    let mut written = 0;
    let error = loop {
        match store.commit(pair(written, 3000)).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 1000, "the limit does not hold");
    };
    assert_eq!(error, StoreError::Full);
    assert!(written > 10, "{written}");
    let things = store.list::<Thing>(&here(), "", None, 1000).await.unwrap();
    assert_eq!(things.len(), written);
    assert_eq!(store.list::<Other>(&here(), "", None, 1000).await.unwrap().len(), written);
    assert_eq!(store.revision().await, written as u64);
    // Removing makes room.
    let removed = things.iter().take(4).fold(Transaction::new(), |transaction, thing| {
        transaction.delete::<Thing>(&here(), &thing.record.key, thing.revision)
    });
    store.commit(removed).await.unwrap();
    store.commit(pair(written, 3000)).await.unwrap();
    drop(store);
    let store = DataDir::open(folder.path()).unwrap().store();
    assert_eq!(store.list::<Other>(&here(), "", None, 1000).await.unwrap().len(), written + 1);
}

#[tokio::test]
async fn one_that_is_too_large_does_not_fail_the_others_of_its_group() {
    let (_folder, store) = open(256 << 10);
    let commits = (0..20).map(|number| store.commit(pair(number, if number % 5 == 3 { 300_000 } else { 10 })));
    for (number, result) in futures_util::future::join_all(commits).await.into_iter().enumerate() {
        match number % 5 {
            3 => assert_eq!(result, Err(StoreError::Full), "{number}"),
            _ => assert!(result.is_ok(), "{number}: {result:?}"),
        }
    }
    assert_eq!(store.list::<Thing>(&here(), "", None, 100).await.unwrap().len(), 16);
    assert_eq!(store.list::<Other>(&here(), "", None, 100).await.unwrap().len(), 16);
}
