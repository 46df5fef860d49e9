//! Which folders of the host an interpreter needs beside the system's.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold more than one installation: of these only what belongs to the interpreter is shown.
const WIDE: [&str; 4] = ["/", "/home", "/root", "/tmp"];

/// The folders and files, at their own paths, that a program needs besides those of the system: its prefix (the folder
/// above its `bin`), that of the program it is a link to, and, for a virtual environment, that of the Python it was made
/// from.
pub(crate) fn installation(program: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let resolved = fs::canonicalize(program);
    for program in [Some(program), resolved.as_deref().ok()].into_iter().flatten() {
        add(program, &mut found);
    }
    found
}

fn add(program: &Path, found: &mut Vec<PathBuf>) {
    let Some(folder) = program.parent().filter(|folder| folder.is_absolute()) else { return };
    let prefix = match folder.parent() {
        Some(prefix) if folder.ends_with("bin") && !is_wide(prefix) => vec![prefix.to_owned()],
        // `~/bin/node`: a home is not an installation.
        Some(prefix) if folder.ends_with("bin") => {
            ["lib", "lib64"].map(|inner| prefix.join(inner)).into_iter().chain([program.to_owned()]).collect()
        }
        _ => vec![program.to_owned()],
    };
    for path in prefix {
        if path.exists() && !found.iter().any(|known| path.starts_with(known)) {
            found.push(path);
        }
    }
    let settings = folder.parent().map(|prefix| fs::read_to_string(prefix.join("pyvenv.cfg")).unwrap_or_default());
    let home = settings.as_deref().and_then(|settings| {
        let pairs = settings.lines().filter_map(|line| line.split_once('='));
        pairs.map(|(key, value)| (key.trim(), value.trim())).find(|(key, _)| *key == "home")
    });
    if let Some((_, home)) = home {
        let original = Path::new(home).join("python3");
        if !found.iter().any(|known| original.starts_with(known)) {
            add(&original, found);
            if let Ok(resolved) = fs::canonicalize(&original) {
                add(&resolved, found);
            }
        }
    }
}

fn is_wide(prefix: &Path) -> bool {
    let is_home = prefix.parent() == Some(Path::new("/home"));
    is_home || prefix.ends_with(".local") || WIDE.iter().any(|wide| prefix == Path::new(wide))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_needs_its_prefix() {
        assert_eq!(installation(Path::new("/usr/bin/env")), [PathBuf::from("/usr")]);
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for inner in ["python/bin", "venv/bin"] {
            fs::create_dir_all(root.join(inner)).unwrap();
        }
        let original = root.join("python/bin/python3");
        fs::write(&original, "").unwrap();
        std::os::unix::fs::symlink(&original, root.join("venv/bin/python3")).unwrap();
        assert_eq!(installation(&original), [root.join("python")]);
        let expected = [root.join("venv"), root.join("python")];
        assert_eq!(installation(&root.join("venv/bin/python3")), expected);
    }

    #[test]
    fn a_home_is_no_installation() {
        assert!(
            is_wide(Path::new("/home/ada"))
                && is_wide(Path::new("/home/ada/.local"))
                && is_wide(Path::new("/"))
                && is_wide(Path::new("/root"))
        );
        assert!(
            !is_wide(Path::new("/home/ada/.nvm/versions/node/v22.1.0"))
                && !is_wide(Path::new("/home/me/.pyenv/versions/3.11.7"))
        );
    }
}
