//! Each package that is published holds what its reader, and the law, expects of it.

use std::{
    error::Error,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

const FILES: [&str; 3] = ["LICENSE-APACHE", "LICENSE-MIT", "README.md"];

const FIELDS: [&str; 6] = ["description", "documentation", "license", "readme", "rust_version", "version"];

fn cargo(arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let Output { status, stdout, stderr } = Command::new(env!("CARGO")).args(arguments).current_dir(root).output()?;
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    Ok(String::from_utf8(stdout)?)
}

/// All of the workspace but those with `publish = false`.
fn published() -> Result<Vec<Value>, Box<dyn Error>> {
    let mut metadata: Value = serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--no-deps"])?)?;
    let packages = metadata.get_mut("packages").and_then(Value::as_array_mut).ok_or("a workspace has packages")?;
    packages.retain(|package| package["publish"].is_null());
    Ok(std::mem::take(packages))
}

#[test]
fn each_holds_the_licences_and_says_what_it_is() -> Result<(), Box<dyn Error>> {
    let packages = published()?;
    assert!(packages.len() >= 7, "{} packages", packages.len());
    for package in packages {
        let name = package["name"].as_str().ok_or("a package has a name")?;
        let list = cargo(&["package", "--package", name, "--list", "--allow-dirty"])?;
        for file in FILES {
            assert!(list.lines().any(|line| line == file), "{name} has no {file}");
        }
        for field in FIELDS {
            assert!(package[field].is_string(), "{name} has no {field}");
        }
        for field in ["keywords", "categories"] {
            let words = package[field].as_array().ok_or("a list")?;
            assert!((1..=5).contains(&words.len()), "{name} has {} {field}", words.len());
        }
    }
    Ok(())
}
