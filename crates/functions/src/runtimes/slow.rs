//! What must be there when a process starts: wrapper scripts, extensions, and the program of a runtime that the function
//! brings itself. Environments that have one of them take the slow way of starting.

use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::pool::cause;

/// The variable that names a wrapper.
const WRAPPER: &str = "AWS_LAMBDA_EXEC_WRAPPER";

/// As many extensions as are started at most; one more than may register, so that the excess is told as AWS tells it.
const EXTENSIONS: usize = 11;

/// Where a function's folders are in truth.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// What the function knows as `/var/task`.
    pub(crate) task: PathBuf,
    /// What it knows as `/opt`, where it has layers.
    pub(crate) opt: Option<PathBuf>,
    /// Where our bootstraps are: `/var/runtime`.
    pub(crate) runtime: PathBuf,
}

impl Places {
    /// The true path of one that the function knows.
    fn find(&self, path: &Path) -> PathBuf {
        let below = |known: &str, folder: &Path| Some(folder.join(path.strip_prefix(known).ok()?));
        let of_layers = || below("/opt", self.opt.as_deref()?);
        below("/var/task", &self.task).or_else(of_layers).unwrap_or_else(|| path.to_owned())
    }
}

/// The script that is to run the runtime, if the function names one.
pub(crate) fn wrapper(own: &[(String, String)], places: &Places) -> Option<PathBuf> {
    let (_, path) = own.iter().find(|(name, path)| name == WRAPPER && !path.is_empty())?;
    Some(places.find(Path::new(path)))
}

/// The extensions of a function whose layers are merged in `opt`: their names, in order, and their programs in `seen`, where
/// the function finds the same.
pub(crate) fn extensions(opt: &Path, seen: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(opt.join("extensions")) else { return Vec::new() };
    let mut found: Vec<(String, PathBuf)> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .map(|name| (name.clone(), seen.join("extensions").join(name)))
        .collect();
    found.sort_unstable();
    found.truncate(EXTENSIONS);
    found
}

/// The variables that an extension sees of those that the runtime does.
pub(crate) fn variables_of_extensions(variables: &[(String, String)]) -> Vec<(String, String)> {
    const KEPT_BACK: [&str; 10] = [
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_XRAY_CONTEXT_MISSING",
        "AWS_XRAY_DAEMON_ADDRESS",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "_AWS_XRAY_DAEMON_ADDRESS",
        "_AWS_XRAY_DAEMON_PORT",
        "_HANDLER",
    ];
    variables.iter().filter(|(name, _)| !KEPT_BACK.contains(&name.as_str())).cloned().collect()
}

/// The program that a runtime is.
#[derive(Clone, Debug)]
pub(crate) struct Entrypoint {
    /// It is our bootstrap, at least if no wrapper replaces it.
    pub(crate) speaks_frames: bool,
    /// Why it cannot be run, where that is the function's own fault.
    pub(crate) fault: Option<String>,
}

impl Entrypoint {
    /// Our own bootstrap.
    pub(crate) fn bootstrap() -> Entrypoint {
        Entrypoint { speaks_frames: true, fault: None }
    }

    /// The function's program. Blocks.
    pub(crate) fn of_function(program: &Path) -> Entrypoint {
        let fault = match runnable(program) {
            Ok(true) => None,
            Ok(false) => Some(format!("{NO_EXEC}exec format error")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Some("Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]".to_owned())
            }
            Err(error) => Some(format!("{NO_EXEC}{}", cause(&error))),
        };
        Entrypoint { speaks_frames: false, fault }
    }

    /// What a function is told whose program the system has not started, where that is its own fault.
    pub(crate) fn told(&self, error: &io::Error) -> Option<String> {
        let is_own_fault = matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EACCES | libc::ENOEXEC));
        (is_own_fault && !self.speaks_frames).then(|| format!("{NO_EXEC}{}", cause(error)))
    }
}

const NO_EXEC: &str = "fork/exec /var/task/bootstrap: ";

/// Whether a file is a script that names its interpreter, or a program for this processor: one of the same kind as our own.
/// Otherwise the C library would have a shell try its best with it.
fn runnable(program: &Path) -> io::Result<bool> {
    /// Class and byte order, then the machine.
    fn kind(head: &[u8; 20]) -> (&[u8], &[u8]) {
        (&head[..6], &head[18..])
    }
    if std::fs::metadata(program)?.permissions().mode() & 0o111 == 0 {
        return Err(io::Error::from_raw_os_error(libc::EACCES));
    }
    let own = head(Path::new("/proc/self/exe"))?;
    let head = head(program)?;
    Ok(head.starts_with(b"#!") || kind(&head) == kind(&own))
}

/// The first bytes of a file, or zeros.
fn head(file: &Path) -> io::Result<[u8; 20]> {
    let mut head = Vec::new();
    std::fs::File::open(file)?.take(20).read_to_end(&mut head)?;
    head.resize(20, 0);
    let mut bytes = [0; 20];
    bytes.copy_from_slice(&head);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapper_is_found_where_the_function_knows_it() {
        let places = Places { task: "/data/1/task".into(), opt: Some("/data/1/opt".into()), runtime: PathBuf::new() };
        let named = |path: &str| wrapper(&[(WRAPPER.to_owned(), path.to_owned())], &places);
        assert_eq!(named("/var/task/run"), Some("/data/1/task/run".into()));
        assert_eq!(named("/opt/bin/run"), Some("/data/1/opt/bin/run".into()));
        assert_eq!(named("/opting/run"), Some("/opting/run".into()));
        assert_eq!(named(""), None);
        assert_eq!(wrapper(&[], &places), None);
        let bare = Places { opt: None, ..places };
        assert_eq!(wrapper(&[(WRAPPER.to_owned(), "/opt/run".to_owned())], &bare), Some("/opt/run".into()));
    }

    #[test]
    fn extensions_are_the_files_of_their_folder_in_order() {
        let opt = tempfile::tempdir().unwrap();
        assert_eq!(extensions(opt.path(), Path::new("/opt")), []);
        std::fs::create_dir_all(opt.path().join("extensions/folder")).unwrap();
        for name in ["b", "a"] {
            std::fs::write(opt.path().join("extensions").join(name), "").unwrap();
        }
        let expected = ["a", "b"].map(|name| (name.to_owned(), Path::new("/opt/extensions").join(name)));
        assert_eq!(extensions(opt.path(), Path::new("/opt")), expected);
    }
}
