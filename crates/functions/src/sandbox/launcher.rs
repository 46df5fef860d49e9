//! The launcher: a small process with one thread from which all environments are made.
//!
//! It is this program itself, started again with a word that only Frontgate says ([`run_if_asked`]), so that it shares
//! nothing with the process that serves: no memory, no descriptors, no variables. Making a child of it is cheap, and it may
//! do what a process with threads may not (enter namespaces, allocate between `fork` and `exec`). Frontgate's variables
//! and the functions' never pass through its memory.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use rustix::net::{RecvFlags, SocketType};
use rustix::process::Pid;

use super::confinement::Confinement;
use super::init::{self, Start};
use super::namespaces::{self, Cloned, Ids};
use super::order::{Contents, Failure, HIDDEN_ARGUMENT, Order, Ready, Report, Setup, Surroundings};
use super::root::Roots;
use super::signals::{self, Children};
use super::{Layer, SandboxMode, cgroup, channel, descriptors, lifetime};

/// The namespaces that every environment has for itself, apart from that of its users.
const NAMESPACES: libc::c_int = libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;

struct Launcher {
    socket: OwnedFd,
    place: Option<(Roots, Ids)>,
    confinement: Confinement,
    children: Children,
    /// Those that have not ended, by their first processes, with the numbers of their groups.
    environments: HashMap<Pid, Option<u64>>,
    groups: Option<cgroup::Environments>,
}

/// Becomes the launcher of functions if Frontgate has started this process as one, and then does not return. A program
/// that runs functions calls it before anything else, while it has one thread.
pub fn run_if_asked() {
    let mut arguments = std::env::args_os();
    let is_asked = arguments.nth(1).is_some_and(|argument| argument == HIDDEN_ARGUMENT) && arguments.next().is_none();
    if is_asked {
        // Whoever says the word without being Frontgate gets nothing. Nobody, not even a child that panics, goes on from here
        // as if it were the program.
        let _ = std::panic::catch_unwind(|| inherited_socket().and_then(serve));
        init::end(0);
    }
}

#[expect(unsafe_code, reason = "the socket is inherited by its number")]
fn inherited_socket() -> io::Result<OwnedFd> {
    // SAFETY: the process has just begun, and nothing in it has opened or owns that descriptor; if nobody has passed one
    // on, the next line fails.
    let socket = unsafe { OwnedFd::from_raw_fd(descriptors::SOCKET) };
    match rustix::net::sockopt::socket_type(&socket) {
        Ok(SocketType::SEQPACKET) => Ok(socket),
        _ => {
            std::mem::forget(socket);
            Err(io::ErrorKind::InvalidInput.into())
        }
    }
}

fn serve(socket: OwnedFd) -> io::Result<()> {
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    let Some((setup, folder)) = channel::receive::<Setup>(&socket, RecvFlags::empty())? else { return Ok(()) };
    lifetime::adopt()?;
    let (confinement, own) = Confinement::find(&setup);
    let (place, mut layers) = place(&setup);
    layers.extend(own);
    let (groups, layer) = groups(&setup, folder.into_iter().next());
    layers.push(layer);
    let controllers = groups.as_ref().map(cgroup::Environments::controllers).unwrap_or_default();
    channel::send(&socket, &Ready { layers, controllers }, &[])?;
    let mut launcher =
        Launcher { socket, place, confinement, children: Children::new()?, environments: HashMap::new(), groups };
    loop {
        let names = launcher.place.as_ref().and_then(|(roots, _)| roots.changes());
        let due = launcher.children.wait(launcher.socket.as_fd(), names);
        if due.other
            && let Some((roots, _)) = &launcher.place
        {
            // What cannot be renewed stays as it is.
            let _ = roots.renew_names();
        }
        if due.children {
            launcher.tidy_up();
        }
        if due.message {
            match channel::receive::<Order>(&launcher.socket, RecvFlags::DONTWAIT) {
                Ok(Some((order, descriptors))) => launcher.obey(order, descriptors),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Frontgate is gone. What is below this process goes with it.
                Ok(None) | Err(_) => {
                    lifetime::kill_children(|_| false);
                    return Ok(());
                }
            }
        }
    }
}

/// The control groups, where there are any, and what is to be said about them.
fn groups(setup: &Setup, folder: Option<OwnedFd>) -> (Option<cgroup::Environments>, Layer) {
    if setup.mode == SandboxMode::Off {
        return (None, Layer::off(cgroup::NAME));
    }
    let found = match (folder, &setup.without_group) {
        (Some(folder), None) => cgroup::Environments::find(folder).map_err(|error| error.to_string()),
        (_, why) => Err(why.clone().unwrap_or_default()),
    };
    match found {
        Ok(groups) => {
            let names = groups.controllers().names();
            let how = match names.is_empty() {
                true => "groups without controllers: none of cpu, memory and pids is given to Frontgate's".to_owned(),
                false => format!("groups with the controllers {names}"),
            };
            (Some(groups), Layer::active(cgroup::NAME).by(how))
        }
        Err(why) => (None, Layer::replaced(cgroup::NAME, why)),
    }
}

/// The launcher's own place in namespaces, and what is to be said about it.
fn place(setup: &Setup) -> (Option<(Roots, Ids)>, Vec<Layer>) {
    if setup.mode == SandboxMode::Off {
        return (None, vec![Layer::off("namespaces"), Layer::off("files")]);
    }
    // What fails half-way cannot be undone, so that a child tries it first.
    let entered = try_in_child(setup).and_then(|()| {
        let entered = enter(setup);
        entered.map_err(|(layer, error)| (layer.to_owned(), error.to_string()))
    });
    match entered {
        Ok(place) => (Some(place), vec![Layer::active("namespaces"), Layer::active("files")]),
        Err((layer, why)) => {
            let missing = |name| match name == layer {
                true => Layer::missing(name, why.clone()),
                false => Layer::missing(name, format!("it needs {layer}")),
            };
            (None, vec![missing("namespaces"), missing("files")])
        }
    }
}

fn enter(setup: &Setup) -> Result<(Roots, Ids), (&'static str, io::Error)> {
    let ids = namespaces::enter().map_err(|error| ("namespaces", error))?;
    let roots = Roots::prepare(&setup.directory, &setup.runtime).map_err(|error| ("files", error))?;
    Ok((roots, ids))
}

/// Goes the whole way to an environment once, in a child.
fn try_in_child(setup: &Setup) -> Result<(), (String, String)> {
    let broken = |error: io::Error| ("namespaces".to_owned(), error.to_string());
    let (told, tell) = channel::pair().map_err(broken)?;
    let Some(child) = init::fork().map_err(broken)? else {
        let told = match try_all(setup) {
            Ok(()) => Ok(()),
            Err((layer, error)) => Err((layer.to_owned(), error.to_string())),
        };
        let _ = channel::send(&tell, &told, &[]);
        init::end(0)
    };
    drop(tell);
    let result = channel::receive::<Result<(), (String, String)>>(&told, RecvFlags::empty());
    let _ = rustix::process::waitpid(Some(child), rustix::process::WaitOptions::empty());
    match result {
        Ok(Some((result, _))) => result,
        Ok(None) => Err(("namespaces".to_owned(), "the process that tried has ended".to_owned())),
        Err(error) => Err(broken(error)),
    }
}

fn try_all(setup: &Setup) -> Result<(), (&'static str, io::Error)> {
    let (mut roots, ids) = enter(setup)?;
    let surroundings =
        Surroundings { number: 0, contents: None, installation: Vec::new(), temporary_mb: 1, user: 0, remains: None };
    let trees = roots.take(&surroundings, None).map_err(|error| ("files", error))?;
    let (told, tell) = channel::pair().map_err(|error| ("namespaces", error))?;
    match namespaces::clone(NAMESPACES, None).map_err(|error| ("namespaces", error))? {
        Cloned::Child => {
            let settled = super::root::settle(&trees, 1, ids.of(0)).map_err(|error| ("files", error));
            let settled = settled.and_then(|()| namespaces::enter_as(ids, 0).map_err(|error| ("namespaces", error)));
            let settled = settled.map_err(|(layer, error)| (layer.to_owned(), Failure::new("", &error)));
            let _ = channel::send(&tell, &settled, &[]);
            init::end(0)
        }
        Cloned::Parent(..) => {
            drop(tell);
            match channel::receive::<Result<(), (String, Failure)>>(&told, RecvFlags::empty()) {
                Ok(Some((Err((layer, failure)), _))) => {
                    Err((if layer == "files" { "files" } else { "namespaces" }, failure.into()))
                }
                Ok(Some((Ok(()), _))) => Ok(()),
                Ok(None) => Err(("namespaces", io::Error::other("the process that tried has ended"))),
                Err(error) => Err(("namespaces", error)),
            }
        }
    }
}

impl Launcher {
    fn obey(&mut self, order: Order, descriptors: Vec<OwnedFd>) {
        match order {
            Order::Launch { surroundings, memory_mb } => {
                let mut descriptors = descriptors;
                let predecessor = if descriptors.len() > 4 { descriptors.pop() } else { None };
                let Ok(own) = <[OwnedFd; 4]>::try_from(descriptors) else { return };
                let answer = own[0].try_clone();
                if let Err(failure) = self.launch(surroundings, memory_mb, predecessor, own)
                    && let Ok(answer) = answer
                {
                    let _ = channel::send(&answer, &Report::Failed(failure), &[]);
                }
            }
            Order::Furnish(contents) => {
                let Ok([answer, environment]) = <[OwnedFd; 2]>::try_from(descriptors) else { return };
                let report = match self.furnish(&environment, &contents) {
                    Ok(()) => Report::Furnished,
                    Err(error) => Report::Failed(Failure::new("the function's code cannot be shown", &error)),
                };
                let _ = channel::send(&answer, &report, &[]);
            }
        }
    }

    fn launch(
        &mut self,
        surroundings: Surroundings,
        memory_mb: u32,
        predecessor: Option<OwnedFd>,
        [control, socket, output, programs]: [OwnedFd; 4],
    ) -> Result<(), Failure> {
        let place = match &mut self.place {
            Some((roots, ids)) => {
                let trees = roots.take(&surroundings, predecessor.as_ref());
                Some((trees.map_err(|error| Failure::new("mounts", &error))?, *ids))
            }
            None => None,
        };
        let namespaces = if place.is_some() { NAMESPACES } else { 0 };
        // What is in a `/tmp` on a disk is no memory.
        let files_mb = if place.is_some() { surroundings.temporary_mb } else { 0 };
        let group = self.groups.as_mut().map(|groups| groups.add(memory_mb, files_mb)).transpose();
        let (group, folder) = group.map_err(|error| Failure::new("control group", &error))?.unzip();
        let cloned = namespaces::clone(namespaces, folder.as_ref());
        if let (Err(_), Some(groups), Some(group)) = (&cloned, &mut self.groups, group) {
            groups.end(group);
        }
        match cloned.map_err(|error| Failure::new("clone", &error))? {
            Cloned::Child => {
                let confinement = self.confinement.clone();
                init::run(Start { control, socket, output, programs, surroundings, place, confinement })
            }
            Cloned::Parent(child, descriptor) => {
                self.environments.insert(child, group);
                let cloned = Report::Cloned { pid: child.as_raw_nonzero().get(), group };
                let told = channel::send(&control, &cloned, &[descriptor.as_fd()]);
                if let Some(groups) = &mut self.groups {
                    groups.prepare();
                }
                told.map_err(|error| Failure::new("", &error))
            }
        }
    }

    fn furnish(&self, environment: &OwnedFd, contents: &Contents) -> io::Result<()> {
        match &self.place {
            Some((roots, _)) => roots.furnish(environment, contents),
            None => Err(io::Error::other("there are no namespaces")),
        }
    }

    /// Collects environments that have ended and, where they have no namespace, ends what they have left behind.
    fn tidy_up(&mut self) {
        while let Some((child, _)) = signals::collect() {
            if let (Some(Some(group)), Some(groups)) = (self.environments.remove(&child), &mut self.groups) {
                groups.end(group);
            }
        }
        if self.place.is_none() {
            lifetime::kill_children(|child| self.environments.contains_key(&child));
        }
        if let Some(groups) = &mut self.groups {
            groups.tidy_up();
        }
    }
}
