//! Where groups are to be had: the mounted hierarchy, our own group in it, and whether it is ours to divide.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use super::limits::{Controllers, USED};

/// The group that Frontgate moves into where its own must be empty to be divided.
const SERVER: &str = "frontgate-server";

/// Where systemd has the hierarchy in its hands.
const SYSTEMD: &str = "/run/systemd/system";

/// The marks of a group that systemd leaves to those in it. All may read the first (systemd 251), root the second.
const DELEGATED: [&str; 2] = ["user.delegate", "trusted.delegate"];

/// A group in which this process is, or was when it was found.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    /// Its folder.
    folder: PathBuf,
    /// Its name in the hierarchy, for people.
    name: String,
}

/// Our own group, to make others in.
///
/// # Errors
/// Why there is none, for people.
pub(super) fn own_group() -> Result<OwnedFd, String> {
    let told = |file: &str| fs::read_to_string(file).map_err(|error| format!("{file}: {error}"));
    let place = find(&told("/proc/self/mountinfo")?, &told("/proc/self/cgroup")?)?;
    let Place { folder, name } = &place;
    // Whoever divides what systemd has in its hands loses it at the next turn.
    if name != "/" && Path::new(SYSTEMD).exists() && !is_marked(folder) {
        return Err(format!("systemd has not delegated the group {name} to Frontgate"));
    }
    let group = super::open(rustix::fs::CWD, &folder.to_string_lossy());
    group.map_err(|error| format!("the group {name} cannot be opened: {error}"))
}

fn is_marked(folder: &Path) -> bool {
    DELEGATED.iter().any(|name| {
        let mut value = [0; 8];
        rustix::fs::getxattr(folder, *name, &mut value[..]).is_ok_and(|length| value[..length] == *b"1")
    })
}

/// Finds our group by what `/proc/self/mountinfo` and `/proc/self/cgroup` say.
fn find(mounts: &str, groups: &str) -> Result<Place, String> {
    let Some(name) = groups.lines().find_map(|line| line.strip_prefix("0::")) else {
        return Err("the kernel has no cgroup v2".to_owned());
    };
    let mut is_mounted = false;
    for (root, mount) in mounts.lines().filter_map(hierarchy) {
        is_mounted = true;
        let Ok(below) = Path::new(name).strip_prefix(&root) else { continue };
        if below.components().all(|part| matches!(part, Component::Normal(_))) {
            return Ok(Place { folder: mount.join(below), name: name.to_owned() });
        }
    }
    match is_mounted {
        true => Err(format!("its group {name} is outside of what is mounted here of cgroup v2")),
        false => Err("no cgroup v2 is mounted".to_owned()),
    }
}

/// What a line of `mountinfo` mounts of cgroup v2, and where.
fn hierarchy(line: &str) -> Option<(PathBuf, PathBuf)> {
    let (mount, kind) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(3);
    let (root, place) = (fields.next()?, fields.next()?);
    kind.starts_with("cgroup2 ").then(|| (unescape(root), unescape(place)))
}

/// Takes back that blanks and the like are written as `\040`.
fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let number = std::str::from_utf8(after.get(..3).unwrap_or_default()).unwrap_or_default();
        match u8::from_str_radix(number, 8) {
            Ok(byte) if *first == b'\\' && number.len() == 3 => {
                bytes.push(byte);
                rest = &after[3..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

/// Has what is made in a group get the controllers that the group has, as far as that can be; returns which it gets. A group
/// with processes cannot give them on (but the first of all): if only this process is in it, it moves into one below.
pub(super) fn give_on_controllers(group: &OwnedFd) -> Controllers {
    let list = |file| super::read(group, file).unwrap_or_default();
    let (there, given) = (list("cgroup.controllers"), list("cgroup.subtree_control"));
    let is_in = |list: &str, name: &str| list.split_whitespace().any(|listed| listed == name);
    for name in USED.iter().filter(|name| is_in(&there, name) && !is_in(&given, name)) {
        let give = || super::write(group, "cgroup.subtree_control", &format!("+{name}"));
        if give().is_err_and(|error| error.kind() == io::ErrorKind::ResourceBusy) && is_alone(group) {
            // What is not given is not there: the kernel is asked at the end.
            let _ = move_below(group).and_then(|()| give());
        }
    }
    Controllers::parse(&list("cgroup.subtree_control"))
}

/// Whether this process is the only one of a group.
fn is_alone(group: &OwnedFd) -> bool {
    let own = std::process::id().to_string();
    super::read(group, "cgroup.procs").is_ok_and(|list| list.lines().all(|process| process == own) && !list.is_empty())
}

fn move_below(group: &OwnedFd) -> io::Result<()> {
    let below = super::make(group, SERVER).or_else(|_| super::open(group, SERVER))?;
    super::enter(&below)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYSTEMD_HOST: &str = "\
        24 30 0:22 / /proc rw,nosuid shared:5 - proc proc rw\n\
        30 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
        33 30 0:28 / /sys/fs/cgroup rw,nosuid shared:9 master:3 - cgroup2 cgroup2 rw,nsdelegate\n";

    fn found(mounts: &str, groups: &str) -> Result<String, String> {
        find(mounts, groups).map(|place| place.folder.to_str().unwrap().to_owned())
    }

    #[test]
    fn finds_the_own_group() {
        assert_eq!(
            found(SYSTEMD_HOST, "0::/system.slice/frontgate.service\n").unwrap(),
            "/sys/fs/cgroup/system.slice/frontgate.service"
        );
        assert_eq!(found(SYSTEMD_HOST, "0::/\n").unwrap(), "/sys/fs/cgroup/");
        // Version 1 has the controllers; blanks in names.
        let hybrid = "33 30 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                      34 30 0:29 / /sys/fs/my\\040groups/unified rw - cgroup2 none rw\n";
        assert_eq!(found(hybrid, "2:cpu:/elsewhere\n0::/here\n").unwrap(), "/sys/fs/my groups/unified/here");
        // A part of the hierarchy is mounted.
        let part = "33 30 0:28 /docker/1 /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(found(part, "0::/docker/1/sub\n").unwrap(), "/sys/fs/cgroup/sub");
    }

    #[test]
    fn says_why_there_is_none() {
        let why = |mounts: &str, groups: &str| found(mounts, groups).unwrap_err();
        assert_eq!(why(SYSTEMD_HOST, "1:cpu:/x\n"), "the kernel has no cgroup v2");
        assert_eq!(why("24 30 0:22 / /proc rw - proc proc rw\n", "0::/x\n"), "no cgroup v2 is mounted");
        let outside = "its group /docker/2 is outside of what is mounted here of cgroup v2";
        assert_eq!(why("33 30 0:28 /docker/1 /sys/fs/cgroup rw - cgroup2 c rw\n", "0::/docker/2\n"), outside);
        assert!(why(SYSTEMD_HOST, "0::/../other\n").contains("is outside of what"));
        assert_eq!(why("", ""), "the kernel has no cgroup v2");
    }

    #[test]
    fn escapes_are_taken_back() {
        for (written, meant) in [("a\\040b", "a b"), ("\\134", "\\"), ("\\04", "\\04"), ("\\999", "\\999"), ("", "")] {
            assert_eq!(unescape(written), Path::new(meant), "{written}");
        }
    }

    /// A folder that stands in for a group.
    fn group(folder: &Path, controllers: &str, processes: &str) -> OwnedFd {
        let files = [("cgroup.controllers", controllers), ("cgroup.subtree_control", ""), ("cgroup.procs", processes)];
        for (file, text) in files {
            fs::write(folder.join(file), text).unwrap();
        }
        super::super::open(rustix::fs::CWD, folder.to_str().unwrap()).unwrap()
    }

    #[test]
    fn gives_on_what_we_have_a_use_for() {
        let folder = tempfile::tempdir().unwrap();
        let control = || fs::read_to_string(folder.path().join("cgroup.subtree_control")).unwrap();
        give_on_controllers(&group(folder.path(), "cpuset io hugetlb\n", ""));
        assert_eq!(control(), "");
        give_on_controllers(&group(folder.path(), "cpuset memory io\n", ""));
        assert_eq!(control(), "+memory");
    }

    #[test]
    fn is_alone_only_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let own = std::process::id();
        let alone = |processes: &str| is_alone(&group(folder.path(), "", processes));
        assert!(alone(&format!("{own}\n")) && alone(&format!("{own}\n{own}\n")));
        assert!(!alone("") && !alone(&format!("1\n{own}\n")) && !alone("0\n"));
    }
}
