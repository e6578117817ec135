//! The languages of code cells that jupytext distinguishes, and their comment syntax.

/// Languages that are also IPython magic commands (`%%bash`).
const MAGICS: [&str; 29] = [
    "R",
    "bash",
    "sh",
    "python",
    "python2",
    "python3",
    "coconut",
    "javascript",
    "js",
    "perl",
    "html",
    "latex",
    "markdown",
    "pypy",
    "ruby",
    "script",
    "svg",
    "matlab",
    "octave",
    "idl",
    "robotframework",
    "sas",
    "spark",
    "sql",
    "cython",
    "haskell",
    "tcl",
    "gnuplot",
    "wolfram language",
];

/// Script languages, each with its comment mark.
const SCRIPTS: [(&str, &str); 36] = [
    ("python", "#"),
    ("coconut", "#"),
    ("R", "#"),
    ("julia", "#"),
    ("c++", "//"),
    ("scheme", ";;"),
    ("clojure", ";;"),
    ("bash", "#"),
    ("powershell", "#"),
    ("q", "/"),
    ("matlab", "%"),
    ("wolfram language", "(*"),
    ("idl", ";"),
    ("javascript", "//"),
    ("typescript", "//"),
    ("scala", "//"),
    ("rust", "//"),
    ("robotframework", "#"),
    ("csharp", "//"),
    ("fsharp", "//"),
    ("sos", "#"),
    ("java", "//"),
    ("groovy", "//"),
    ("sage", "#"),
    ("ocaml", "(*"),
    ("haskell", "--"),
    ("tcl", "#"),
    ("maxima", "/*"),
    ("gnuplot", "#"),
    ("stata", "//"),
    ("sas", "/*"),
    ("jenner", "/*"),
    ("xonsh", "#"),
    ("logtalk", "%"),
    ("lua", "--"),
    ("go", "//"),
];

/// Aliases of these languages.
const ALIASES: [&str; 4] = ["c#", "f#", "cs", "fs"];

fn all() -> impl Iterator<Item = &'static str> {
    let scripts = SCRIPTS.iter().map(|(name, _)| *name);
    MAGICS.into_iter().chain(scripts).chain(ALIASES)
}

/// Whether a name is a language of code cells, in any case.
pub fn is_language(name: &str) -> bool {
    all().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a name is a language exactly as jupytext writes it.
pub fn is_exact(name: &str) -> bool {
    all().any(|known| known == name)
}

/// The language at the start of a Markdown fence's info string: blanks, its name as written or
/// in capitals, and the rest.
pub fn of_fence(info: &str) -> Option<(&str, &str)> {
    let start = super::python::strip_start(info);
    all().find_map(|known| {
        let head = start.get(..known.len())?;
        let rest = &start[known.len()..];
        let same = head == known || head == known.to_uppercase();
        let ends = rest.chars().next().is_none_or(super::python::is_space);
        (same && ends).then_some((head, rest))
    })
}

/// The comment mark of a language.
pub fn comment(language: &str) -> Option<&'static str> {
    let found = SCRIPTS.iter().find(|(name, _)| *name == language);
    found.map(|(_, mark)| *mark)
}

/// The canonical name of a language.
pub fn usual(language: &str) -> String {
    let lower = language.to_lowercase();
    match lower.as_str() {
        "r" => "R".to_owned(),
        "octave" => "matlab".to_owned(),
        "cs" | "c#" => "csharp".to_owned(),
        "fs" | "f#" => "fsharp".to_owned(),
        "sas" => "SAS".to_owned(),
        name if name.starts_with("c++") => "c++".to_owned(),
        _ => lower,
    }
}
