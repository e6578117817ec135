//! The modules of a crate, what each imports, and the file that an imported name is defined in.

use crate::tokens::{tokens, without_tests};
use std::collections::{BTreeMap, BTreeSet};

/// Texts of source files by their paths, `src/a/b.rs`.
pub type Sources = BTreeMap<String, String>;

/// A name brought in by `use`.
struct Import {
    path: Vec<String>,
    /// The name here; `*` for all of them.
    name: String,
    /// `pub use`, `pub(..) use`.
    passed_on: bool,
}

/// A module, of a file or within one.
struct Module {
    file: String,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    imports: Vec<Import>,
    /// Items at its top.
    defined: BTreeSet<String>,
    /// Paths of two segments or more, outside of `use`.
    paths: Vec<Vec<String>>,
    /// Every word outside of `use`.
    words: BTreeSet<String>,
}

/// What a path leads to.
#[derive(Clone, PartialEq)]
enum Target {
    Module(usize),
    /// Something that is defined in this file.
    Item(String),
}

/// A crate's modules, those for tests left out.
pub struct Modules(Vec<Module>);

impl Modules {
    /// Follows `mod` from the crate's root.
    pub fn read(root: &str, sources: &Sources) -> Modules {
        let mut modules = Modules(Vec::new());
        let (folder, _) = root.rsplit_once('/').expect("the root lies in a folder");
        modules.read_file(root, folder, None, sources);
        modules
    }

    fn read_file(
        &mut self,
        file: &str,
        folder: &str,
        parent: Option<usize>,
        sources: &Sources,
    ) -> usize {
        let tokens = without_tests(&tokens(&sources[file]));
        let module = self.add(file, parent);
        self.read_tokens(&tokens, module, folder, sources);
        module
    }

    fn add(&mut self, file: &str, parent: Option<usize>) -> usize {
        self.0.push(Module {
            file: file.to_owned(),
            parent,
            children: BTreeMap::new(),
            imports: Vec::new(),
            defined: BTreeSet::new(),
            paths: Vec::new(),
            words: BTreeSet::new(),
        });
        self.0.len() - 1
    }

    /// Reads up to the end or to the brace that closes the module; returns how far that was.
    /// `folder` is where the files of child modules are.
    fn read_tokens(
        &mut self,
        tokens: &[&str],
        module: usize,
        folder: &str,
        sources: &Sources,
    ) -> usize {
        let (mut at, mut depth) = (0, 0);
        while at < tokens.len() {
            match &tokens[at..] {
                ["{", ..] => depth += 1,
                ["}", ..] if depth == 0 => return at + 1,
                ["}", ..] => depth -= 1,
                ["mod", name, mark @ (";" | "{"), ..] => {
                    let inner = format!("{folder}/{name}");
                    let child = if *mark == "{" {
                        let child = self.add(&self.0[module].file.clone(), Some(module));
                        at += 2 + self.read_tokens(&tokens[at + 3..], child, &inner, sources);
                        child
                    } else {
                        let files = [format!("{inner}.rs"), format!("{inner}/mod.rs")];
                        let file = files.iter().find(|file| sources.contains_key(*file));
                        let file = file.unwrap_or_else(|| panic!("no file for module {inner}"));
                        at += 2;
                        self.read_file(file, &inner, Some(module), sources)
                    };
                    self.0[module].children.insert((*name).to_owned(), child);
                }
                // `use<'a>` in a type is no import.
                ["use", next, ..] if *next != "<" => {
                    let passed_on = at > 0 && matches!(tokens[at - 1], "pub" | ")");
                    let end = tokens[at..].iter().position(|t| *t == ";");
                    let end = at + end.expect("an import ends with a semicolon");
                    let imports = &mut self.0[module].imports;
                    read_use(&tokens[at + 1..end], &[], passed_on, imports);
                    at = end;
                }
                [word, ..] if is_word(word) => {
                    let before = at.checked_sub(1).map_or("", |before| tokens[before]);
                    at += self.read_word(&tokens[at..], module, depth, before);
                }
                _ => {}
            }
            at += 1;
        }
        at
    }

    /// Notes the word or the path at the start and what it defines; returns how many tokens more than
    /// one that was.
    fn read_word(&mut self, tokens: &[&str], module: usize, depth: usize, before: &str) -> usize {
        const KINDS: [&str; 9] = [
            "struct", "enum", "union", "trait", "type", "fn", "const", "static", "mod",
        ];
        let module = &mut self.0[module];
        let defined = match tokens {
            ["macro_rules", "!", name, ..] => Some(name),
            [kind, name, ..] if KINDS.contains(kind) && is_word(name) => Some(name),
            _ => None,
        };
        if let Some(name) = defined.filter(|_| depth == 0) {
            module.defined.insert((*name).to_owned());
        }
        let mut path = vec![tokens[0].to_owned()];
        while let ["::", next, ..] = &tokens[2 * path.len() - 1..]
            && is_word(next)
        {
            path.push((*next).to_owned());
        }
        let more = 2 * (path.len() - 1);
        // Methods, fields, and names that are defined here are no use of a name.
        if ![".", "fn", "::"].contains(&before) {
            module.words.extend(path.iter().cloned());
            if path.len() > 1 {
                module.paths.push(path);
            }
        }
        more
    }

    /// The files that each file imports from, each with a name that it imports.
    pub fn imports(&self) -> BTreeMap<&str, BTreeMap<String, String>> {
        let mut imports: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
        for (m, module) in self.0.iter().enumerate() {
            let of_file = imports.entry(&module.file).or_default();
            let mut add = |target: Option<Target>, path: &[String]| match target {
                Some(Target::Item(file)) if file != module.file => {
                    of_file.entry(file).or_insert_with(|| path.join("::"));
                }
                _ => {}
            };
            for import in &module.imports {
                if import.name == "*" {
                    let Some(Target::Module(from)) = self.resolve(m, &import.path, 0) else {
                        add(self.resolve(m, &import.path, 0), &import.path);
                        continue;
                    };
                    for word in module.words.iter().filter(|word| !self.binds(m, word)) {
                        let path = [import.path.as_slice(), std::slice::from_ref(word)].concat();
                        add(self.lookup(from, word, true, 0), &path);
                    }
                } else if !import.passed_on || module.words.contains(&import.name) {
                    add(self.resolve(m, &import.path, 0), &import.path);
                }
            }
            for path in &module.paths {
                add(self.resolve(m, path, 0), path);
            }
        }
        imports
    }

    /// Whether the module has the name without a glob import.
    fn binds(&self, m: usize, name: &str) -> bool {
        let module = &self.0[m];
        module.defined.contains(name) || module.imports.iter().any(|import| import.name == name)
    }

    /// Where a path that is written in module `m` leads; `None` for what other crates define.
    fn resolve(&self, m: usize, path: &[String], depth: usize) -> Option<Target> {
        let mut at = m;
        let mut rest = path;
        let mut rooted = false;
        while let Some((first, others)) = rest.split_first() {
            at = match first.as_str() {
                "crate" => 0,
                "self" => at,
                "super" => self.0[at].parent?,
                _ => break,
            };
            (rest, rooted) = (others, true);
        }
        let mut target = Target::Module(at);
        for (i, name) in rest.iter().enumerate() {
            let Target::Module(at) = target else {
                break;
            };
            let last = i + 1 == rest.len();
            target = match self.lookup(at, name, last, depth) {
                Some(found) => found,
                // What a macro has written, or another crate's.
                None if rooted || i > 0 => Target::Item(self.0[at].file.clone()),
                None => return None,
            };
        }
        Some(target)
    }

    /// What a module has under a name. A module and a function may share one: at the end of a path
    /// it is the function.
    fn lookup(&self, m: usize, name: &str, last: bool, depth: usize) -> Option<Target> {
        // Two modules may import everything from each other.
        if depth > 16 {
            return None;
        }
        let module = &self.0[m];
        let child = module.children.get(name).map(|&m| Target::Module(m));
        if !last && child.is_some() {
            return child;
        }
        let mut named = module.imports.iter().filter(|import| import.name == name);
        if let Some(found) = named.find_map(|import| self.resolve(m, &import.path, depth + 1)) {
            return Some(found);
        }
        if module.defined.contains(name) {
            return Some(Target::Item(module.file.clone()));
        }
        child.or_else(|| {
            let mut globs = module.imports.iter().filter(|import| import.name == "*");
            globs.find_map(|glob| match self.resolve(m, &glob.path, depth + 1)? {
                Target::Module(from) if from != m => self.lookup(from, name, last, depth + 1),
                _ => None,
            })
        })
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// One tree of a `use`, what stands before it given.
fn read_use(tokens: &[&str], before: &[String], passed_on: bool, imports: &mut Vec<Import>) {
    let mut path = before.to_vec();
    let mut rest = tokens;
    loop {
        match rest {
            ["{", inner @ .., "}"] => {
                for tree in split_at_commas(inner) {
                    read_use(tree, &path, passed_on, imports);
                }
                return;
            }
            ["::", others @ ..] => rest = others,
            [name, "as", other] => {
                path.extend((*name != "self").then(|| (*name).to_owned()));
                let name = (*other).to_owned();
                imports.push(Import {
                    path,
                    name,
                    passed_on,
                });
                return;
            }
            ["*"] => {
                let name = "*".to_owned();
                imports.push(Import {
                    path,
                    name,
                    passed_on,
                });
                return;
            }
            // `{self}` names what stands before it.
            ["self"] if !before.is_empty() => rest = &[],
            [name, others @ ..] => {
                path.push((*name).to_owned());
                rest = others;
            }
            [] => {
                if let Some(name) = path.last().cloned() {
                    imports.push(Import {
                        path,
                        name,
                        passed_on,
                    });
                }
                return;
            }
        }
    }
}

fn split_at_commas<'a, 'b>(tokens: &'b [&'a str]) -> Vec<&'b [&'a str]> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 0 => {
                parts.push(&tokens[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&tokens[from..]);
    parts.retain(|part| !part.is_empty());
    parts
}
