//! Packages that are well made, and packages made to hurt.

use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use proptest::prelude::*;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

enum Entry<'a> {
    File(&'a str, u32, &'a [u8]),
    Link(&'a str, &'a str),
    Folder(&'a str),
}
use Entry::{File, Folder, Link};

fn zip(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for entry in entries {
        match entry {
            File(name, mode, content) => {
                writer.start_file(*name, SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
                writer.write_all(content).unwrap();
            }
            Link(name, to) => writer.add_symlink(*name, *to, SimpleFileOptions::default()).unwrap(),
            Folder(name) => writer.add_directory(*name, SimpleFileOptions::default()).unwrap(),
        }
    }
    writer.finish().unwrap().into_inner()
}

fn unpacked(bytes: &[u8]) -> Result<tempfile::TempDir, PackageError> {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("in");
    fs::create_dir(&target).unwrap();
    let result = unpack(bytes, &target);
    let beside: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(beside, ["in"], "something was written beside the folder");
    result.map(|_| folder)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn unpacks_files_folders_and_inward_links() {
    let bytes = zip(&[
        File("index.py", 0o600, b"x = 1\n"),
        File("bin/tool", 0o4711, b"#!/bin/sh\n"),
        Folder("empty/"),
        Link("node_modules/.bin/tool", "../../bin/tool"),
    ]);
    let folder = unpacked(&bytes).unwrap();
    let root = folder.path().join("in");
    assert_eq!(fs::read(root.join("index.py")).unwrap(), b"x = 1\n");
    assert_eq!(mode(&root.join("index.py")), 0o644);
    assert_eq!(mode(&root.join("bin/tool")), 0o755);
    assert!(root.join("empty").is_dir());
    assert_eq!(fs::read(root.join("node_modules/.bin/tool")).unwrap(), b"#!/bin/sh\n");
}

#[test]
fn refuses_what_reaches_outside() {
    let far = "../".repeat(30) + "tmp/x";
    for (what, bytes) in [
        ("parent", zip(&[File("../evil.py", 0o644, b"")])),
        ("hidden parent", zip(&[File("a/../../evil.py", 0o644, b"")])),
        ("absolute", zip(&[File("/tmp/evil.py", 0o644, b"")])),
        ("backslash", zip(&[File("..\\evil.py", 0o644, b"")])),
        ("outward link", zip(&[Link("a", &far)])),
        ("absolute link", zip(&[Link("a", "/etc/passwd")])),
        ("link one above", zip(&[Link("a/b", "../..")])),
        ("chain of links", zip(&[Folder("a/b/"), Link("a/b/up", "../.."), Link("out", "a/b/up/..")])),
        ("through a link", zip(&[Link("a", "b"), File("a/../../x", 0o644, b"")])),
        ("file and folder", zip(&[File("a", 0o644, b""), File("a/b", 0o644, b"")])),
        ("long name", zip(&[File(&"n".repeat(300), 0o644, b"")])),
    ] {
        match unpacked(&bytes) {
            Err(PackageError::Invalid(_)) => {}
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[test]
fn a_file_is_not_written_through_a_link() {
    let bytes = zip(&[Folder("real/"), Link("link", "real"), File("link/x", 0o644, b"")]);
    // The file makes a folder named `link`, so the link cannot be made.
    assert!(matches!(unpacked(&bytes), Err(PackageError::Invalid(_))));
}

#[test]
fn refuses_what_is_not_a_zip() {
    let good = zip(&[File("a.py", 0o644, &[7; 5000])]);
    for bytes in [&b""[..], b"hello", &good[..good.len() / 2], &[0x50, 0x4b, 3, 4]] {
        assert!(matches!(unpacked(bytes), Err(PackageError::Invalid(_))), "{} bytes", bytes.len());
    }
    let mut damaged = good;
    damaged[60] ^= 0xff;
    assert!(matches!(unpacked(&damaged), Err(PackageError::Invalid(_))));
    assert!(matches!(unpacked(&zip(&[])), Err(PackageError::Empty)));
}

#[test]
fn refuses_a_bomb_before_it_fills_the_disk() {
    let zeros = vec![0; 1 << 20];
    let bytes = zip(&[File("one", 0o644, &zeros), File("two", 0o644, &zeros), File("three", 0o644, &zeros)]);
    assert!(bytes.len() < 1 << 14);
    let folder = tempfile::tempdir().unwrap();
    let refused = unpack::unpack_within(&bytes, folder.path(), 2 << 20);
    assert!(matches!(refused, Err(PackageError::TooLarge)), "{refused:?}");
    assert!(!folder.path().join("three").exists() || fs::metadata(folder.path().join("three")).unwrap().len() == 0);
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(unpack::unpack_within(&bytes, folder.path(), 3 << 20).unwrap(), 3 << 20);
}

#[test]
fn refuses_folders_nested_without_end() {
    let deep = |levels: usize| zip(&[File(&format!("{}x", "d/".repeat(levels)), 0o644, b"")]);
    assert!(unpacked(&deep(127)).is_ok());
    assert!(matches!(unpacked(&deep(128)), Err(PackageError::Invalid(_))));
    assert!(matches!(unpacked(&deep(2000)), Err(PackageError::Invalid(_))));
}

#[test]
fn removes_folders_nested_beyond_any_path() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    // As a function would: each level made in the one above, the whole far longer than a path may be.
    let script = "import os\nfor n in range(5000):\n os.mkdir('d' * 20); os.chdir('d' * 20); open('f', 'w').close()\n";
    let made = std::process::Command::new("python3").args(["-c", script]).current_dir(&root).status().unwrap();
    assert!(made.success());
    fs::set_permissions(root.join("d".repeat(20)), fs::Permissions::from_mode(0o555)).unwrap();
    remove_tree(&root).unwrap();
    assert!(!root.exists());
    remove_tree(&root).unwrap();
}

#[test]
fn a_working_copy_is_its_own() {
    let folder = unpacked(&zip(&[File("a/b.py", 0o644, b"one"), Link("c", "a/b.py")])).unwrap();
    let code = folder.path().join("in");
    let copy = WorkingCopy::make(folder.path().join("copy"), CodeAt::Package(&code), Some(&code)).unwrap();
    assert_eq!(mode(&copy.task()), 0o555);
    let file = copy.task().join("a/b.py");
    assert_eq!(mode(&file), 0o444);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(copy.task().join("c"), b"two").unwrap();
    assert_eq!(fs::read(code.join("a/b.py")).unwrap(), b"one");
    assert_eq!(fs::read(copy.opt().join("a/b.py")).unwrap(), b"one");
    copy.remove();
    assert!(!folder.path().join("copy").exists());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// However a zip is damaged, nothing is written beside its folder (which `unpacked` looks at) and nothing panics.
    #[test]
    fn damaged_zips_stay_inside(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
        let mut bytes = zip(&[
            File("index.py", 0o644, b"x = 1"),
            Folder("folder/"),
            File("folder/file", 0o755, &[65; 300]),
            Link("link", "folder/file"),
        ]);
        for (index, byte) in changes {
            let length = bytes.len();
            bytes[index.index(length)] = byte;
        }
        // Either outcome is fine.
        let _ = unpacked(&bytes);
    }
}
