//! The suite on SQLite, and what only that engine promises.

use futures_util::FutureExt;
use store::{DataDir, Scope, SharedStore, SqliteOptions, StoreError, Transaction};
use tempfile::TempDir;

use crate::records::Thing;
use crate::suite::here;

async fn open() -> ((TempDir, DataDir), SharedStore) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let data = DataDir::open(folder.path()).expect("an empty folder can be opened");
    let store = data.store();
    ((folder, data), store)
}

suite!(open);

#[tokio::test]
async fn revisions_go_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    for restart in 1..=3 {
        let data = DataDir::open(folder.path()).unwrap();
        assert_eq!(data.store().revision().await, restart - 1);
        assert_eq!(*data.store().changes().borrow(), restart - 1);
        let transaction = Transaction::new().put(&here(), &Thing::new("a", ""));
        assert_eq!(data.store().commit(transaction).await, Ok(restart));
        assert_eq!(data.store().changes_since(0, 100).await.unwrap().len() as u64, restart);
    }
}

#[tokio::test]
async fn old_changes_are_trimmed_and_a_late_follower_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = SqliteOptions::default();
    options.kept_commits = Some(100);
    let data = DataDir::open_with(folder.path(), options).unwrap();
    let store = data.store();
    let put = |number: u64| store.commit(Transaction::new().put(&here(), &Thing::new("a", &number.to_string())));
    futures_util::future::try_join_all((1..=1100).map(put)).await.unwrap();
    let Err(StoreError::Trimmed { oldest }) = store.changes_since(0, 10).await else {
        panic!("the first changes are still held")
    };
    let held = store.changes_since(oldest, 10_000).await.unwrap();
    assert_eq!(held.first().map(|change| change.revision), Some(oldest + 1));
    assert_eq!(held.last().map(|change| change.revision), Some(1100));
    assert!((100..1000).contains(&held.len()), "{} commits held", held.len());
}

#[tokio::test]
async fn a_refused_transaction_does_not_fail_the_others_of_its_group() {
    let (_guard, store) = open().await;
    // While the first is synced, the others wait and become one group.
    let commits = (0..50).map(|number| {
        let key = if number % 2 == 0 { "same".to_owned() } else { format!("own-{number}") };
        store.commit(Transaction::new().insert(&here(), &Thing::new(&key, &number.to_string())))
    });
    let results = futures_util::future::join_all(commits).await;
    let refused = Err(StoreError::Exists { kind: "thing", key: "same".into() });
    for (number, result) in results.iter().enumerate() {
        match number {
            0 => assert_eq!(*result, Ok(1)),
            _ if number % 2 == 0 => assert_eq!(*result, refused),
            _ => assert!(result.is_ok(), "{result:?}"),
        }
    }
    assert_eq!(store.list::<Thing>(&here(), "", None, 100).await.unwrap().len(), 26);
}

#[tokio::test]
async fn a_dropped_caller_leaves_a_whole_transaction_or_none() {
    let (_guard, store) = open().await;
    for number in 0..20 {
        let pair = Transaction::new()
            .insert(&here(), &Thing::new(&format!("pair/{number}"), ""))
            .insert(&here(), &Thing::new(&format!("twin/{number}"), ""));
        // One poll hands it to the writer; then the caller goes away.
        assert_eq!(store.commit(pair).now_or_never(), None);
    }
    // The queue is in order, so that this one comes after them all.
    store.commit(Transaction::new().put(&here(), &Thing::new("last", ""))).await.unwrap();
    let pairs = store.list::<Thing>(&here(), "pair", None, 100).await.unwrap();
    assert_eq!(pairs.len(), store.list::<Thing>(&here(), "twin", None, 100).await.unwrap().len());
}

#[tokio::test]
async fn the_revision_never_repeats_when_rows_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::open(folder.path()).unwrap();
    let store = data.store();
    let revision = store.commit(Transaction::new().insert(&here(), &Thing::new("a", ""))).await.unwrap();
    let last = store.commit(Transaction::new().delete::<Thing>(&here(), "a", revision)).await.unwrap();
    drop((store, data));
    let data = DataDir::open(folder.path()).unwrap();
    let next =
        data.store().commit(Transaction::new().insert(&Scope::global("000000000000"), &Thing::new("a", ""))).await;
    assert_eq!(next, Ok(last + 1));
}
