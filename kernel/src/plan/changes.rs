//! What a cell's items change: which of them are new, which they replace, and what must be
//! compiled again because of that.

use super::scope::DefId;
use super::{Change, Def, Definitions, is_structural};
use crate::read::items::{Item, Kind, Space};
use crate::read::{Cell, CellText};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// The state of a change while it is computed.
#[derive(Debug, Default)]
pub(super) struct Affected {
    /// New definitions of the cell, and copies of former ones that are compiled again elsewhere.
    pub floating: BTreeSet<DefId>,
    /// The replacement of each replaced definition.
    pub map: BTreeMap<DefId, DefId>,
    /// `impl`s that stay in their unit and must be compiled again there.
    pub dirty: BTreeSet<DefId>,
}

impl Definitions {
    pub(super) fn change(
        &mut self,
        cell: &Cell,
        run: u64,
        change: &mut Change,
    ) -> Result<(), String> {
        let mut affected = Affected::default();
        let mut fresh = Vec::new();
        let mut kept = Vec::new();
        for item in cell.items.iter().filter(|item| item.kind != Kind::Use) {
            match self.unchanged(item) {
                Some(id) => kept.push(id),
                None => fresh.push(self.add(item, &cell.text, run)),
            }
        }
        if fresh.is_empty() {
            return Ok(());
        }
        for &id in &fresh {
            let former = self.enter(id, &fresh, &kept);
            for old in former {
                affected.map.insert(old, id);
            }
            affected.floating.insert(id);
        }
        self.resolve(&fresh);
        self.spread(&mut affected);
        self.place(&fresh, &mut affected, change)?;
        let mut replaced: Vec<DefId> = affected.map.keys().copied().collect();
        replaced.retain(|id| !self.def(*id).current);
        change.replaced = replaced;
        Ok(())
    }

    /// The current definition with the same tokens, if there is one.
    fn unchanged(&self, item: &Item) -> Option<DefId> {
        let same = |id: &DefId| {
            let def = self.def(*id);
            def.current
                && def.item.kind == item.kind
                && def.item.tokens == item.tokens
                && self.reads_the_same(def)
        };
        match item.names.first() {
            Some((space, name)) if item.kind != Kind::MacroCall => {
                self.scope.find(name, *space).filter(|id| same(id))
            }
            _ => self.unnamed.iter().rev().copied().find(|id| same(id)),
        }
    }

    /// Whether the names that a definition imports are the same as before, and the files that
    /// it reads, too.
    fn reads_the_same(&self, def: &Def) -> bool {
        let named = def.imports.iter().filter(|import| {
            let name = import.name.as_ref();
            name.is_some_and(|name| def.item.words.contains(name))
        });
        let now = self.scope.imports();
        named.into_iter().all(|import| {
            let same_name = now.iter().find(|other| other.name == import.name);
            same_name.is_none_or(|other| other.text == import.text)
        }) && (def.item.kind != Kind::ModFile || !def.files.is_empty())
            && def
                .files
                .iter()
                .all(|(file, digest)| super::unit::digest(file) == *digest)
    }

    fn add(&mut self, item: &Item, cell: &Arc<CellText>, run: u64) -> DefId {
        self.defs.push(Arc::new(Def {
            item: Arc::new(item.clone()),
            cell: Arc::clone(cell),
            run,
            imports: Arc::default(),
            uses: BTreeSet::new(),
            unit: usize::MAX,
            current: true,
            stored: None,
            files: Vec::new(),
            duplicate_of: None,
        }));
        self.defs.len() - 1
    }

    /// Adds the names of a new definition; returns the definitions that it replaces.
    fn enter(&mut self, id: DefId, fresh: &[DefId], kept: &[DefId]) -> Vec<DefId> {
        let item = Arc::clone(&self.def(id).item);
        let mut former = Vec::new();
        match item.kind {
            Kind::MacroCall => {
                former = self.calls_with_names_of(&item, fresh);
                for old in &former {
                    self.scope.remove(*old, &[]);
                }
                self.scope.add_call(id, &item.words);
                self.unnamed.push(id);
            }
            Kind::Impl => {
                former = self.former_impls(&item, fresh, kept);
                self.unnamed.push(id);
            }
            _ if item.names.is_empty() => self.unnamed.push(id),
            _ => {
                for (space, name) in &item.names {
                    let other = self.scope.find(name, *space);
                    former.extend(other.filter(|old| *old != id && !former.contains(old)));
                    self.scope.define(id, name, *space);
                }
                if item.kind == Kind::Trait {
                    self.scope.add_trait(id, &item.trait_names);
                }
            }
        }
        for old in &former {
            self.retire(*old);
        }
        former
    }

    fn retire(&mut self, old: DefId) {
        self.def_mut(old).current = false;
        self.unnamed.retain(|id| *id != old);
        if self.def(old).item.kind == Kind::Trait {
            self.scope.remove(old, &[]);
        }
    }

    fn calls_with_names_of(&self, item: &Item, fresh: &[DefId]) -> Vec<DefId> {
        let names: HashSet<&(Space, String)> = item.names.iter().collect();
        let calls = self.unnamed.iter().copied().filter(|id| {
            let other = &self.def(*id).item;
            other.kind == Kind::MacroCall
                && !fresh.contains(id)
                && other.names.iter().any(|name| names.contains(name))
        });
        calls.collect()
    }

    /// The `impl`s that a new one replaces: the same trait for the same type; for an inherent one,
    /// those that have a method of the same name.
    fn former_impls(&self, item: &Item, fresh: &[DefId], kept: &[DefId]) -> Vec<DefId> {
        let Some(head) = &item.impl_head else {
            return Vec::new();
        };
        let same = |id: &DefId| {
            let other = &self.def(*id).item;
            let Some(known) = &other.impl_head else {
                return false;
            };
            let others = !fresh.contains(id) && !kept.contains(id);
            let overlaps = known.names.iter().any(|name| head.names.contains(name));
            others
                && known.head == head.head
                && (!head.inherent || overlaps || known.names.is_empty())
        };
        self.unnamed.iter().copied().filter(same).collect()
    }

    /// Determines the definitions that new ones mention.
    fn resolve(&mut self, fresh: &[DefId]) {
        let (imports, of_imports) = self.imports_in_force();
        let imports = Arc::new(imports);
        for &id in fresh {
            let words = self.def(id).item.words.clone();
            let mut uses = self.mentioned(words);
            uses.extend(&of_imports);
            uses.remove(&id);
            let def = self.def_mut(id);
            def.uses = uses;
            def.imports = Arc::clone(&imports);
        }
    }

    /// Finds what must be compiled again, and copies what cannot stay the same.
    pub(super) fn spread(&mut self, affected: &mut Affected) {
        let mut touched: BTreeMap<DefId, bool> = BTreeMap::new();
        let changed = affected
            .floating
            .iter()
            .chain(affected.map.keys())
            .chain(&affected.dirty);
        let impls: Vec<DefId> = changed
            .copied()
            .filter(|id| self.def(*id).item.kind == Kind::Impl)
            .collect();
        for id in impls {
            self.touch(id, affected, &mut touched);
        }
        self.map_duplicates(affected);
        let mut found = !affected.map.is_empty() || !touched.is_empty();
        while found {
            found = false;
            for id in 0..self.defs.len() {
                let def = Arc::clone(&self.defs[id]);
                if !def.current || affected.floating.contains(&id) || affected.map.contains_key(&id)
                {
                    continue;
                }
                let follows = def.uses.iter().any(|used| affected.map.contains_key(used));
                let is_impl = def.item.kind == Kind::Impl;
                if is_impl && follows && !self.is_about_another(&def, affected) {
                    found |= affected.dirty.insert(id);
                    self.touch(id, affected, &mut touched);
                } else if follows && (is_impl || !is_structural(def.item.kind))
                    || self.must_be_another(&def, affected, &touched)
                {
                    found = true;
                    let new = self.copy(id, affected);
                    self.touch(new, affected, &mut touched);
                    self.map_duplicates(affected);
                }
            }
        }
    }

    /// The replacement of a definition also replaces its duplicates.
    fn map_duplicates(&self, affected: &mut Affected) {
        for (id, def) in self.defs.iter().enumerate() {
            if let Some(new) = def
                .duplicate_of
                .and_then(|of| affected.map.get(&of).copied())
            {
                affected.map.entry(id).or_insert(new);
            }
        }
    }

    /// Whether the type or the trait of an `impl` has been replaced.
    fn is_about_another(&self, def: &Def, affected: &Affected) -> bool {
        self.subjects(def).any(|id| affected.map.contains_key(&id))
    }

    /// The session's types and traits that an `impl` concerns.
    pub(super) fn subjects<'a>(&'a self, def: &'a Def) -> impl Iterator<Item = DefId> + 'a {
        let head = def.item.impl_head.as_ref();
        def.uses.iter().copied().filter(move |used| {
            let item = &self.def(*used).item;
            let said = |name: &String| {
                head.is_some_and(|head| {
                    head.trait_words.contains(name) || head.type_words.contains(name)
                })
            };
            let named = |(space, name): &(Space, String)| *space == Space::Type && said(name);
            item.kind.has_identity() && item.names.iter().any(named)
        })
    }

    /// Records the types that an `impl` concerns, and whether types can depend on how it is
    /// implemented.
    fn touch(&self, id: DefId, affected: &Affected, touched: &mut BTreeMap<DefId, bool>) {
        let def = self.def(id);
        let associated = def
            .item
            .impl_head
            .as_ref()
            .is_some_and(|head| head.associated);
        for subject in self.subjects(def) {
            if !affected.map.contains_key(&subject) && !affected.floating.contains(&subject) {
                *touched.entry(subject).or_default() |= associated;
            }
        }
    }

    /// Whether a definition cannot stay the same one: something that its layout, its value or its
    /// code depends on has changed. (An `impl` or a function is only compiled again.)
    fn must_be_another(
        &self,
        def: &Def,
        affected: &Affected,
        touched: &BTreeMap<DefId, bool>,
    ) -> bool {
        let kind = def.item.kind;
        if kind == Kind::Const {
            return def
                .uses
                .iter()
                .any(|used| affected.map.contains_key(used) || touched.contains_key(used));
        }
        if !is_structural(kind) {
            return false;
        }
        // A static keeps the value that it was initialised with, but its type must stay the same.
        let head = def.item.static_head.as_ref();
        let only_type = head.map(|head| crate::read::words::of(&head.ty));
        def.uses.iter().any(|used| {
            let other = self.def(*used);
            let of_type = only_type.as_ref().is_none_or(|words| {
                let mut names = other.item.names.iter();
                names.any(|(_, name)| words.contains(name.as_str()))
            });
            if !of_type {
                return false;
            }
            affected.map.contains_key(used) || touched.get(used).copied().unwrap_or(false)
        })
    }

    /// A copy of a definition, compiled with the replacements of what it mentions.
    pub(super) fn copy(&mut self, id: DefId, affected: &mut Affected) -> DefId {
        let mut copy = Def::clone(self.def(id));
        copy.unit = usize::MAX;
        copy.duplicate_of = None;
        if is_structural(copy.item.kind) {
            copy.stored = None;
        }
        self.defs.push(Arc::new(copy));
        let new = self.defs.len() - 1;
        let names = self.def(id).item.names.clone();
        self.scope.replace(id, new, &names);
        for known in self.unnamed.iter_mut().filter(|known| **known == id) {
            *known = new;
        }
        self.def_mut(id).current = false;
        affected.map.insert(id, new);
        affected.floating.insert(new);
        affected.dirty.remove(&id);
        new
    }

    /// The same function, alias or macro in another unit, for the code there; the difference
    /// cannot be observed.
    pub(super) fn duplicate(&mut self, id: DefId) -> DefId {
        let mut twin = Def::clone(self.def(id));
        twin.unit = usize::MAX;
        twin.duplicate_of = Some(twin.duplicate_of.unwrap_or(id));
        self.defs.push(Arc::new(twin));
        self.defs.len() - 1
    }

    /// Updates the uses of floating and dirty definitions to the replacements.
    pub(super) fn follow(&mut self, affected: &Affected) {
        let ids: Vec<DefId> = affected
            .floating
            .iter()
            .chain(&affected.dirty)
            .copied()
            .collect();
        for id in ids {
            let uses = &self.def(id).uses;
            if !uses.iter().any(|used| affected.map.contains_key(used)) {
                continue;
            }
            let followed = uses.iter().map(|used| {
                let mut at = *used;
                while let Some(next) = affected.map.get(&at) {
                    at = *next;
                }
                at
            });
            let followed: BTreeSet<DefId> = followed.filter(|used| *used != id).collect();
            self.def_mut(id).uses = followed;
        }
    }
}
