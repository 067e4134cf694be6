//! Plain tables: a header, aligned columns, nothing drawn.

use comfy_table::{CellAlignment, ContentArrangement, Table, TableStyle};

/// A column's heading, and the side its cells lean to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Column {
    /// For words.
    Left(&'static str),
    /// For numbers.
    Right(&'static str),
}

/// Lays out rows under their headings.
pub(crate) fn table(columns: &[Column], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|column| match column {
        Column::Left(heading) | Column::Right(heading) => *heading,
    }));
    table.add_rows(rows);
    for (layout, column) in table.column_iter_mut().zip(columns) {
        layout.set_padding((0, 2));
        layout.set_cell_alignment(match column {
            Column::Left(_) => CellAlignment::Left,
            Column::Right(_) => CellAlignment::Right,
        });
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lean_right_words_left_and_no_line_ends_in_spaces() {
        let columns = [Column::Left("SERVICE"), Column::Right("PACKETS"), Column::Left("WHY")];
        let rows = [("web", "12345678", ""), ("a-long-name", "9", "because")];
        let rows = rows.map(|(a, b, c)| vec![a.to_owned(), b.to_owned(), c.to_owned()]);
        let expected = "\
SERVICE       PACKETS  WHY
web          12345678
a-long-name         9  because";
        assert_eq!(table(&columns, rows), expected);
    }
}
