//! Text and addresses as Markdown writes them.

/// The longest run of `c`.
pub fn longest_run(text: &str, c: char) -> usize {
    let runs = text.split(|other| other != c).map(str::len);
    runs.max().unwrap_or(0)
}

/// An address, in angle brackets if it would otherwise be cut short.
pub fn address(href: &str) -> String {
    match href.contains([' ', '(', ')', '<', '>']) {
        true => format!("<{}>", href.replace('<', "%3C").replace('>', "%3E")),
        false => href.to_owned(),
    }
}

/// Text escaped so that Markdown shows it unchanged.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let within_a_word =
            before.is_alphanumeric() && rest.peek().is_some_and(|next| next.is_alphanumeric());
        if matches!(
            c,
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '$' | '~' | '|'
        ) || (c == '_' && !within_a_word)
            || (c == '&'
                && rest
                    .peek()
                    .is_some_and(|next| next.is_alphanumeric() || *next == '#'))
        {
            out.push('\\');
        }
        out.push(c);
        before = c;
    }
    out
}
