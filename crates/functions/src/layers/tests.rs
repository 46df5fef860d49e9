//! Layers merged: well-made ones, and ones made to lead outside together.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::Arc;

use store::blobs::Digest;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::merge::merge;
use crate::package::{PackageError, Tree, Trees};

enum Entry<'a> {
    File(&'a str, &'a str),
    Link(&'a str, &'a str),
}
use Entry::{File, Link};

fn zip(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for entry in entries {
        match entry {
            File(name, content) => {
                writer.start_file(*name, SimpleFileOptions::default()).unwrap();
                writer.write_all(content.as_bytes()).unwrap();
            }
            Link(name, to) => writer.add_symlink(*name, *to, SimpleFileOptions::default()).unwrap(),
        }
    }
    writer.finish().unwrap().into_inner()
}

/// Merges layers and looks at the result.
fn merged(layers: &[&[Entry<'_>]], look: impl FnOnce(&Path, Result<u64, PackageError>)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let trees = Trees::new(folder.path().to_owned(), runtime.handle().clone());
    let unpacked = layers.iter().map(|entries| {
        let bytes = zip(entries);
        trees.get(Digest::of(&bytes), || Ok(bytes)).unwrap()
    });
    let unpacked: Vec<Arc<Tree>> = unpacked.collect();
    let sizes: Vec<u64> = unpacked.iter().map(|tree| tree.size()).collect();
    let target = folder.path().join("merged");
    fs::create_dir(&target).unwrap();
    let result = merge(&unpacked, &target);
    look(&target, result);
    for (tree, size) in unpacked.iter().zip(sizes) {
        let mut found = 0;
        let mut folders = vec![tree.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                match entry.file_type().unwrap() {
                    kind if kind.is_dir() => folders.push(entry.path()),
                    kind if kind.is_file() => found += entry.metadata().unwrap().len(),
                    _ => {}
                }
            }
        }
        assert_eq!(found, size, "merging has changed a layer");
    }
}

#[test]
fn later_layers_overwrite_earlier_ones() {
    let first =
        [File("python/a.py", "one"), File("python/b.py", "one"), File("python/c/d.py", "1"), Link("e", "python")];
    let second = [File("python/b.py", "second"), File("python/c", "2"), File("e/f", "3"), Link("python/a.py", "b.py")];
    merged(&[&first, &second], |target, result| {
        let read = |name: &str| fs::read_to_string(target.join(name)).unwrap();
        assert_eq!(
            (read("python/b.py"), read("python/a.py"), read("python/c")),
            ("second".into(), "second".into(), "2".into())
        );
        // A link of the first is replaced by the second's folder, not followed.
        assert_eq!((read("e/f"), fs::symlink_metadata(target.join("e")).unwrap().is_dir()), ("3".into(), true));
        assert!(!target.join("python/f").exists());
        assert_eq!(result.unwrap(), 8);
    });
    merged(&[&second, &first], |target, result| {
        result.unwrap();
        assert_eq!(fs::read_to_string(target.join("python/c/d.py")).unwrap(), "1");
        assert_eq!(fs::read_link(target.join("e")).unwrap(), Path::new("python"));
    });
}

#[test]
fn links_of_two_layers_lead_nowhere_outside() {
    let first = [File("a/b/up/x", ""), Link("out", "a/b/up/..")];
    let second = [Link("a/b/up", "../..")];
    merged(&[&first, &second], |_, result| {
        assert!(matches!(result, Err(PackageError::Invalid(_))), "{result:?}");
    });
}
