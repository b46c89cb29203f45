//! A copy of the project, whose files may be changed.

use std::{fs, path::PathBuf, process::Command};

use crate::{Result, tool};

/// All that git tracks or does not ignore, as it is now, in this folder below the project's own.
pub(crate) fn to(folder: &str) -> Result<PathBuf> {
    let project = tool::root();
    let root = project.join(folder);
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    for name in tool::output(Command::new("git").args(list).current_dir(&project))?.split_terminator('\0') {
        let (from, to) = (project.join(name), root.join(name));
        // What did not change keeps its time, and so is not built again.
        if fs::read(&from).ok() != fs::read(&to).ok() && from.exists() {
            fs::create_dir_all(to.parent().ok_or("a file is in a folder")?)?;
            fs::copy(from, to)?;
        }
    }
    Ok(root)
}
