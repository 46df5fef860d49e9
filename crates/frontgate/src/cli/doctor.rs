//! `frontgate doctor`: which layers of the functions' sandbox this host offers, each really tried.

use std::io::{self, Write};
use std::process::ExitCode;

use functions::{Layer, LayerState};

/// What people want to know about a layer.
struct About {
    name: &'static str,
    /// What it does.
    does: &'static str,
    /// What to do where it is missing.
    next: &'static str,
}

const LAYERS: [About; 7] = [
    About {
        name: "namespaces",
        does: "an environment has its own users, processes, mounts, System V objects and host name",
        next: "allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, \
               kernel.apparmor_restrict_unprivileged_userns); in a container, allow unshare and mount by its seccomp \
               and AppArmor profiles, or give it CAP_SYS_ADMIN",
    },
    About {
        name: "files",
        does: "it sees a root of its own, not writable, with /var/task, /opt, a bounded /tmp, and no file of yours",
        next: "it needs namespaces, Linux 5.12, and in a container a /proc of which nothing is hidden",
    },
    About {
        name: "capabilities",
        does: "it has none of root's powers, and set-user-id programs give it none",
        next: "nothing usually forbids to give them up; see the reason",
    },
    About {
        name: "landlock",
        does: "what it may open is checked by the kernel once more; its signals and abstract sockets stay inside",
        next: "run Linux 5.13 or later with `landlock` among the modules of `lsm=`",
    },
    About {
        name: "seccomp",
        does: "system calls that no function needs are refused",
        next: "run a kernel with CONFIG_SECCOMP_FILTER",
    },
    About {
        name: "cgroup",
        does: "it is a control group, which the kernel ends as a whole, and bounds and weighs where it has controllers",
        next: "not needed: other layers do what it would. For groups with the controllers cpu, memory and pids run \
               Frontgate as a service with `Delegate=yes`, or by `systemd-run --user --scope -p Delegate=yes`",
    },
    About {
        name: "memory",
        does: "the memory of all its processes together is bounded by MemorySize",
        next: "see the reason",
    },
];

/// Prints the layers; success where none is missing.
pub(super) fn run() -> ExitCode {
    let layers = match functions::examine_sandbox() {
        Ok(layers) => layers,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: the sandbox cannot be tried: {error}");
            return ExitCode::FAILURE;
        }
    };
    let is_complete = !layers.iter().any(|layer| matches!(layer.state, LayerState::Missing(_)));
    match print(&mut io::stdout().lock(), &layers) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ if is_complete => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn print(output: &mut impl Write, layers: &[Layer]) -> io::Result<()> {
    writeln!(output, "Layers of the functions' sandbox on this host:\n")?;
    for layer in layers {
        let about = LAYERS.iter().find(|about| about.name == layer.name);
        let state = match &layer.state {
            LayerState::Active => "active",
            LayerState::Missing(_) | LayerState::Replaced(_) => "missing",
            LayerState::Off => "off",
        };
        writeln!(output, "  {:<13} {:<8} {}", layer.name, state, about.map_or("", |about| about.does))?;
        if let Some(how) = &layer.how {
            writeln!(output, "  {:<13} how:     {how}", "")?;
        }
        if let LayerState::Missing(why) | LayerState::Replaced(why) = &layer.state {
            writeln!(output, "  {:<13} why:     {why}", "")?;
            writeln!(output, "  {:<13} next:    {}", "", about.map_or("", |about| about.next))?;
        }
    }
    let missing = layers.iter().filter(|layer| matches!(layer.state, LayerState::Missing(_))).count();
    match missing {
        0 if layers.iter().any(|layer| matches!(layer.state, LayerState::Replaced(_))) => {
            writeln!(output, "\nNothing that is needed is missing: `frontgate serve --sandbox strict` starts here.")
        }
        0 => writeln!(output, "\nNothing is missing: `frontgate serve --sandbox strict` starts here."),
        1 => writeln!(output, "\n1 layer is missing: `frontgate serve --sandbox strict` does not start here."),
        _ => {
            writeln!(output, "\n{missing} layers are missing: `frontgate serve --sandbox strict` does not start here.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_layer_is_told_with_its_reason_and_what_to_do() {
        let layer = |name: &str, state| Layer { name: name.to_owned(), state, how: None };
        let why = "Operation not permitted (os error 1)".to_owned();
        let mut output = Vec::new();
        let layers = [layer("namespaces", LayerState::Missing(why)), layer("seccomp", LayerState::Active)];
        print(&mut output, &layers).unwrap();
        let text = String::from_utf8(output).unwrap();
        assert!(text.contains("  namespaces    missing  an environment has its own users"), "{text}");
        assert!(text.contains("                why:     Operation not permitted"), "{text}");
        assert!(text.contains("                next:    allow user namespaces"), "{text}");
        assert!(text.contains("  seccomp       active   system calls"), "{text}");
        assert!(
            text.ends_with("1 layer is missing: `frontgate serve --sandbox strict` does not start here.\n"),
            "{text}"
        );
    }

    #[test]
    fn what_others_stand_in_for_is_told_and_not_needed() {
        let cgroup = |state, how: Option<&str>| Layer { name: "cgroup".to_owned(), state, how: how.map(str::to_owned) };
        let mut output = Vec::new();
        print(&mut output, &[cgroup(LayerState::Replaced("not delegated".to_owned()), None)]).unwrap();
        let text = String::from_utf8(output).unwrap();
        assert!(text.contains("  cgroup        missing  it is a control group"), "{text}");
        assert!(text.contains("                why:     not delegated\n"), "{text}");
        assert!(text.contains("                next:    not needed: "), "{text}");
        assert!(text.contains("\nNothing that is needed is missing: "), "{text}");
        let mut output = Vec::new();
        print(&mut output, &[cgroup(LayerState::Active, Some("groups without controllers"))]).unwrap();
        let text = String::from_utf8(output).unwrap();
        assert!(text.contains("                how:     groups without controllers\n"), "{text}");
        assert!(text.contains("\nNothing is missing: "), "{text}");
    }
}
