//! A page of the documentation that commands write their figures into, each between two marks of its own.

use std::fs;

use crate::{Result, tool::root};

/// Puts `text` between the marks of `command`, which the page must have.
pub(crate) fn put(file: &str, command: &str, text: &str) -> Result<()> {
    let path = root().join(file);
    let page = fs::read_to_string(&path)?;
    let replaced = replaced(&page, command, text).ok_or_else(|| format!("{file} has no marks of `{command}`"))?;
    Ok(fs::write(path, replaced)?)
}

fn replaced(page: &str, command: &str, text: &str) -> Option<String> {
    let (begin, end) =
        (format!("<!-- begin: cargo xtask {command} -->"), format!("<!-- end: cargo xtask {command} -->"));
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{}\n{end}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_its_marks_is_replaced_and_nothing_else() {
        let page = "a\n<!-- begin: cargo xtask x -->\nold\n<!-- end: cargo xtask x -->\nb\n";
        let expected = page.replace("old", "new");
        assert_eq!(replaced(page, "x", "\nnew\n").as_deref(), Some(expected.as_str()));
        assert_eq!(replaced(page, "y", "new"), None);
    }
}
