//! Tables of plain text.

use std::fmt;

/// Rows under a heading; numbers are aligned on the right.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with the given column names.
    pub(crate) fn new(columns: &[&str]) -> Self {
        Table { rows: vec![columns.iter().map(ToString::to_string).collect()] }
    }

    /// Adds a row, one cell a column.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    fn columns(&self) -> usize {
        self.rows[0].len()
    }

    fn width(&self, column: usize) -> usize {
        self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    }

    /// Below its heading the column holds numbers, or nothing.
    fn is_numeric(&self, column: usize) -> bool {
        // "1 234", "12.5 %" and "3 kB" are numbers, "2x3" is none.
        let first_word = |cell: &str| cell.split(' ').next().is_some_and(|w| w.parse::<f64>().is_ok());
        let number = |cell: &String| cell.is_empty() || cell == "-" || first_word(cell);
        self.rows[1..].iter().filter_map(|row| row.get(column)).all(number)
    }

    fn line(&self, row: &[String]) -> String {
        let cell = |(column, text): (usize, &String)| {
            let width = self.width(column);
            if self.is_numeric(column) { format!("{text:>width$}") } else { format!("{text:<width$}") }
        };
        row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ").trim_end().to_owned()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let rule: usize = (0..self.columns()).map(|column| self.width(column) + 2).sum();
        write!(f, "{}\n{}", self.line(&self.rows[0]), "-".repeat(rule.saturating_sub(2)))?;
        self.rows[1..].iter().try_for_each(|row| write!(f, "\n{}", self.line(row)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_aligned_on_the_right() {
        let mut table = Table::new(&["layer", "size", "shape"]);
        table.row(["a".into(), "7".into(), String::new()]);
        table.row(["longer".into(), "1 234".into(), "2x3".into()]);
        let expected = "layer    size  shape\n--------------------\na           7\nlonger  1 234  2x3";
        assert_eq!(table.to_string(), expected);
    }
}
