//! Circles of a graph of imports.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What each file imports: from which files, and one name of each.
type Imports<'a> = BTreeMap<&'a str, BTreeMap<String, String>>;

/// A shortest circle of every group of files that reach each other.
pub fn circles(imports: &Imports) -> Vec<String> {
    let (mut found, mut told) = (Vec::new(), BTreeSet::new());
    for file in imports.keys() {
        if told.contains(file) {
            continue;
        }
        let reached = reachable(imports, file);
        let group: BTreeSet<&str> = reached
            .into_iter()
            .filter(|other| reachable(imports, other).contains(file))
            .collect();
        let shortest = group.iter().filter_map(|file| circle(imports, file));
        found.extend(
            shortest
                .min_by_key(Vec::len)
                .map(|path| told_as(imports, &path)),
        );
        told.extend(group);
    }
    found
}

/// The files that a file's imports lead to.
fn reachable<'a>(imports: &'a Imports, from: &str) -> BTreeSet<&'a str> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(file) = open.pop() {
        for other in imports.get(file).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(other.as_str()) {
                open.push(other);
            }
        }
    }
    reached
}

/// The shortest way from a file back to it, the file at both ends.
fn circle<'a>(imports: &'a Imports, file: &'a str) -> Option<Vec<&'a str>> {
    let mut open = VecDeque::from([vec![file]]);
    let mut seen = BTreeSet::new();
    while let Some(path) = open.pop_front() {
        let last = path.last().copied()?;
        for other in imports.get(last).into_iter().flat_map(BTreeMap::keys) {
            let longer = [path.as_slice(), &[other.as_str()]].concat();
            if other == file {
                return Some(longer);
            }
            if seen.insert(other) {
                open.push_back(longer);
            }
        }
    }
    None
}

fn told_as(imports: &Imports, path: &[&str]) -> String {
    let steps = path
        .windows(2)
        .map(|pair| format!(" -> {} ({})", pair[1], imports[pair[0]][pair[1]]));
    path[0].to_owned() + &steps.collect::<String>()
}
