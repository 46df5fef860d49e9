//! Functions that run from a folder.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use base::seams::WriteLog;
use serde_json::json;

use super::lab::{Lab, eventually, is_alive, runtime, with_settings};
use super::logs::Kept;
use crate::version::Version;
use crate::{HotReload, Settings};

/// A folder that others can read: where the tests run as root, functions are another user.
fn readable() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn with_folder<F: Future<Output = ()>>(test: impl FnOnce(Lab, tempfile::TempDir) -> F) {
    let folder = readable();
    let settings = Settings { hot_reload: HotReload::Below(folder.path().to_owned()), ..Settings::default() };
    with_settings(settings, |lab| test(lab, folder));
}

async fn put(lab: &Lab, name: &str, folder: &Path) {
    let path = folder.to_str().unwrap().to_owned();
    lab.put(name, &runtime("python"), &[("unused", "")], |configuration| configuration.folder = Some(path)).await;
}

fn says(folder: &Path, word: &str) {
    let code = format!("import os\ndef handler(e, c):\n    return ['{word}', os.getpid()]\n");
    fs::write(folder.join("index.py"), code).unwrap();
}

#[test]
fn a_saved_file_is_live_on_the_next_call() {
    with_folder(|lab, folder| async move {
        says(folder.path(), "one");
        put(&lab, "Hot", folder.path()).await;
        let first = lab.returned("Hot", "{}").await;
        assert_eq!(first[0], "one");
        assert_eq!(lab.returned("Hot", "{}").await, first, "the environment is used again");
        // Within one second and of one length: neither time nor size tells them apart.
        for word in ["two", "six", "ten", "one"] {
            says(folder.path(), word);
            let now = lab.returned("Hot", "{}").await;
            assert_eq!(now[0], word);
            assert_eq!(lab.returned("Hot", "{}").await, now);
        }
        let kept: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(kept, ["index.py"]);
    });
}

#[test]
fn a_folder_may_come_and_go() {
    with_folder(|lab, folder| async move {
        let code = folder.path().join("dist");
        put(&lab, "Built", &code).await;
        for round in ["one", "two"] {
            assert!(lab.try_invoke("Built", "{}").await.is_err(), "{round}");
            fs::create_dir(&code).unwrap();
            assert_eq!(lab.failed("Built", "{}").await["errorType"], "Runtime.ImportModuleError");
            says(&code, round);
            assert_eq!(lab.returned("Built", "{}").await[0], round);
            fs::remove_dir_all(&code).unwrap();
        }
        let elsewhere = tempfile::tempdir().unwrap();
        says(elsewhere.path(), "secret");
        std::os::unix::fs::symlink(elsewhere.path(), &code).unwrap();
        assert!(lab.try_invoke("Built", "{}").await.is_err(), "a link out of the allowed folder");
    });
}

#[test]
fn a_call_at_work_ends_with_the_code_that_it_began_with() {
    let kept = Arc::new(Kept::default());
    let settings = Settings {
        hot_reload: HotReload::Anywhere,
        logs: Some(Arc::clone(&kept) as Arc<dyn WriteLog>),
        ..Settings::default()
    };
    with_settings(settings, |lab| async move {
        let folder = readable();
        // Changes in there are none of the code's.
        let go = folder.path().join(".git/go");
        fs::create_dir(go.parent().unwrap()).unwrap();
        let save = |word: &str| {
            let wait = "import os, time\nprint('loading', flush=True)\nwhile not os.path.exists('.git/go'): time.sleep(0.01)\n";
            let code = format!("{wait}def handler(e, c):\n    return '{word}'\n");
            fs::write(folder.path().join("index.py"), code).unwrap();
        };
        save("old");
        put(&lab, "Slow", folder.path()).await;
        let loading = |count: usize| {
            let kept = Arc::clone(&kept);
            eventually("it is being loaded", move || {
                kept.texts().iter().filter(|text| *text == "loading\n").count() == count
            })
        };
        let (old, new) = tokio::join!(lab.returned("Slow", "{}"), async {
            loading(1).await;
            save("new");
            let release = async {
                loading(2).await;
                fs::write(&go, "").unwrap();
            };
            tokio::join!(lab.returned("Slow", "{}"), release).0
        });
        assert_eq!((old, new), (json!("old"), json!("new")));
    });
}

#[test]
fn an_update_ends_what_runs_in_place_of_a_version() {
    with_folder(|lab, folder| async move {
        says(folder.path(), "one");
        put(&lab, "Hot", folder.path()).await;
        lab.returned("Hot", "{}").await;
        says(folder.path(), "two");
        let process = lab.returned("Hot", "{}").await[1].as_u64().unwrap();
        let before: Arc<Version> = lab.version("Hot");
        put(&lab, "Hot", folder.path()).await;
        assert_ne!(lab.version("Hot").serial, before.serial);
        eventually("the process ends", || !is_alive(process)).await;
        assert_eq!(lab.returned("Hot", "{}").await[0], "two");
    });
}

#[test]
fn only_folders_that_the_operator_allows() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("inside");
    fs::create_dir_all(&inside).unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    std::os::unix::fs::symlink("/", inside.join("out")).unwrap();
    let below = HotReload::Below(inside.clone());
    assert_eq!(below.find(&inside).unwrap(), inside.canonicalize().unwrap());
    for refused in
        [folder.path(), Path::new("/"), &inside.join("out"), &inside.join("../inside"), &inside.join("out/etc")]
    {
        let text = below.find(refused).unwrap_err();
        assert!(text.contains("--hot-reload-root"), "{text}");
    }
    assert!(HotReload::Refused.find(&inside).unwrap_err().contains("--hot-reload-root"));
    assert!(HotReload::Anywhere.find(&folder.path().join("file")).unwrap_err().ends_with("is not a folder"));
    assert!(HotReload::Anywhere.find(Path::new("code")).unwrap_err().contains("an absolute path"));
    assert!(below.find(&inside.join("missing")).unwrap_err().contains("cannot be read"));
}
