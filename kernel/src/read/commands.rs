//! Lines of a cell that are not Rust: `:dep serde = "1"`, `!ls`, `?Vec`.

use super::completeness;

/// A line that is a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `:name arguments`
    Colon { name: String, arguments: String },
    /// `!program arguments`, for the shell.
    Shell(String),
    /// `?path`
    Help(String),
}

/// The commands of a cell, and its Rust: the same text with the commands blanked out, so that
/// every line and every byte keeps its position. `known` tells whether a name is defined in Rust.
pub fn split(code: &str, known: &dyn Fn(&str) -> bool) -> (Vec<Command>, String) {
    let mut commands = Vec::new();
    let mut rust = String::with_capacity(code.len());
    let parses = !super::is_too_deep(code);
    let code = &*crate::notebook::as_rust(code);
    for line in code.split_inclusive('\n') {
        if parses && completeness::is_command(line, &rust, known) {
            commands.push(command(line.trim()));
            rust.extend(line.bytes().map(|b| {
                if b == b'\n' || b == b'\r' {
                    b as char
                } else {
                    ' '
                }
            }));
        } else {
            rust.push_str(line);
        }
    }
    (commands, rust)
}

fn command(line: &str) -> Command {
    if let Some(shell) = line.strip_prefix('!') {
        return Command::Shell(shell.trim().to_owned());
    }
    if let Some(path) = line.strip_prefix('?') {
        return Command::Help(path.trim_matches('?').trim().to_owned());
    }
    let line = line.trim_start_matches(':');
    let (name, arguments) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    Command::Colon {
        name: name.to_owned(),
        arguments: arguments.trim().to_owned(),
    }
}

/// The name in a cell `?name` or `name?`. The latter may be Rust: a known variable followed by `?`,
/// or a field of one, is not a question.
pub fn asked_about(code: &str, known: &dyn Fn(&str) -> bool) -> Option<String> {
    let code = code.trim();
    let path = |c: char| c.is_alphanumeric() || "_:<>.!&".contains(c);
    let name = code.trim_matches('?');
    if name == code || name.is_empty() || !name.chars().all(path) {
        return None;
    }
    let head = name.split(['.', ':', '!', '<']).next().unwrap_or(name);
    (code.starts_with('?') || !known(head)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str) -> bool {
        matches!(name, "flag" | "v" | "p")
    }

    fn colon(name: &str, arguments: &str) -> Command {
        Command::Colon {
            name: name.to_owned(),
            arguments: arguments.to_owned(),
        }
    }

    #[test]
    fn commands_leave_blanks_behind() {
        let code = ":dep a = \"1\"\nlet x = 1;\n:vars\n";
        let (commands, rust) = split(code, &known);
        assert_eq!(commands, [colon("dep", "a = \"1\""), colon("vars", "")]);
        assert_eq!(rust, "            \nlet x = 1;\n     \n");
    }

    #[test]
    fn lines_of_a_literal_are_no_commands() {
        let code = "let s = r#\"\n:dep a = \"1\"\n!ls\n\"#;";
        assert_eq!(split(code, &known), (vec![], code.to_owned()));
        let code = "/*\n:clear\n*/ 1";
        assert_eq!(split(code, &known).0, []);
    }

    #[test]
    fn what_rust_knows_is_rust() {
        for code in [
            "!flag",
            "!v.is_empty()",
            "  !flag",
            "!(1 > 2)",
            "!matches!(x, 1)",
            "!std::mem::needs_drop::<u8>()",
            "::std::mem::swap(a, b);",
            "!true",
        ] {
            assert_eq!(split(code, &known).0, [], "{code}");
        }
        assert_eq!(
            split("!ls -l", &known).0,
            [Command::Shell("ls -l".to_owned())]
        );
        assert_eq!(split("!ls", &known).0, [Command::Shell("ls".to_owned())]);
    }

    #[test]
    fn a_question_is_about_what_is_no_variable() {
        assert_eq!(asked_about("Vec?", &known).as_deref(), Some("Vec"));
        assert_eq!(asked_about("?flag", &known).as_deref(), Some("flag"));
        assert_eq!(
            asked_about("std::fs::File?", &known).as_deref(),
            Some("std::fs::File")
        );
        assert_eq!(asked_about("p.value?", &known), None);
        assert_eq!(asked_about("f()?", &known), None);
    }
}
