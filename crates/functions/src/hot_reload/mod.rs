//! Functions that run from a folder of this machine: what is saved there is live on the next call.
//!
//! A version of such a function is renewed when its folder has changed, as an update renews it: calls that come later run
//! in new environments, those at work end undisturbed. Whether it has changed is asked at each call of such a function and
//! of no other. The kernel notes changes before the call returns that makes them (`watch`), and a version's folder is
//! watched before its first process reads anything there, so that no save is missed and no clock is compared.

mod watch;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::engine::Engine;
use crate::version::Version;
use watch::Watch;

/// The bucket whose keys are folders of this machine, as LocalStack's users know it.
pub(crate) const BUCKET: &str = "hot-reload";

/// Which folders functions may be run from.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum HotReload {
    /// None.
    #[default]
    Refused,
    /// Any: whoever reaches the API is the user of this machine.
    Anywhere,
    /// Those below this one, wherever links lead.
    Below(PathBuf),
}

impl HotReload {
    /// The folder itself, without links, if functions may be run from it. Blocks.
    ///
    /// # Errors
    /// A message for the user.
    pub(crate) fn find(&self, path: &Path) -> Result<PathBuf, String> {
        let shown = path.display();
        if !path.is_absolute() {
            return Err(format!("the key of the bucket {BUCKET} is an absolute path, and {shown} is not"));
        }
        let below = match self {
            HotReload::Refused => {
                return Err(format!(
                    "code from a folder ({shown}) is refused because others than this machine's user may reach the AWS APIs; `--hot-reload-root DIRECTORY` allows the folders below one"
                ));
            }
            HotReload::Anywhere => None,
            HotReload::Below(root) => Some(root),
        };
        let refused =
            |root: &Path| format!("{shown} is not below {}, which alone `--hot-reload-root` allows", root.display());
        if let Some(root) = below {
            // Before the path is looked at, so that an answer tells nothing about what lies elsewhere.
            if !path.starts_with(root) || path.components().any(|part| part == std::path::Component::ParentDir) {
                return Err(refused(root));
            }
        }
        let found = path.canonicalize().map_err(|error| format!("{shown} cannot be read: {error}"))?;
        if let Some(root) = below {
            let real = root.canonicalize().map_err(|error| format!("{} cannot be read: {error}", root.display()))?;
            if !found.starts_with(real) {
                return Err(refused(root));
            }
        }
        if !found.is_dir() {
            return Err(format!("{shown} is not a folder"));
        }
        Ok(found)
    }
}

/// The folder of one version.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// From the first start on; `None` where the folder cannot be watched.
    watch: OnceLock<Option<Watch>>,
    renewed: Mutex<Renewed>,
}

/// What has become of a version since the function was created or updated.
#[derive(Debug, Default)]
struct Renewed {
    /// The version that runs now, if it is another.
    current: Option<Arc<Version>>,
    /// The function was updated or deleted.
    is_over: bool,
}

impl Folder {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Folder {
        Folder { path: path.into(), watch: OnceLock::new(), renewed: Mutex::default() }
    }

    /// Finds the folder and has it watched: to be called before a process reads from it. Blocks.
    ///
    /// # Errors
    /// For the operator's log.
    pub(crate) fn open(&self, allowed: &HotReload) -> Result<PathBuf, String> {
        let found = allowed.find(&self.path)?;
        self.watch.get_or_init(|| match Watch::new(&self.path, &found) {
            Ok(watch) => Some(watch),
            Err(reason) => {
                let path = self.path.display();
                tracing::warn!(%path, "each call starts the function anew, for its folder cannot be watched: {reason}");
                None
            }
        });
        Ok(found)
    }

    /// Whether what processes have read may be out of date.
    fn has_changed(&self) -> bool {
        match self.watch.get() {
            // Nothing has been read yet.
            None => false,
            Some(None) => true,
            Some(Some(watch)) => watch.has_changed(),
        }
    }

    fn renewed(&self) -> MutexGuard<'_, Renewed> {
        self.renewed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The version to run in place of one of the index. A version that is no folder's is itself.
pub(crate) fn follow(engine: &Engine, version: Arc<Version>) -> Arc<Version> {
    let Some(folder) = &version.folder else { return version };
    // Held so that of two calls one renews.
    let mut renewed = folder.renewed();
    let current = renewed.current.as_ref().unwrap_or(&version);
    if !current.folder.as_ref().is_some_and(Folder::has_changed) {
        return Arc::clone(current);
    }
    let next = Arc::new(version.renewed());
    tracing::info!(function = &*version.settings.name, path = %folder.path.display(), "the code has changed");
    engine.retire_one(current);
    if renewed.is_over {
        // For this call alone.
        next.retire();
    }
    renewed.current = Some(Arc::clone(&next));
    next
}

/// Gives up what runs in place of a version of the index, which is going.
pub(crate) fn end(engine: &Engine, version: &Version) {
    let Some(folder) = &version.folder else { return };
    let mut renewed = folder.renewed();
    renewed.is_over = true;
    if let Some(current) = renewed.current.take() {
        engine.retire_one(&current);
    }
}

/// Keeps Python from writing its compiled form beside the user's files: it could not tell two saves within a second apart.
pub(crate) fn keep_clean(variables: &mut Vec<(String, String)>) {
    const NAME: &str = "PYTHONDONTWRITEBYTECODE";
    if variables.iter().all(|(name, _)| name != NAME) {
        variables.push((NAME.to_owned(), "1".to_owned()));
    }
}
