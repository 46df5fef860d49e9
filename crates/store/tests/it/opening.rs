//! Opening a data directory: modes, the lock, other formats, files that are not ours.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rusqlite::Connection;
use store::{DataDir, OpenError, Transaction};

use crate::records::Thing;
use crate::suite::here;

fn refusal(path: &Path) -> OpenError {
    match DataDir::open(path) {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

#[test]
fn a_new_directory_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some/where");
    let data = DataDir::open(&path).unwrap();
    assert_eq!(fs::metadata(data.path()).unwrap().permissions().mode() & 0o777, 0o700);
    for file in ["lock", "state.sqlite", "state.sqlite-wal", "state.sqlite-shm"] {
        assert_eq!(fs::metadata(path.join(file)).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
    assert!(path.join("blobs").is_dir());
}

#[test]
fn a_directory_in_use_is_refused_with_the_process_that_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::open(folder.path()).unwrap();
    let expected = format!(
        "data directory {} is in use by another frontgate (process {})",
        folder.path().display(),
        std::process::id()
    );
    assert_eq!(refusal(folder.path()).to_string(), expected);
    // Each part alone keeps the lock.
    let (store, blobs) = (data.store(), data.blobs());
    drop(data);
    assert!(matches!(refusal(folder.path()), OpenError::InUse { .. }));
    drop(store);
    assert!(matches!(refusal(folder.path()), OpenError::InUse { .. }));
    drop(blobs);
    DataDir::open(folder.path()).unwrap();
}

#[test]
fn a_directory_of_a_newer_version_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(DataDir::open(folder.path()).unwrap());
    let file = folder.path().join("state.sqlite");
    let connection = Connection::open(&file).unwrap();
    connection.execute("UPDATE meta SET value = 7 WHERE name = 'data_format'", []).unwrap();
    connection.close().unwrap();
    let before = fs::read(&file).unwrap();
    let expected = format!(
        "data directory {} was written by a newer frontgate: its data format is 7, this program knows up to 1",
        folder.path().display()
    );
    assert_eq!(refusal(folder.path()).to_string(), expected);
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn a_foreign_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for sql in ["CREATE TABLE meta (x)", "CREATE TABLE meta (name TEXT, value INTEGER)", "CREATE TABLE cookies (x)"] {
        let path = folder.path().join(sql.len().to_string());
        fs::create_dir(&path).unwrap();
        Connection::open(path.join("state.sqlite")).unwrap().execute_batch(sql).unwrap();
        let expected = format!(
            "{} is not a Frontgate database, or is damaged: it has tables, but none that says its data format",
            path.join("state.sqlite").display()
        );
        assert_eq!(refusal(&path).to_string(), expected);
    }
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.sqlite");
    let text = "Dear diary, today I kept a file of this name.\n".repeat(100);
    fs::write(&file, &text).unwrap();
    let expected = format!("{} is not a Frontgate database, or is damaged: file is not a database", file.display());
    assert_eq!(refusal(folder.path()).to_string(), expected);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[tokio::test]
async fn a_damaged_database_is_an_error_and_never_a_wrong_answer() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::open(folder.path()).unwrap();
    let things = (0..200).fold(Transaction::new(), |transaction, number| {
        transaction.insert(&here(), &Thing::new(&format!("{number:03}"), &"x".repeat(500)))
    });
    data.store().commit(things).await.unwrap();
    drop(data);
    // Every page but the first, which says that this is a database.
    let file = folder.path().join("state.sqlite");
    let mut bytes = fs::read(&file).unwrap();
    bytes[4096..].fill(0xA5);
    fs::write(&file, bytes).unwrap();
    match DataDir::open(folder.path()) {
        Err(error) => assert!(error.to_string().contains("is damaged"), "{error}"),
        Ok(data) => {
            let error = data.store().list_all::<Thing>().await.unwrap_err();
            assert!(error.to_string().contains("malformed"), "{error}");
        }
    }
}

#[test]
fn a_path_that_cannot_be_a_directory_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = refusal(&file.join("data")).to_string();
    assert!(error.starts_with(&format!("cannot create {}", file.display())), "{error}");
}
