//! Proves the layers: reads `cargo metadata` and the source files.

use crate::build::root;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The layers from the bottom to the top; a crate sees its own layer and those below.
const LAYERS: [&str; 6] = ["words", "kernel", "box", "storage", "services", "surface"];

/// No source file grows past this many lines.
const MAX_LINES: usize = 900;

/// Runs every check and reports all that is wrong.
pub(crate) fn run() -> Result<(), String> {
    let metadata = metadata()?;
    let mut faults = Vec::new();
    check_layers(&metadata, &mut faults);
    check_trees(&metadata, &mut faults);
    check_files(&mut faults)?;
    if faults.is_empty() {
        eprintln!("xtask: tidy");
        return Ok(());
    }
    Err(format!("tidy found {} faults:\n  {}", faults.len(), faults.join("\n  ")))
}

fn metadata() -> Result<Value, String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
}

/// The workspace's crates: name, layer (empty for programs and tools) and direct dependencies inside the workspace.
fn workspace(metadata: &Value) -> BTreeMap<String, (String, Vec<String>)> {
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let local: Vec<&Value> = packages.iter().filter(|package| package["source"].is_null()).collect();
    let names: BTreeSet<&str> = local.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut found = BTreeMap::new();
    for package in local {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
        let layer = layer_of(manifest);
        let dependencies = package["dependencies"]
            .as_array()
            .map_or(&[][..], Vec::as_slice)
            .iter()
            .filter(|dependency| dependency["kind"].is_null() && !dependency["path"].is_null())
            .filter_map(|dependency| dependency["name"].as_str())
            .filter(|name| names.contains(name))
            .map(str::to_owned)
            .collect();
        found.insert(package["name"].as_str().unwrap_or_default().to_owned(), (layer, dependencies));
    }
    found
}

fn layer_of(manifest: &Path) -> String {
    let relative = manifest.strip_prefix(root()).unwrap_or(manifest);
    let mut parts = relative.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
    if parts.next().as_deref() == Some("crates") { parts.next().unwrap_or_default() } else { String::new() }
}

fn rank(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|name| *name == layer)
}

fn check_layers(metadata: &Value, faults: &mut Vec<String>) {
    let crates = workspace(metadata);
    for (name, (layer, dependencies)) in &crates {
        let Some(own) = rank(layer) else { continue };
        for dependency in dependencies {
            let below = crates.get(dependency).map_or("", |(layer, _)| layer.as_str());
            let allowed =
                rank(below).is_some_and(|other| other <= own) && !forbidden(name, layer, dependency, below);
            if !allowed {
                faults.push(format!("{name} ({layer}) must not depend on {dependency} ({below})"));
            }
        }
    }
}

/// The rules that the order of the layers alone does not express.
fn forbidden(name: &str, layer: &str, dependency: &str, below: &str) -> bool {
    let wire_users = ["api", "client", "cli"];
    (dependency == "wire" && !wire_users.contains(&name))
        || (layer == "storage" && below == "box")
        || (layer == "services" && ["runtime", "shim"].contains(&dependency))
        || (["cli", "client"].contains(&name) && !["words", "surface"].contains(&below))
        || (layer == "kernel" && name == "sys" && below == "kernel")
}

/// Checks what the dependency trees of single programs and layers may contain.
fn check_trees(metadata: &Value, faults: &mut Vec<String>) {
    let crates = workspace(metadata);
    let nodes = resolve(metadata);
    for (name, (layer, _)) in &crates {
        let banned: &[&str] = match (name.as_str(), layer.as_str()) {
            ("naru-run", _) => &["tokio", "tracing-subscriber", "regex", "clap", "hyper"],
            (_, "words" | "kernel" | "box" | "storage") => &["tokio"],
            ("naru", _) => &["clap", "rusqlite"],
            _ => &[],
        };
        let tree = closure(&nodes, name);
        for ban in banned {
            if tree.contains(*ban) {
                faults.push(format!("the dependency tree of {name} must not contain {ban}"));
            }
        }
        if name == "naru-init" && tree.len() > 1 {
            faults.push(format!("naru-init must have no dependencies, it has {}", tree.len() - 1));
        }
    }
}

/// Package name to the names of its resolved dependencies, without those only for tests and build scripts.
fn resolve(metadata: &Value) -> BTreeMap<String, Vec<String>> {
    let name_of: BTreeMap<&str, &str> = metadata["packages"]
        .as_array()
        .map_or(&[][..], Vec::as_slice)
        .iter()
        .filter_map(|package| Some((package["id"].as_str()?, package["name"].as_str()?)))
        .collect();
    let nodes = metadata["resolve"]["nodes"].as_array().map_or(&[][..], Vec::as_slice);
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for node in nodes {
        let Some(name) = node["id"].as_str().and_then(|id| name_of.get(id)) else { continue };
        let dependencies =
            node["deps"].as_array().map_or(&[][..], Vec::as_slice).iter().filter(|dependency| {
                dependency["dep_kinds"]
                    .as_array()
                    .is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
            });
        found.entry((*name).to_owned()).or_default().extend(
            dependencies
                .filter_map(|dependency| dependency["pkg"].as_str())
                .filter_map(|id| name_of.get(id))
                .map(|name| (*name).to_owned()),
        );
    }
    found
}

fn closure(nodes: &BTreeMap<String, Vec<String>>, start: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut open = vec![start.to_owned()];
    while let Some(name) = open.pop() {
        if seen.insert(name.clone()) {
            open.extend(nodes.get(&name).into_iter().flatten().cloned());
        }
    }
    seen
}

fn check_files(faults: &mut Vec<String>) -> Result<(), String> {
    let mut files = Vec::new();
    for folder in ["bin", "crates", "testkit", "tests", "xtask"] {
        collect(&root().join(folder), &mut files)?;
    }
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        check_file(&file, &text, faults);
    }
    Ok(())
}

fn check_file(file: &Path, text: &str, faults: &mut Vec<String>) {
    let shown = file.strip_prefix(root()).unwrap_or(file).display().to_string();
    if text.lines().count() > MAX_LINES {
        faults.push(format!("{shown}: {} lines, the limit is {MAX_LINES}", text.lines().count()));
    }
    if !text.starts_with("//!") && !text.starts_with("#!") {
        faults.push(format!("{shown}: no module documentation"));
    }
    let may_be_unsafe = shown.starts_with("crates/kernel/sys/") || shown.starts_with("bin/naru-init/");
    let crate_root = shown.ends_with("src/lib.rs") || shown.ends_with("src/main.rs");
    if crate_root && !may_be_unsafe && !text.contains("#![forbid(unsafe_code)]") {
        faults.push(format!("{shown}: #![forbid(unsafe_code)] is missing"));
    }
    let own = shown == "xtask/src/tidy.rs";
    for banned in ["#[ignore", "should_panic", "TODO", "FIXME"] {
        if !own && text.contains(banned) {
            faults.push(format!("{shown}: {banned}"));
        }
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}
