//! `cargo xtask codegen [--check] [--botocore DIR]`: writes crates/models and docs/operations.md, or checks that they are up to date.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use codegen::GeneratedFile;

/// Runs the generator; `root` is the repository's.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    let mut check = false;
    let mut directory = env::var_os("FRONTGATE_BOTOCORE").map(PathBuf::from);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--check" => check = true,
            "--botocore" => directory = Some(rest.next().context("--botocore needs a directory")?.into()),
            other => bail!("unknown argument {other}; usage: cargo xtask codegen [--check] [--botocore DIR]"),
        }
    }
    let directory = match directory {
        Some(directory) => directory,
        None => install(root)?,
    };
    let files = codegen::generate(root, &directory)?;
    if check { compare(root, &files) } else { write(root, &files) }
}

/// Installs the pinned models below `target/`, unless they are there.
fn install(root: &Path) -> Result<PathBuf> {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from).join("botocore");
    if target.join(format!("botocore-{}.dist-info", codegen::VERSION)).is_dir() {
        return Ok(target);
    }
    let requirements = root.join("codegen/requirements.txt");
    let status = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--upgrade", "--target"])
        .arg(&target)
        .arg("--requirement")
        .arg(&requirements)
        .status()
        .context("cannot start python3 to install botocore's models; give them with --botocore DIR")?;
    if !status.success() {
        bail!("pip could not install {}; give the models with --botocore DIR", requirements.display());
    }
    Ok(target)
}

fn write(root: &Path, files: &[GeneratedFile]) -> Result<()> {
    for file in files {
        let path = root.join(&file.path);
        if fs::read_to_string(&path).is_ok_and(|current| current == file.content) {
            continue;
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, &file.content).with_context(|| format!("cannot write {}", file.path.display()))?;
    }
    let leftovers = leftovers(root, files)?;
    if !leftovers.is_empty() {
        bail!("remove what is not generated: {}", leftovers.join(", "));
    }
    Ok(())
}

fn compare(root: &Path, files: &[GeneratedFile]) -> Result<()> {
    let mut stale: Vec<String> = files
        .iter()
        .filter(|file| fs::read_to_string(root.join(&file.path)).ok().as_deref() != Some(&file.content))
        .map(|file| file.path.display().to_string())
        .collect();
    stale.extend(leftovers(root, files)?);
    if stale.is_empty() {
        return Ok(());
    }
    bail!("generated files are not up to date: {}\nrun `cargo xtask codegen` and commit the result", stale.join(", "));
}

/// Files below the generated folders that the generator does not write.
fn leftovers(root: &Path, files: &[GeneratedFile]) -> Result<Vec<String>> {
    let mut leftovers = Vec::new();
    for folder in files.iter().filter(|file| file.path.ends_with("src/lib.rs")).filter_map(|file| file.path.parent()) {
        let Ok(entries) = fs::read_dir(root.join(folder)) else { continue };
        for entry in entries {
            let path = folder.join(entry?.file_name());
            if !files.iter().any(|file| file.path == path) {
                leftovers.push(format!("{} (no longer generated)", path.display()));
            }
        }
    }
    Ok(leftovers)
}
