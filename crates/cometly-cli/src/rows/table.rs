//! A table for people: columns as wide as the cells of the first page, cells cut where they are very long.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// The widest cell.
const MAX_WIDTH: usize = 40;

#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Of each column, once they are known. Cells of later pages may be wider; none is cut for that.
    widths: Vec<usize>,
}

impl Table {
    /// A line for each row.
    pub(crate) fn lines(&mut self, rows: &[Vec<String>]) -> Vec<Vec<u8>> {
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| cut(cell)).collect()).collect();
        if self.widths.is_empty() {
            let columns = rows.first().map_or(0, Vec::len);
            let width = |column| rows.iter().filter_map(|row| row.get(column)).map(|cell: &String| cell.width()).max();
            self.widths = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
        }
        rows.iter().map(|row| self.line(row)).collect()
    }

    fn line(&self, cells: &[String]) -> Vec<u8> {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&self.widths) {
            line.push_str(cell);
            let gap = width.saturating_sub(cell.width()).saturating_add(2);
            line.extend(std::iter::repeat_n(' ', gap));
        }
        line.truncate(line.trim_end().len());
        line.into_bytes()
    }
}

/// One line, of at most [`MAX_WIDTH`] columns.
fn cut(cell: &str) -> String {
    let mut width = 0_usize;
    let mut shown = String::new();
    for char in cell.chars().map(|char| if char.is_control() { ' ' } else { char }) {
        width = width.saturating_add(char.width().unwrap_or_default());
        if width > MAX_WIDTH {
            shown.pop();
            shown.push('…');
            break;
        }
        shown.push(char);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(table: &mut Table, rows: &[&[&str]]) -> Vec<String> {
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect();
        table.lines(&rows).into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
    }

    #[test]
    fn columns_line_up_also_for_wide_characters_and_on_later_pages() {
        let mut table = Table::default();
        let first = lines(&mut table, &[&["id", "name", "x"], &["1", "日本", "a"], &["22", "b\nc", ""]]);
        assert_eq!(first, ["id  name  x", "1   日本  a", "22  b c"]);
        assert_eq!(lines(&mut table, &[&["12345", "n", "y"]]), ["12345  n     y"], "no digit is cut");
    }

    #[test]
    fn a_long_cell_is_cut() {
        let long = "é".repeat(41);
        let shown = lines(&mut Table::default(), &[&[&long]]).remove(0);
        assert_eq!((shown.width(), shown.ends_with('…')), (40, true));
        assert_eq!(cut(&"é".repeat(40)).chars().count(), 40);
    }
}
