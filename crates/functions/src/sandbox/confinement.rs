//! The layers that a process puts on itself: capabilities, Landlock, seccomp. Each is tried once, in a child of the
//! launcher's, so that one that this host lacks is left out by itself and can be told.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use rustix::net::RecvFlags;
use rustix::thread::UnshareFlags;

use super::landlock::{self, Paths};
use super::order::{Setup, Surroundings};
use super::{Layer, SandboxMode, channel, init, limits, namespaces, privileges, syscalls};

/// What the first process of each environment puts on itself.
#[derive(Debug, Clone)]
pub(super) struct Confinement {
    capabilities: bool,
    landlock: bool,
    seccomp: bool,
    directory: PathBuf,
    runtime: PathBuf,
}

/// Names of the layers, as in the documentation.
const CAPABILITIES: &str = "capabilities";
const LANDLOCK: &str = "landlock";
const SECCOMP: &str = "seccomp";

impl Confinement {
    /// What is wanted and can be had, and what is to be said about it.
    pub(super) fn find(setup: &Setup) -> (Confinement, Vec<Layer>) {
        let is_wanted = setup.mode != SandboxMode::Off;
        let layer = |name: &str, attempt: fn() -> io::Result<()>| match is_wanted.then(|| attempt_in_child(attempt)) {
            None => Layer::off(name),
            Some(Ok(())) => Layer::active(name),
            Some(Err(why)) => Layer::missing(name, why),
        };
        let layers = vec![
            layer(CAPABILITIES, privileges::drop_capabilities),
            layer(LANDLOCK, try_landlock),
            layer(SECCOMP, try_seccomp),
        ];
        let confinement = Confinement {
            capabilities: layers[0].is_active(),
            landlock: layers[1].is_active(),
            seccomp: layers[2].is_active(),
            directory: setup.directory.clone(),
            runtime: setup.runtime.clone(),
        };
        (confinement, layers)
    }

    /// Puts them on this process and those it will start.
    pub(super) fn apply(&self, surroundings: &Surroundings, has_own_root: bool) -> io::Result<()> {
        privileges::give_up()?;
        if has_own_root {
            limits::bound_processes()?;
        }
        if self.landlock {
            let paths = match has_own_root {
                true => Paths::own_root(),
                false => {
                    Paths::of_host(&surroundings.installation, &self.directory, &self.runtime, surroundings.number)
                }
            };
            landlock::confine(&paths)?;
        }
        if self.capabilities {
            privileges::drop_capabilities()?;
        }
        if self.seccomp {
            syscalls::refuse()?;
        }
        Ok(())
    }
}

fn try_landlock() -> io::Result<()> {
    landlock::confine(&Paths { read: vec![PathBuf::from("/usr")], write: Vec::new() }).map_err(|_| {
        io::Error::other("the kernel has no Landlock, or it is not switched on (`lsm=` of the kernel's command line)")
    })?;
    match File::open("/") {
        Err(_) => Ok(()),
        Ok(_) => Err(io::Error::other("what it forbids can be opened all the same")),
    }
}

fn try_seccomp() -> io::Result<()> {
    privileges::give_up()?;
    syscalls::refuse().map_err(|error| io::Error::other(format!("the kernel takes no filter: {error}")))?;
    // Asks for nothing, and so succeeds where it is not refused.
    match namespaces::unshare(UnshareFlags::empty()) {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => Ok(()),
        _ => Err(io::Error::other("what it refuses succeeds all the same")),
    }
}

/// Tries something that cannot be undone.
fn attempt_in_child(attempt: fn() -> io::Result<()>) -> Result<(), String> {
    let (told, tell) = channel::pair().map_err(|error| error.to_string())?;
    let Some(child) = init::fork().map_err(|error| error.to_string())? else {
        let result = attempt().map_err(|error| error.to_string());
        let _ = channel::send(&tell, &result, &[]);
        init::end(0)
    };
    drop(tell);
    let result = channel::receive::<Result<(), String>>(&told, RecvFlags::empty());
    let _ = rustix::process::waitpid(Some(child), rustix::process::WaitOptions::empty());
    match result {
        Ok(Some((result, _))) => result,
        Ok(None) => Err("the process that tried has ended".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
