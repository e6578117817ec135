//! Which definition each name of the session refers to now.

use crate::read::imports::Import;
use crate::read::items::Space;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// A definition of the session.
pub type DefId = usize;

/// What a name refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provider {
    Def(DefId),
    Import(Arc<Import>),
}

/// An entry for a name. The newest is the last; each serves the namespaces that no later one has
/// taken.
#[derive(Debug, Clone)]
pub struct Entry {
    pub provider: Provider,
    pub spaces: Vec<Space>,
}

const ALL: [Space; 3] = [Space::Type, Space::Value, Space::Macro];

/// The names of the session.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    names: HashMap<String, Vec<Entry>>,
    /// Globs and `as _`, in order.
    unnamed: Vec<Arc<Import>>,
    /// Traits by the names of their items.
    methods: HashMap<String, Vec<DefId>>,
    /// Macro calls that expand to items, by the words of their arguments.
    calls: HashMap<String, Vec<DefId>>,
}

impl Scope {
    /// A `use` takes a name in all namespaces: the actual ones are not known.
    pub fn import(&mut self, import: Import) {
        let import = Arc::new(import);
        match &import.name {
            Some(name) => {
                let entry = Entry {
                    provider: Provider::Import(Arc::clone(&import)),
                    spaces: ALL.to_vec(),
                };
                self.names.insert(name.clone(), vec![entry]);
            }
            None => {
                self.unnamed.retain(|known| known.text != import.text);
                self.unnamed.push(import);
            }
        }
    }

    /// Defines a name in a namespace; returns the definitions that have no name left.
    pub fn define(&mut self, id: DefId, name: &str, space: Space) -> Vec<DefId> {
        let entries = self.names.entry(name.to_owned()).or_default();
        let mut gone = Vec::new();
        for entry in entries.iter_mut() {
            if entry.provider != Provider::Def(id) {
                entry.spaces.retain(|taken| *taken != space);
            }
        }
        entries.retain(|entry| {
            if entry.spaces.is_empty()
                && let Provider::Def(id) = entry.provider
            {
                gone.push(id);
            }
            !entry.spaces.is_empty()
        });
        match entries
            .iter_mut()
            .find(|entry| entry.provider == Provider::Def(id))
        {
            Some(entry) => entry.spaces.push(space),
            None => entries.push(Entry {
                provider: Provider::Def(id),
                spaces: vec![space],
            }),
        }
        gone
    }

    pub fn add_trait(&mut self, id: DefId, methods: &[String]) {
        for method in methods {
            self.methods.entry(method.clone()).or_default().push(id);
        }
    }

    pub fn add_call(&mut self, id: DefId, words: &HashSet<String>) {
        for word in words {
            self.calls.entry(word.clone()).or_default().push(id);
        }
    }

    /// Replaces a definition by another under its names.
    pub fn replace(&mut self, old: DefId, new: DefId, names: &[(Space, String)]) {
        for (_, name) in names {
            for entry in self.names.get_mut(name).into_iter().flatten() {
                if entry.provider == Provider::Def(old) {
                    entry.provider = Provider::Def(new);
                }
            }
        }
        let lists = self.methods.values_mut().chain(self.calls.values_mut());
        for id in lists.flatten().filter(|id| **id == old) {
            *id = new;
        }
    }

    /// Removes a definition.
    pub fn remove(&mut self, id: DefId, names: &[(Space, String)]) {
        for (_, name) in names {
            if let Some(entries) = self.names.get_mut(name) {
                entries.retain(|entry| entry.provider != Provider::Def(id));
            }
        }
        for list in self.methods.values_mut().chain(self.calls.values_mut()) {
            list.retain(|known| *known != id);
        }
    }

    pub fn entries(&self, name: &str) -> &[Entry] {
        self.names.get(name).map_or(&[], Vec::as_slice)
    }

    /// The definition that a name refers to in a namespace.
    pub fn find(&self, name: &str, space: Space) -> Option<DefId> {
        let entries = self.entries(name).iter().rev();
        entries
            .filter(|entry| entry.spaces.contains(&space))
            .find_map(|entry| match entry.provider {
                Provider::Def(id) => Some(id),
                Provider::Import(_) => None,
            })
    }

    /// Every `use` in force: those without a name, and those whose name still refers to them.
    pub fn imports(&self) -> Vec<Arc<Import>> {
        let named = self
            .names
            .values()
            .flatten()
            .filter_map(|entry| match &entry.provider {
                Provider::Import(import) => Some(Arc::clone(import)),
                Provider::Def(_) => None,
            });
        let mut named: Vec<_> = named.collect();
        named.sort_by(|a, b| a.text.cmp(&b.text));
        self.unnamed.iter().cloned().chain(named).collect()
    }

    /// The definitions that a text with these words mentions: by name, as the trait of a method, or
    /// through the macros that it calls.
    pub fn mentioned(
        &self,
        words: impl IntoIterator<Item = String>,
        macro_words: &dyn Fn(DefId) -> Option<HashSet<String>>,
    ) -> BTreeSet<DefId> {
        let mut found = BTreeSet::new();
        let mut queue: Vec<String> = words.into_iter().collect();
        let mut seen: HashSet<String> = queue.iter().cloned().collect();
        while let Some(word) = queue.pop() {
            let named = self
                .entries(&word)
                .iter()
                .filter_map(|entry| match entry.provider {
                    Provider::Def(id) => Some(id),
                    Provider::Import(_) => None,
                });
            let listed = [&self.methods, &self.calls].map(|lists| lists.get(&word));
            for id in named.chain(listed.into_iter().flatten().flatten().copied()) {
                if found.insert(id)
                    && let Some(words) = macro_words(id)
                {
                    for word in words {
                        if seen.insert(word.clone()) {
                            queue.push(word);
                        }
                    }
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_and_a_module_of_one_name_stand_side_by_side() {
        let mut scope = Scope::default();
        assert!(scope.define(1, "a", Space::Value).is_empty());
        assert!(scope.define(2, "a", Space::Type).is_empty());
        assert_eq!(scope.find("a", Space::Value), Some(1));
        assert_eq!(scope.find("a", Space::Type), Some(2));
        assert_eq!(scope.define(3, "a", Space::Value), [1]);
        assert_eq!(scope.find("a", Space::Type), Some(2));
    }

    #[test]
    fn an_import_takes_a_name_whole() {
        let mut scope = Scope::default();
        scope.define(1, "Result", Space::Type);
        scope.import(Import {
            name: Some("Result".to_owned()),
            text: "use std::io::Result;".to_owned(),
        });
        assert_eq!(scope.find("Result", Space::Type), None);
        assert_eq!(scope.imports().len(), 1);
        scope.define(2, "Result", Space::Type);
        assert_eq!(scope.find("Result", Space::Type), Some(2));
    }

    #[test]
    fn a_method_mentions_its_trait_and_a_macro_what_it_writes() {
        let mut scope = Scope::default();
        scope.define(1, "Mammal", Space::Type);
        scope.add_trait(1, &["legs".to_owned()]);
        scope.define(2, "sq", Space::Macro);
        scope.define(3, "helper", Space::Value);
        let words = |text: &str| {
            crate::read::words::of(text)
                .into_iter()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let macro_words = |id| (id == 2).then(|| HashSet::from(["helper".to_owned()]));
        let found = scope.mentioned(words("cat.legs()"), &macro_words);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [1]);
        let found = scope.mentioned(words("sq!(1)"), &macro_words);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [2, 3]);
    }
}
