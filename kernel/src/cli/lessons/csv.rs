//! Rows of a CSV file (RFC 4180) that a spreadsheet opens.

/// One line, with its line break. Text that a spreadsheet would read as a formula is prefixed with `'`, since messages
/// come from students' code.
pub fn row(fields: &[&str]) -> String {
    let fields: Vec<String> = fields.iter().map(|text| field(text)).collect();
    fields.join(",") + "\r\n"
}

fn field(text: &str) -> String {
    let is_number = text.parse::<f64>().is_ok();
    let text = match text.starts_with(['=', '+', '-', '@', '\t']) && !is_number {
        true => format!("'{text}"),
        false => text.to_owned(),
    };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::row;

    #[test]
    fn fields_are_quoted_where_they_must_and_are_never_formulas() {
        assert_eq!(
            row(&["a", "b,c", "say \"x\"", "two\nlines", "-1.5"]),
            "a,\"b,c\",\"say \"\"x\"\"\",\"two\nlines\",-1.5\r\n"
        );
        assert_eq!(row(&["=1+1", "-x", "@a"]), "'=1+1,'-x,'@a\r\n");
    }
}
