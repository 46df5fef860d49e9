//! Cases of the change feed.

use store::{Change, SharedStore, Transaction};

use super::{elsewhere, here};
use crate::records::{Other, Thing};

pub(crate) async fn revisions_count_commits(store: SharedStore) {
    for expected in 1..=5 {
        let transaction = Transaction::new().put(&here(), &Thing::new("a", "")).put(&here(), &Thing::new("b", ""));
        assert_eq!(store.commit(transaction).await, Ok(expected));
        assert_eq!(store.revision().await, expected);
        for found in store.list::<Thing>(&here(), "", None, 10).await.unwrap() {
            assert_eq!(found.revision, expected);
        }
    }
}

pub(crate) async fn the_feed_tells_every_change_in_order(store: SharedStore) {
    let first = Transaction::new().insert(&here(), &Thing::new("a", "")).insert(&elsewhere(), &Thing::new("a/b", ""));
    store.commit(first).await.unwrap();
    store.commit(Transaction::new().insert(&here(), &Other { key: "x".into(), value: String::new() })).await.unwrap();
    let third = Transaction::new().delete_tree::<Thing>(&here(), "a").put(&here(), &Thing::new("a", ""));
    store.commit(third).await.unwrap();
    let change = |revision, scope, kind: &str, key: &str, deleted| Change {
        revision,
        scope,
        kind: kind.to_owned(),
        key: key.to_owned(),
        deleted,
    };
    let all = vec![
        change(1, here(), "thing", "a", false),
        change(1, elsewhere(), "thing", "a/b", false),
        change(2, here(), "other", "x", false),
        change(3, here(), "thing", "a", true),
        change(3, here(), "thing", "a", false),
    ];
    assert_eq!(store.changes_since(0, 100).await.unwrap(), all);
    assert_eq!(store.changes_since(1, 100).await.unwrap(), all[2..]);
    assert_eq!(store.changes_since(3, 100).await.unwrap(), []);
    assert_eq!(store.changes_since(u64::MAX, 100).await.unwrap(), []);
}

pub(crate) async fn the_feed_never_splits_a_commit(store: SharedStore) {
    for commit in 0..3 {
        let transaction = (0..3).fold(Transaction::new(), |transaction, row| {
            transaction.insert(&here(), &Thing::new(&format!("{commit}-{row}"), ""))
        });
        store.commit(transaction).await.unwrap();
    }
    for (limit, expected) in [(0, 3), (1, 3), (3, 3), (4, 6), (6, 6), (7, 9), (100, 9), (usize::MAX, 9)] {
        assert_eq!(store.changes_since(0, limit).await.unwrap().len(), expected, "limit {limit}");
    }
}

pub(crate) async fn the_watch_moves_before_the_answer(store: SharedStore) {
    let mut changes = store.changes();
    for _ in 0..10 {
        let revision = store.commit(Transaction::new().put(&here(), &Thing::new("a", ""))).await.unwrap();
        assert!(changes.has_changed().unwrap());
        assert_eq!(*changes.borrow_and_update(), revision);
    }
}
