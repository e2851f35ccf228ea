//! Readers that are simple enough to be believed, written from the descriptions of the formats and not from gmpc's.

/// Rows and cells of a text: RFC 4180, and beyond it what Python's `csv` does: a quote inside a cell stands for itself, and what
/// follows a closing quote belongs to the cell. Line ends are CR, LF or both. Lines without a cell are no rows.
/// `None` where a quote never closes, which Python lets pass.
pub fn rows(text: &str, separator: char) -> Option<Vec<Vec<String>>> {
    #[derive(PartialEq)]
    enum At {
        CellStart,
        Cell,
        Quoted,
        QuoteInQuoted,
    }
    let (mut rows, mut row, mut cell, mut at) = (vec![], vec![], String::new(), At::CellStart);
    let mut letters = text.chars().peekable();
    let mut any = false;
    while let Some(c) = letters.next() {
        let ends_line = c == '\n' || c == '\r';
        if at == At::QuoteInQuoted {
            if c == '"' {
                cell.push('"');
                at = At::Quoted;
                continue;
            }
            at = At::Cell;
        }
        match at {
            At::Quoted if c == '"' => at = At::QuoteInQuoted,
            At::Quoted => cell.push(c),
            _ if ends_line => {
                if c == '\r' && letters.peek() == Some(&'\n') {
                    letters.next();
                }
                if any {
                    row.push(std::mem::take(&mut cell));
                    rows.push(std::mem::take(&mut row));
                }
                (at, any) = (At::CellStart, false);
                continue;
            }
            _ if c == separator => {
                row.push(std::mem::take(&mut cell));
                at = At::CellStart;
            }
            At::CellStart if c == '"' => at = At::Quoted,
            _ => {
                cell.push(c);
                at = At::Cell;
            }
        }
        any = true;
    }
    if at == At::Quoted {
        return None;
    }
    if any {
        row.push(cell);
        rows.push(row);
    }
    Some(rows)
}

/// Rows and cells between runs of blanks, as NumPy's `loadtxt` takes them.
pub fn blank_rows(text: &str) -> Vec<Vec<String>> {
    let lines =
        text.split(['\n', '\r']).map(|line| line.split_ascii_whitespace().map(str::to_string).collect::<Vec<_>>());
    lines.filter(|cells| !cells.is_empty()).collect()
}

/// A number as Python's `float` understands it, without the words and underscores.
pub fn number(cell: &str) -> Option<f64> {
    let plain = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
    let number = cell.chars().all(plain).then(|| cell.parse::<f64>().ok()).flatten();
    number.filter(|number| number.is_finite())
}

#[test]
fn the_reference_reads_as_python_does() {
    let read = |text: &str| rows(text, ',').unwrap();
    // Each line was tried with Python 3.11: list(csv.reader(io.StringIO(text, newline="")))
    assert_eq!(read("a,b\r\n1,\"2\"\n"), [["a", "b"], ["1", "2"]]);
    assert_eq!(read("\"a,\"\"b\"\"\nc\",d\r1,2"), [["a,\"b\"\nc", "d"], ["1", "2"]]);
    assert_eq!(read("1\"2,\"3\"4\n"), [["1\"2", "34"]]);
    assert_eq!(read("a, \"b\"\n"), [["a", " \"b\""]]);
    assert_eq!(read("a,\n\n,b\n"), [["a", ""], ["", "b"]]);
    assert_eq!(read("\"\"\n"), [[""]]);
    assert_eq!(rows("\"a,b\n", ','), None);
    assert_eq!(
        (number("1e3"), number("+.5"), number("nan"), number("1_0"), number("")),
        (Some(1000.0), Some(0.5), None, None, None)
    );
}
