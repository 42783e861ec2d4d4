use crate::output::Output;
use anstyle::Effects;

/// Rows under a header, each column as wide as its widest cell.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(header: &[&str]) -> Self {
        Self {
            rows: vec![header.iter().map(|&cell| cell.to_owned()).collect()],
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows
            .push(cells.into_iter().map(|cell| printable(&cell)).collect());
    }

    pub(crate) fn print(&self, output: Output) -> anyhow::Result<()> {
        for (at, line) in self.lines().iter().enumerate() {
            let bold = anstyle::Style::new().effects(Effects::BOLD);
            output.line(if at == 0 {
                output.paint(bold, line)
            } else {
                line.clone()
            })?;
        }
        Ok(())
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let columns = self.rows.first().map_or(0, Vec::len);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                self.rows
                    .iter()
                    .filter_map(|row| row.get(column))
                    .map(|cell| width(cell))
                    .max()
            })
            .map(Option::unwrap_or_default)
            .collect();
        self.rows.iter().map(|row| line(row, &widths)).collect()
    }
}

fn line(row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, wanted) in row.iter().zip(widths) {
        line.push_str(cell);
        line.extend(std::iter::repeat_n(' ', wanted - width(cell) + 2));
    }
    line.truncate(line.trim_end().len());
    line
}

/// Characters; names that people give agents and profiles are seldom wider than that.
fn width(text: &str) -> usize {
    text.chars().count()
}

/// The text without what would move the cursor or change the terminal.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_have_no_blanks_at_the_end() {
        let mut table = Table::new(&["ALIAS", "MODEL"]);
        table.row(["a".to_owned(), "m".to_owned()]);
        table.row(["ünter-långer".to_owned(), String::new()]);
        assert_eq!(
            table.lines(),
            ["ALIAS         MODEL", "a             m", "ünter-långer"]
        );
    }

    #[test]
    fn terminals_are_not_driven_by_data() {
        let check = |text: &str, expected: &str| assert_eq!(printable(text), expected);
        check("plain ünicode ✓", "plain ünicode ✓");
        check("\u{1b}[2J\r\n\u{9b}", "\\u{1b}[2J\\r\\n\\u{9b}");
    }
}
