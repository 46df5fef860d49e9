//! Layer: files. What an environment sees: a root of its own, not writable, with what runtimes need of this host.
//!
//! Two mount namespaces take part besides the environments' own. `host` is a copy of this host's; nothing is changed
//! there, and trees are taken from it. `base` holds an almost complete root, below `/root`, from which each environment's
//! is copied; so the launcher does for a start only what differs: `/tmp`, `/proc`, the code and the layers.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_change, move_mount,
    open_tree, unmount,
};
use rustix::process::pivot_root;
use rustix::thread::UnshareFlags;

use super::names::{self, Names};
use super::namespaces::{self, GROUP, USER};
use super::order::{Contents, Surroundings};

/// Where the environments' root is in `base`.
const ROOT: &str = "/root";

/// Folders of the host that are seen whole. Links among them (`/lib` is one mostly) stay links.
pub(super) const FOLDERS: [&str; 12] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/nix/store",
];

/// Small files of the host that are copied, and the files of such folders: names, addresses, certificates, the loader's cache.
pub(super) const FILES: [&str; 16] = [
    "/etc/alternatives",
    "/etc/ca-certificates.conf",
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/networks",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
];

/// Devices of the host.
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

/// Folders in which mounting waits until an environment's own are there.
const OWN: [&str; 3] = ["/tmp", "/opt", "/var/task"];

/// The largest file that is copied.
const COPIED_BYTES: u64 = 1 << 20;

/// How many files and folders a `/tmp` may have.
const TEMPORARY_FILES: u32 = 200_000;

/// The roots of the environments.
#[derive(Debug)]
pub(super) struct Roots {
    host: OwnedFd,
    base: OwnedFd,
    /// Tells that this host finds names in another way; nothing where that cannot be watched.
    names: Option<Names>,
    /// Installations that `base` has beside the usual folders.
    installed: BTreeSet<PathBuf>,
}

/// What the launcher has taken from `host` for one environment.
#[derive(Debug)]
pub(super) struct Trees {
    contents: Vec<(OwnedFd, PathBuf)>,
    /// Of the interpreter, below a folder in which each environment has something of its own.
    installation: Vec<(OwnedFd, PathBuf, bool)>,
    /// The `/tmp` of an environment that has ended.
    temporary: Option<OwnedFd>,
}

impl Roots {
    /// Prepares the root. The calling process is in `host`; afterwards it is in `base`.
    pub(super) fn prepare(directory: &Path, runtime: &Path) -> io::Result<Roots> {
        let copied: Vec<(PathBuf, Copied)> = FILES.iter().flat_map(|file| copies(Path::new(file))).collect();
        let mut trees = Vec::new();
        let mut links = Vec::new();
        for folder in FOLDERS.map(Path::new) {
            match fs::symlink_metadata(folder) {
                Ok(metadata) if metadata.is_dir() => trees.push((take(folder)?, folder)),
                Ok(metadata) if metadata.is_symlink() => links.push((folder, fs::read_link(folder)?)),
                _ => {}
            }
        }
        trees.push((take(runtime)?, Path::new(super::RUNTIME)));
        let mut devices = Vec::new();
        for device in DEVICES {
            devices.push((clone_tree(&Path::new("/dev").join(device), false)?, device));
        }
        let proc = clone_tree(Path::new("/proc"), true)?;
        let names = Names::watch().ok();

        let host = namespaces::mounts()?;
        namespaces::unshare(UnshareFlags::NEWNS)?;
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        temporary(directory, "size=1m,mode=755")?;
        become_root(directory)?;
        for folder in [ROOT, "/proc"] {
            fs::create_dir(folder)?;
        }
        // A new /proc may be mounted only where one can be seen already.
        place(&proc, Path::new("/proc"))?;
        temporary(Path::new(ROOT), "size=16m,mode=755")?;
        for folder in ["proc", "dev", "tmp", "opt", "var/task", "var/runtime", "etc"] {
            make_folder(&inside(Path::new(folder)))?;
        }
        for (tree, folder) in &trees {
            make_folder(&inside(folder))?;
            place(tree, &inside(folder))?;
        }
        for (device, name) in &devices {
            File::create(inside(Path::new("dev")).join(name))?;
            place(device, &inside(Path::new("dev")).join(name))?;
        }
        for (link, to) in links {
            symlink(to, inside(link))?;
        }
        for (link, to) in [("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")] {
            symlink(format!("/proc/self/fd{to}"), inside(Path::new("dev")).join(link))?;
        }
        for (path, copied) in copied {
            copied.put(&inside(&path))?;
        }
        write_accounts()?;
        write_entrypoint()?;
        Ok(Roots { host, base: namespaces::mounts()?, names, installed: BTreeSet::new() })
    }

    /// Takes what an environment needs from `host`, and puts what others may use too into `base`. It gets the `/tmp` of its
    /// predecessor, of which the mount namespace is given, if there is one.
    pub(super) fn take(&mut self, surroundings: &Surroundings, predecessor: Option<&OwnedFd>) -> io::Result<Trees> {
        namespaces::enter_mounts(&self.host)?;
        let taken = self.take_here(surroundings).and_then(|(mut trees, shared)| {
            trees.temporary = predecessor.map(take_temporary).transpose()?;
            Ok((trees, shared))
        });
        namespaces::enter_mounts(&self.base)?;
        let (trees, shared) = taken?;
        if self.names.is_none() {
            self.renew_names()?;
        }
        for (tree, path, is_folder) in shared {
            make_target(&inside(&path), is_folder)?;
            place(&tree, &inside(&path))?;
            self.installed.insert(path);
        }
        Ok(trees)
    }

    #[expect(clippy::type_complexity, reason = "read once, two lines above")]
    fn take_here(&self, surroundings: &Surroundings) -> io::Result<(Trees, Vec<(OwnedFd, PathBuf, bool)>)> {
        let (mut own, mut shared) = (Vec::new(), Vec::new());
        for path in &surroundings.installation {
            let is_there = FOLDERS.map(Path::new).iter().any(|folder| path.starts_with(folder));
            if is_there || self.installed.contains(path) {
                continue;
            }
            let list = if OWN.iter().any(|folder| path.starts_with(folder)) { &mut own } else { &mut shared };
            list.push((take(path)?, path.clone(), path.is_dir()));
        }
        let contents = surroundings.contents.as_ref().map_or(Ok(Vec::new()), take_contents)?;
        Ok((Trees { contents, installation: own, temporary: None }, shared))
    }

    /// What becomes readable when names may have to be renewed.
    pub(super) fn changes(&self) -> Option<BorrowedFd<'_>> {
        self.names.as_ref().map(Names::changes)
    }

    /// Copies what tells how to find names once more. All environments have the same copy.
    pub(super) fn renew_names(&self) -> io::Result<()> {
        namespaces::enter_mounts(&self.host)?;
        if let Some(names) = &self.names {
            // First, so that no change is missed.
            names.watch_again();
        }
        let copied: Vec<(PathBuf, Copied)> = names::FILES.iter().flat_map(|file| copies(Path::new(file))).collect();
        namespaces::enter_mounts(&self.base)?;
        let new = inside(Path::new("/etc/.new"));
        copied.into_iter().try_for_each(|(path, copied)| {
            // Nobody finds half a file.
            copied.put(&new)?;
            fs::rename(&new, inside(&path))
        })
    }

    /// Makes code and layers appear in an environment that runs.
    pub(super) fn furnish(&self, environment: &OwnedFd, contents: &Contents) -> io::Result<()> {
        namespaces::enter_mounts(&self.host)?;
        let trees = take_contents(contents);
        let furnished = trees.and_then(|trees| {
            namespaces::enter_mounts(environment)?;
            trees.iter().try_for_each(|(tree, path)| place(tree, path))
        });
        namespaces::enter_mounts(&self.base)?;
        furnished
    }
}

/// Makes the copied `base` an environment's root. Runs in its first process, before that gives anything up.
pub(super) fn settle(trees: &Trees, temporary_mb: u32, owner: u32) -> io::Result<()> {
    match &trees.temporary {
        Some(tree) => place(tree, &inside(Path::new("tmp")))?,
        None => {
            let options = format!("size={temporary_mb}m,nr_inodes={TEMPORARY_FILES},mode=1777,uid={owner},gid={owner}");
            temporary(&inside(Path::new("tmp")), &options)?;
        }
    }
    mount(
        "proc",
        inside(Path::new("proc")),
        "proc",
        MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC,
        None,
    )?;
    for (tree, path) in &trees.contents {
        place(tree, &inside(path))?;
    }
    for (tree, path, is_folder) in &trees.installation {
        make_target(&inside(path), *is_folder)?;
        place(tree, &inside(path))?;
    }
    become_root(Path::new(ROOT))?;
    let root = open_tree(CWD, "/", OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
    protect(&root, false)
}

/// The code and the layers.
fn take_contents(contents: &Contents) -> io::Result<Vec<(OwnedFd, PathBuf)>> {
    let mut trees = vec![(take(&contents.code)?, PathBuf::from("/var/task"))];
    if let Some(opt) = &contents.opt {
        trees.push((take(opt)?, PathBuf::from("/opt")));
    }
    Ok(trees)
}

/// The `/tmp` of an environment, without what is mounted in it. Leaves the calling process in that environment's mounts.
fn take_temporary(environment: &OwnedFd) -> io::Result<OwnedFd> {
    namespaces::enter_mounts(environment)?;
    clone_tree(Path::new("/tmp"), false)
}

/// A tree of the current mount namespace, not writable, to be placed elsewhere.
fn take(path: &Path) -> io::Result<OwnedFd> {
    let tree = clone_tree(path, true).map_err(|error| at(path, &error))?;
    protect(&tree, true).map_err(|error| at(path, &error))?;
    Ok(tree)
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn clone_tree(path: &Path, recursive: bool) -> io::Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    Ok(open_tree(CWD, path, flags)?)
}

fn place(tree: &OwnedFd, target: &Path) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(tree, "", CWD, target, flags).map_err(|error| at(target, &error.into()))
}

/// Makes a mounted tree read-only, without devices and set-user-id programs.
#[expect(unsafe_code, reason = "rustix lacks this system call")]
fn protect(tree: &OwnedFd, recursive: bool) -> io::Result<()> {
    #[repr(C)]
    struct Attributes {
        set: u64,
        clear: u64,
        propagation: u64,
        user_namespace: u64,
    }
    let attributes = Attributes {
        set: libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV,
        clear: 0,
        propagation: 0,
        user_namespace: 0,
    };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the kernel reads an empty text and the structure, whose size it is told.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<Attributes>(),
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn temporary(target: &Path, options: &str) -> io::Result<()> {
    let options = std::ffi::CString::new(options).expect("the options are made here, of numbers and names");
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", target, "tmpfs", flags, options.as_c_str()).map_err(|error| at(target, &error.into()))
}

/// Makes a mount the root, and lets go of the old one.
fn become_root(path: &Path) -> io::Result<()> {
    rustix::process::chdir(path)?;
    pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    Ok(rustix::process::chdir("/")?)
}

/// A path of the environment's in `base`.
fn inside(path: &Path) -> PathBuf {
    Path::new(ROOT).join(path.strip_prefix("/").unwrap_or(path))
}

fn make_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(path).map_err(|error| at(path, &error))
}

fn make_target(path: &Path, is_folder: bool) -> io::Result<()> {
    if is_folder {
        return make_folder(path);
    }
    make_folder(path.parent().unwrap_or(Path::new("/")))?;
    File::options().append(true).create(true).open(path).map(drop).map_err(|error| at(path, &error))
}

/// A file or link of the host, remembered.
enum Copied {
    File(Vec<u8>),
    Link(PathBuf),
}

impl Copied {
    fn put(self, path: &Path) -> io::Result<()> {
        make_folder(path.parent().unwrap_or(Path::new("/")))?;
        match self {
            Copied::Link(to) => symlink(to, path),
            Copied::File(bytes) => {
                fs::write(path, bytes)?;
                fs::set_permissions(path, Permissions::from_mode(0o644))
            }
        }
    }
}

/// A file, or the files and links of a folder. Links that lead to what is seen stay; others are followed.
fn copies(path: &Path) -> Vec<(PathBuf, Copied)> {
    if path.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        return entries.filter(|entry| !entry.path().is_dir()).flat_map(|entry| copies(&entry.path())).collect();
    }
    let copied = match fs::read_link(path) {
        Ok(to) if to.starts_with("/usr") || to.starts_with("../usr") => Some(Copied::Link(to)),
        _ => fs::metadata(path)
            .ok()
            .filter(|metadata| metadata.is_file() && metadata.len() <= COPIED_BYTES)
            .and_then(|_| fs::read(path).ok())
            .map(Copied::File),
    };
    copied.map(|copied| (path.to_owned(), copied)).into_iter().collect()
}

/// What AWS's container images begin with: there on Lambda too, where programs find out by it that they run there.
fn write_entrypoint() -> io::Result<()> {
    let file = inside(Path::new("/lambda-entrypoint.sh"));
    fs::write(&file, "#!/bin/sh\nexec \"$@\"\n")?;
    fs::set_permissions(file, Permissions::from_mode(0o755))
}

/// The accounts that an environment knows: AWS's user of functions, and those that stand for all of the host's.
fn write_accounts() -> io::Result<()> {
    let passwd = format!(
        "root:x:0:0:root:/root:/sbin/nologin\nsbx_user1051:x:{USER}:{GROUP}::/home/sbx_user1051:/sbin/nologin\n\
         nobody:x:65534:65534:nobody:/:/sbin/nologin\n"
    );
    let group = format!("root:x:0:\nsbx_user1051:x:{GROUP}:\nnogroup:x:65534:\n");
    for (file, text) in [("/etc/passwd", passwd), ("/etc/group", group)] {
        Copied::File(text.into_bytes()).put(&inside(Path::new(file)))?;
    }
    Ok(())
}
