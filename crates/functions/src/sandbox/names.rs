//! How this host finds names (`/etc/resolv.conf`, `/etc/hosts`): a laptop that changes networks writes them anew, and functions
//! that run see the new ones. The kernel tells when it is time to look (inotify).

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};

/// The files.
pub(super) const FILES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];

/// See the module.
#[derive(Debug)]
pub(super) struct Names(OwnedFd);

impl Names {
    /// Begins to watch the files of the current mount namespace.
    ///
    /// # Errors
    /// The system's: a user may have only so many watches.
    pub(super) fn watch() -> io::Result<Names> {
        let names = Names(inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?);
        names.watch_again();
        Ok(names)
    }

    /// What becomes readable when the files may have changed.
    pub(super) fn changes(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Forgets what has been told, and watches what the files are now: others may be in their places.
    pub(super) fn watch_again(&self) {
        let mut space = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.0, &mut space);
        while reader.next().is_ok() {}
        let what = WatchFlags::CLOSE_WRITE | WatchFlags::CREATE | WatchFlags::MOVED_TO;
        for file in FILES.map(Path::new) {
            // The folder, in which a link or another file may come to be; the file, which may be a mount; and, where it is a
            // link, the folder to which that leads.
            let file_itself = fs::canonicalize(file).ok();
            let paths = [file.parent(), file_itself.as_deref(), file_itself.as_deref().and_then(Path::parent)];
            for path in paths.into_iter().flatten() {
                // What cannot be watched is copied at the next start.
                let _ = inotify::add_watch(&self.0, path, what);
            }
        }
    }
}
