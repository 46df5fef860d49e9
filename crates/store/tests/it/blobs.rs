//! Blobs: what is kept, found, damaged and swept.

use std::collections::HashSet;
use std::fs;

use base::clock::{Clock, Moment};
use bytes::Bytes;
use store::blobs::{BlobStore, Digest, Swept};
use store::{DataDir, StoreError};
use tempfile::TempDir;

fn open() -> (TempDir, BlobStore) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let blobs = DataDir::open(folder.path()).expect("an empty folder can be opened").blobs();
    (folder, blobs)
}

#[tokio::test]
async fn a_blob_is_named_by_its_sha_256() {
    let (folder, blobs) = open();
    let digest = blobs.put(Bytes::from_static(b"abc")).await.unwrap();
    // The example of FIPS 180-2, appendix B.1.
    let name = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(digest.to_string(), name);
    assert_eq!(name.parse(), Ok(digest));
    assert_eq!(serde_json::to_string(&digest).unwrap(), format!("\"{name}\""));
    assert_eq!(serde_json::from_str::<Digest>(&format!("\"{name}\"")).unwrap(), digest);
    assert_eq!(blobs.path(digest), folder.path().join("blobs/ba/78").join(name));
    assert_eq!(fs::read(blobs.path(digest)).unwrap(), b"abc");
    assert_eq!(blobs.get(digest).await.unwrap().unwrap(), "abc");
}

#[test]
fn a_digest_is_read_strictly() {
    let name = Digest::of(b"").to_string();
    for wrong in
        ["", &name[1..], &name.to_uppercase(), &name.replace('e', "g"), &format!("{name}0"), "../../etc/passwd"]
    {
        assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn the_same_bytes_are_kept_once() {
    let (folder, blobs) = open();
    let puts = (0..16).map(|_| blobs.put(Bytes::from_static(b"same")));
    let digests: HashSet<_> = futures_util::future::try_join_all(puts).await.unwrap().into_iter().collect();
    assert_eq!(digests.len(), 1);
    assert_eq!(fs::read_dir(folder.path().join("blobs/incoming")).unwrap().count(), 0);
    assert_eq!(blobs.put(Bytes::new()).await.unwrap(), Digest::of(b""));
    assert_eq!(blobs.get(Digest::of(b"")).await.unwrap().unwrap(), "");
}

#[tokio::test]
async fn an_unknown_blob_is_none_and_a_damaged_one_an_error() {
    let (_folder, blobs) = open();
    assert_eq!(blobs.get(Digest::of(b"unknown")).await, Ok(None));
    let digest = blobs.put(Bytes::from_static(b"content")).await.unwrap();
    fs::write(blobs.path(digest), "C0ntent").unwrap();
    let error = blobs.get(digest).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { kind: "blob", .. }), "{error}");
    // One cut short is put anew.
    fs::write(blobs.path(digest), "con").unwrap();
    blobs.put(Bytes::from_static(b"content")).await.unwrap();
    assert_eq!(blobs.get(digest).await.unwrap().unwrap(), "content");
}

#[tokio::test]
async fn a_sweep_removes_what_nothing_refers_to() {
    let (folder, blobs) = open();
    let kept = blobs.put(Bytes::from_static(b"kept")).await.unwrap();
    let dropped = blobs.put(Bytes::from_static(b"dropped")).await.unwrap();
    fs::write(folder.path().join("blobs/ab"), "not ours").unwrap();
    let now = Clock::System.now().0;
    let (an_hour_ago, in_an_hour) = (Moment(now - 3_600_000), Moment(now + 3_600_000));
    let sweep = |before| blobs.sweep(HashSet::from([kept]), before);
    assert_eq!(sweep(an_hour_ago).await, Ok(Swept::default()));
    assert_eq!(sweep(in_an_hour).await, Ok(Swept { blobs: 1, bytes: 7 }));
    assert_eq!(blobs.get(dropped).await, Ok(None));
    assert_eq!(blobs.get(kept).await.unwrap().unwrap(), "kept");
    assert!(folder.path().join("blobs/ab").is_file());
}

#[test]
fn what_a_crash_left_half_written_goes_at_the_next_start() {
    let (folder, blobs) = open();
    drop(blobs);
    let left = folder.path().join("blobs/incoming/17");
    fs::write(&left, "half").unwrap();
    DataDir::open(folder.path()).unwrap();
    assert!(!left.exists());
}
