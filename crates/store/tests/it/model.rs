//! Random transactions, several at a time, against a map that does the same.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use store::{DataDir, Record, Scope, SharedStore, StoreError, Transaction};

use crate::records::{Other, Thing};

/// Keys that are one another's parents, prefixes and neighbours.
const KEYS: &[&str] = &["a", "a/b", "a/b/c", "a/d", "a-", "a0", "ab", "ab/c", "b"];
const REGIONS: &[&str] = &["eu-west-1", "us-east-1"];

/// Kind, region and key of a row.
type Name = (&'static str, &'static str, &'static str);

/// What the store should hold: value and revision of each row.
type Rows = BTreeMap<Name, (u64, u64)>;

#[derive(Clone, Debug)]
struct Operation {
    what: What,
    other_kind: bool,
    region: &'static str,
    key: &'static str,
    value: u64,
    /// Give the revision that the row has before the batch; else one that no row has.
    right_revision: bool,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Insert,
    Update,
    Put,
    Delete,
    DeleteTree,
    Expect,
    ExpectAbsent,
}

fn operation() -> impl Strategy<Value = Operation> {
    use What::{Delete, DeleteTree, Expect, ExpectAbsent, Insert, Put, Update};
    let what =
        prop::sample::select(vec![Insert, Insert, Insert, Update, Put, Put, Delete, DeleteTree, Expect, ExpectAbsent]);
    let place = (any::<bool>(), prop::sample::select(REGIONS), prop::sample::select(KEYS));
    (what, place, any::<u16>(), prop::bool::weighted(0.85)).prop_map(
        |(what, (other_kind, region, key), value, right_revision)| Operation {
            what,
            other_kind,
            region,
            key,
            value: u64::from(value),
            right_revision,
        },
    )
}

/// Batches of transactions of operations. The transactions of a batch are committed at the same time.
fn batches() -> impl Strategy<Value = Vec<Vec<Vec<Operation>>>> {
    let transaction = prop::collection::vec(operation(), 1..4);
    prop::collection::vec(prop::collection::vec(transaction, 1..6), 1..8)
}

fn scope(region: &str) -> Scope {
    Scope::new("000000000000", region)
}

impl Operation {
    fn name(&self) -> Name {
        (if self.other_kind { Other::KIND } else { Thing::KIND }, self.region, self.key)
    }

    fn revision(&self, before: &Rows) -> u64 {
        let revision = before.get(&self.name()).map_or(u64::MAX, |(_, revision)| *revision);
        if self.right_revision { revision } else { u64::MAX }
    }

    fn add_to(&self, transaction: Transaction, before: &Rows) -> Transaction {
        let (key, value) = (self.key.to_owned(), self.value.to_string());
        if self.other_kind {
            self.add(transaction, &Other { key, value }, before)
        } else {
            self.add(transaction, &Thing { key, value }, before)
        }
    }

    fn add<R: Record>(&self, transaction: Transaction, record: &R, before: &Rows) -> Transaction {
        let (scope, revision) = (&scope(self.region), self.revision(before));
        match self.what {
            What::Insert => transaction.insert(scope, record),
            What::Update => transaction.update(scope, record, revision),
            What::Put => transaction.put(scope, record),
            What::Delete => transaction.delete::<R>(scope, self.key, revision),
            What::DeleteTree => transaction.delete_tree::<R>(scope, self.key),
            What::Expect => transaction.expect::<R>(scope, self.key, revision),
            What::ExpectAbsent => transaction.expect_absent::<R>(scope, self.key),
        }
    }

    /// Does the same to the map; whether it changed something.
    fn apply(&self, rows: &mut Rows, before: &Rows, commit: u64) -> Result<bool, StoreError> {
        let name @ (kind, region, key) = self.name();
        let present = rows.get(&name).map(|(_, revision)| *revision);
        let changed = Err(StoreError::Changed { kind, key: key.to_owned() });
        let exists = Err(StoreError::Exists { kind, key: key.to_owned() });
        let as_read = present == Some(self.revision(before));
        match self.what {
            What::Insert | What::ExpectAbsent if present.is_some() => exists,
            What::Update | What::Delete | What::Expect if !as_read => changed,
            What::Insert | What::Update | What::Put => {
                rows.insert(name, (self.value, commit));
                Ok(true)
            }
            What::Delete => Ok(rows.remove(&name).is_some()),
            What::DeleteTree => {
                let (count, below) = (rows.len(), format!("{key}/"));
                rows.retain(|(k, r, name), _| {
                    !((*k, *r) == (kind, region) && (*name == key || name.starts_with(&below)))
                });
                Ok(rows.len() < count)
            }
            What::Expect | What::ExpectAbsent => Ok(false),
        }
    }
}

/// Applies a transaction to the map, whole or not at all.
fn apply(operations: &[Operation], rows: &mut Rows, before: &Rows, last: &mut u64) -> Result<u64, StoreError> {
    let mut after = rows.clone();
    let mut changed = false;
    for operation in operations {
        changed |= operation.apply(&mut after, before, *last + 1)?;
    }
    *rows = after;
    *last += u64::from(changed);
    Ok(*last)
}

async fn check(batches: Vec<Vec<Vec<Operation>>>) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut data = DataDir::open(folder.path()).expect("an empty folder can be opened");
    let (mut rows, mut last) = (Rows::new(), 0);
    for batch in batches {
        let (store, before) = (data.store(), rows.clone());
        // They enter the queue in this order, for each future sends when it is first polled.
        let commits = batch.iter().map(|operations| {
            let empty = Transaction::new();
            store.commit(operations.iter().fold(empty, |transaction, operation| operation.add_to(transaction, &before)))
        });
        let results = futures_util::future::join_all(commits).await;
        for (operations, result) in batch.iter().zip(results) {
            prop_assert_eq!(result, apply(operations, &mut rows, &before, &mut last));
        }
        prop_assert_eq!(&stored(&store).await, &rows);
        check_lists(&store, &rows).await?;
        check_feed(&store, &rows, last).await?;
    }
    // What is on disk is what was answered.
    drop(data);
    data = DataDir::open(folder.path()).expect("the folder can be opened again");
    prop_assert_eq!(&stored(&data.store()).await, &rows);
    prop_assert_eq!(data.store().revision().await, last);
    Ok(())
}

async fn stored(store: &SharedStore) -> Rows {
    let known = |known: &[&'static str], text: &str| *known.iter().find(|name| **name == text).expect("a known name");
    let number = |value: &str| value.parse().expect("values are numbers");
    let mut rows = Rows::new();
    for (scope, row) in store.list_all::<Thing>().await.expect("rows can be read") {
        let name = (Thing::KIND, known(REGIONS, &scope.region), known(KEYS, &row.record.key));
        rows.insert(name, (number(&row.record.value), row.revision));
    }
    for (scope, row) in store.list_all::<Other>().await.expect("rows can be read") {
        let name = (Other::KIND, known(REGIONS, &scope.region), known(KEYS, &row.record.key));
        rows.insert(name, (number(&row.record.value), row.revision));
    }
    rows
}

async fn check_lists(store: &SharedStore, rows: &Rows) -> Result<(), TestCaseError> {
    for region in REGIONS {
        let scope = scope(region);
        let keys = || rows.keys().filter(|(kind, r, _)| (*kind, r) == (Thing::KIND, region)).map(|(_, _, key)| *key);
        for prefix in KEYS {
            let below = format!("{prefix}/");
            let tree: Vec<_> = keys().filter(|key| key == prefix || key.starts_with(&below)).collect();
            let found = store.list_tree::<Thing>(&scope, prefix).await.expect("rows can be read");
            prop_assert_eq!(found.iter().map(|row| &*row.record.key).collect::<Vec<_>>(), tree);
            let children: Vec<_> =
                keys().filter(|key| key.rsplit_once('/').is_some_and(|(parent, _)| parent == *prefix)).collect();
            let found = store.list::<Thing>(&scope, prefix, None, 100).await.expect("rows can be read");
            prop_assert_eq!(found.iter().map(|row| &*row.record.key).collect::<Vec<_>>(), children);
        }
    }
    Ok(())
}

/// Whoever follows the feed from the start knows which rows there are, and of which commit.
async fn check_feed(store: &SharedStore, rows: &Rows, last: u64) -> Result<(), TestCaseError> {
    let mut followed = BTreeMap::new();
    let mut revision = 0;
    while let changes @ [_, ..] = &*store.changes_since(revision, 3).await.expect("the feed can be read") {
        for change in changes {
            let name = (change.kind.clone(), change.scope.region.to_string(), change.key.clone());
            if change.deleted {
                followed.remove(&name);
            } else {
                followed.insert(name, change.revision);
            }
            revision = change.revision;
        }
    }
    let expected = rows.iter().map(|((kind, region, key), (_, revision))| {
        ((String::from(*kind), String::from(*region), String::from(*key)), *revision)
    });
    prop_assert_eq!(revision, last);
    prop_assert_eq!(followed, expected.collect());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn random_transactions_do_what_a_map_does(batches in batches()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be built");
        runtime.block_on(check(batches))?;
    }
}
