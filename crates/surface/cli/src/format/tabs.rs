//! Columns made from tab-terminated cells: Go's text/tabwriter with spaces for padding.
//!
//! A column is a run of neighbouring lines that have a cell there; its width is that of its widest cell. What follows the last
//! tab of a line belongs to no column.

/// How wide columns are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Columns {
    /// No column is narrower.
    pub(crate) min_width: usize,
    /// Spaces behind the widest cell.
    pub(crate) padding: usize,
}

/// Docker's lists.
pub(crate) const TABLE: Columns = Columns { min_width: 10, padding: 3 };

/// Returns the text with its tabs replaced by spaces.
pub(crate) fn align(text: &str, columns: Columns) -> String {
    let lines: Vec<Vec<&str>> = text.split('\n').map(|line| line.split('\t').collect()).collect();
    let mut widths: Vec<Vec<usize>> = lines.iter().map(|cells| vec![0; cells.len() - 1]).collect();
    measure(&lines, &mut widths, 0, 0..lines.len(), columns);
    let mut out = String::with_capacity(text.len() * 2);
    for (number, (cells, widths)) in lines.iter().zip(&widths).enumerate() {
        if number > 0 {
            out.push('\n');
        }
        for (column, cell) in cells.iter().enumerate() {
            out.push_str(cell);
            if let Some(width) = widths.get(column) {
                out.push_str(&" ".repeat(width.saturating_sub(cell.chars().count())));
            }
        }
    }
    out
}

/// Finds the runs of lines that have a cell in the given column, sets their width, and looks further to the right within each.
fn measure(
    lines: &[Vec<&str>],
    widths: &mut [Vec<usize>],
    column: usize,
    range: std::ops::Range<usize>,
    columns: Columns,
) {
    let has_cell = |line: usize| lines[line].len() > column + 1;
    let mut line = range.start;
    while line < range.end {
        if !has_cell(line) {
            line += 1;
            continue;
        }
        let end = (line..range.end).find(|l| !has_cell(*l)).unwrap_or(range.end);
        let widest = (line..end).map(|l| lines[l][column].chars().count()).max().unwrap_or(0);
        let width = (widest + columns.padding).max(columns.min_width);
        for widths in &mut widths[line..end] {
            widths[column] = width;
        }
        measure(lines, widths, column + 1, line..end, columns);
        line = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_the_widest_cell() {
        let text = "CONTAINER ID\tIMAGE\tNAMES\n0123456789ab\tbusybox:latest\tx\n";
        let expected = "CONTAINER ID   IMAGE            NAMES\n0123456789ab   busybox:latest   x\n";
        assert_eq!(align(text, TABLE), expected);
    }

    #[test]
    fn narrow_columns_have_the_minimum_width() {
        assert_eq!(align("A\tB\tC\n1\t\t3\n", TABLE), "A         B         C\n1                   3\n");
    }

    #[test]
    fn width_counts_characters() {
        assert_eq!(
            align("\"sleep …\"\tx\nA\ty", Columns { min_width: 0, padding: 1 }),
            "\"sleep …\" x\nA         y"
        );
    }

    #[test]
    fn line_without_the_cell_ends_a_column() {
        // As Go's tabwriter: the two blocks are aligned apart.
        let text = "Client:\n Version:\t1\nServer:\n Longer version:\t2\n";
        let expected = "Client:\n Version:           1\nServer:\n Longer version:    2\n";
        assert_eq!(align(text, Columns { min_width: 20, padding: 1 }), expected);
    }
}
