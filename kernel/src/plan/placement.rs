//! Where definitions are compiled.
//!
//! New definitions of a cell get a new unit; an `impl` joins the unit of its type or trait,
//! as the orphan rule requires, and that unit is compiled again under its name. Units must not link to
//! each other in a cycle; where an `impl` would close one (it calls a function that uses the type),
//! what it needs is compiled in its own unit, too.

use super::changes::Affected;
use super::scope::DefId;
use super::{Change, Definitions, UnitId, is_structural};
use crate::read::items::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Cycles are broken one by one; needing more rounds than this is a bug here.
const MOST_ROUNDS: usize = 200;

impl Definitions {
    /// Decides where the floating definitions go, and which units are compiled in which order.
    pub(super) fn place(
        &mut self,
        fresh: &[DefId],
        affected: &mut Affected,
        change: &mut Change,
    ) -> Result<(), String> {
        self.follow(affected);
        let new = self.units.len();
        // One for definitions with state that another object would not share, and one for the rest.
        self.units.extend([Arc::default(), Arc::default()]);
        let mut homes: BTreeMap<DefId, UnitId> = BTreeMap::new();
        for _ in 0..MOST_ROUNDS {
            for id in affected.floating.clone() {
                let home = || self.home(id, affected, new);
                homes.entry(id).or_insert_with(home);
            }
            let touched = self.touched(&homes, affected, new);
            if touched.is_empty() {
                self.settle(&homes, new);
                change.compile = vec![calls_of(new), new];
                let holds = |unit: &UnitId| !self.units[*unit].defs.is_empty();
                change.compile.retain(holds);
                self.trim(new);
                return Ok(());
            }
            let plan = self.layout(&homes, &touched, affected);
            match circle(&plan.links) {
                None => {
                    self.settle(&homes, new);
                    change.compile = self.rearrange(plan, new);
                    self.trim(new);
                    return Ok(());
                }
                Some(circle) => self.open(&circle, &plan, &mut homes, affected, new),
            }
        }
        let label = fresh
            .first()
            .map(|id| self.def(*id).item.label())
            .unwrap_or_default();
        Err(format!(
            "`{label}` and what it depends on need each other in a way that cannot be compiled cell by \
             cell; define them together in one cell"
        ))
    }

    /// Removes the unit for macro calls if there are none.
    fn trim(&mut self, new: UnitId) {
        if self.units[calls_of(new)].defs.is_empty() {
            self.units.truncate(calls_of(new));
        }
    }

    /// The unit of a definition that has none yet.
    fn home(&self, id: DefId, affected: &Affected, new: UnitId) -> UnitId {
        let def = self.def(id);
        let alone = |used: &DefId| !affected.floating.contains(used);
        if def.item.kind == Kind::MacroCall && def.uses.iter().all(alone) {
            return calls_of(new);
        }
        if def.item.kind != Kind::Impl {
            return new;
        }
        let subjects: Vec<DefId> = self.subjects(def).collect();
        if subjects
            .iter()
            .any(|subject| affected.floating.contains(subject))
        {
            return new;
        }
        // The latest of them: it can link to the others.
        let units = subjects.iter().map(|subject| self.def(*subject).unit);
        let latest = units.reduce(|a, b| match self.with_dependencies([b]).contains(&a) {
            true => b,
            false => a,
        });
        latest.unwrap_or(new)
    }

    /// The existing units whose contents change.
    fn touched(
        &self,
        homes: &BTreeMap<DefId, UnitId>,
        affected: &Affected,
        new: UnitId,
    ) -> BTreeSet<UnitId> {
        let homed = homes.values().copied();
        let dirty = affected.dirty.iter().map(|id| self.def(*id).unit);
        let replaced = affected.map.keys().filter(|id| {
            let def = self.def(**id);
            def.item.kind == Kind::Impl
                && def.duplicate_of.is_none()
                && !self.is_of_the_past(def, affected)
        });
        let replaced = replaced.map(|id| self.def(*id).unit);
        homed
            .chain(dirty)
            .chain(replaced)
            .filter(|unit| *unit < new)
            .collect()
    }

    /// Whether an `impl` concerns a former definition, with which it stays.
    fn is_of_the_past(&self, def: &super::Def, affected: &Affected) -> bool {
        self.subjects(def)
            .any(|subject| affected.map.contains_key(&subject) || !self.def(subject).current)
    }

    /// Assigns the floating definitions to their units; the new unit exists only if it is not empty.
    fn settle(&mut self, homes: &BTreeMap<DefId, UnitId>, new: UnitId) {
        for (&id, &unit) in homes {
            self.def_mut(id).unit = unit;
        }
        for own in [calls_of(new), new] {
            let defs: Vec<DefId> = homes
                .iter()
                .filter(|(_, unit)| **unit == own)
                .map(|(id, _)| *id)
                .collect();
            let depends = self.links_of(&defs, own);
            let unit = Arc::make_mut(&mut self.units[own]);
            unit.defs = defs;
            unit.depends = depends;
        }
    }

    fn links_of(&self, defs: &[DefId], own: UnitId) -> BTreeSet<UnitId> {
        let used = defs.iter().flat_map(|id| self.def(*id).uses.iter());
        let units = used.map(|used| self.def(*used).unit);
        units
            .filter(|unit| *unit != own && *unit != usize::MAX)
            .collect()
    }

    /// What each unit that must be compiled will contain, and what it links to.
    fn layout(
        &self,
        homes: &BTreeMap<DefId, UnitId>,
        touched: &BTreeSet<UnitId>,
        affected: &Affected,
    ) -> Layout {
        let unit_of = |id: DefId| homes.get(&id).copied().unwrap_or(self.def(id).unit);
        let needed = self.needed_by_values();
        let mut contents: BTreeMap<UnitId, Vec<DefId>> = BTreeMap::new();
        for (unit, known) in self.units.iter().enumerate() {
            let stays = known.defs.iter().copied().filter(|id| {
                let def = self.def(*id);
                def.current && !affected.map.contains_key(id) || needed.contains(id)
            });
            let joins = homes
                .iter()
                .filter(|(_, home)| **home == unit)
                .map(|(id, _)| *id);
            let mut defs: Vec<DefId> = stays.chain(joins).collect();
            defs.dedup();
            if !defs.is_empty() {
                contents.insert(unit, defs);
            }
        }
        let links = contents.iter().map(|(unit, defs)| {
            let used = defs.iter().flat_map(|id| self.def(*id).uses.iter());
            let units: BTreeSet<UnitId> = used
                .map(|used| unit_of(*used))
                .filter(|other| other != unit && *other != usize::MAX)
                .collect();
            (*unit, units)
        });
        Layout {
            links: links.collect(),
            contents,
            touched: touched.clone(),
        }
    }

    /// Former definitions that the types of variables name, and what these need.
    pub(super) fn needed_by_values(&self) -> BTreeSet<DefId> {
        let mut queue: Vec<DefId> = self
            .variables
            .values()
            .flat_map(|variable| self.defs_in_type(&variable.ty))
            .collect();
        queue.retain(|id| !self.def(*id).current);
        let mut needed = BTreeSet::new();
        while let Some(id) = queue.pop() {
            if !needed.insert(id) {
                continue;
            }
            queue.extend(&self.def(id).uses);
            let unit = &self.units[self.def(id).unit];
            let impls = unit.defs.iter().copied().filter(|other| {
                let def = self.def(*other);
                def.item.kind == Kind::Impl && def.uses.contains(&id)
            });
            queue.extend(impls);
        }
        needed
    }

    /// Breaks a cycle: what a touched unit needs from a later one is moved into it.
    fn open(
        &mut self,
        circle: &[UnitId],
        layout: &Layout,
        homes: &mut BTreeMap<DefId, UnitId>,
        affected: &mut Affected,
        new: UnitId,
    ) {
        // The earliest unit of the cycle is the one that others were built on.
        let earlier = circle.iter().copied().filter(|unit| *unit < new);
        let Some(first) = earlier.min() else {
            // Both are new: merge them.
            for home in homes.values_mut().filter(|home| **home > new) {
                *home = new;
            }
            return;
        };
        let at = circle
            .iter()
            .position(|unit| *unit == first)
            .unwrap_or_default();
        let next = circle[(at + 1) % circle.len()];
        let unit_of = |definitions: &Self, id: DefId| {
            homes.get(&id).copied().unwrap_or(definitions.def(id).unit)
        };
        let contents = layout.contents.get(&first).cloned().unwrap_or_default();
        let mut wanted: BTreeSet<DefId> = BTreeSet::new();
        for id in &contents {
            let uses = self.def(*id).uses.iter().copied();
            wanted.extend(uses.filter(|used| unit_of(self, *used) == next));
        }
        let mut twins = BTreeMap::new();
        for id in wanted {
            if affected.floating.contains(&id) {
                homes.insert(id, first);
            } else if is_structural(self.def(id).item.kind) && self.def(id).item.kind != Kind::Alias
            {
                // A type cannot be in two crates: it becomes a different one.
                let copy = self.copy(id, affected);
                homes.insert(copy, first);
            } else {
                let twin = self.duplicate(id);
                affected.floating.insert(twin);
                homes.insert(twin, first);
                twins.insert(id, twin);
            }
        }
        for id in contents {
            if self
                .def(id)
                .uses
                .iter()
                .any(|used| twins.contains_key(used))
            {
                let def = self.def_mut(id);
                def.uses = def
                    .uses
                    .iter()
                    .map(|used| twins.get(used).copied().unwrap_or(*used))
                    .collect();
            }
        }
        self.spread(affected);
        self.follow(affected);
    }

    /// Applies a layout; returns the units to compile, each after those that it links to.
    fn rearrange(&mut self, layout: Layout, new: UnitId) -> Vec<UnitId> {
        let mut compile: BTreeSet<UnitId> = layout.touched.clone();
        let made = [calls_of(new), new];
        compile.extend(
            made.into_iter()
                .filter(|unit| !self.units[*unit].defs.is_empty()),
        );
        // Whatever links to a recompiled unit must be compiled again, too, including links from the last
        // compilation and links through units that are empty now.
        loop {
            let linked = layout.links.iter().filter(|(unit, links)| {
                !compile.contains(unit)
                    && (!links.is_disjoint(&compile)
                        || !self.with_dependencies([**unit]).is_disjoint(&compile))
            });
            let more: Vec<UnitId> = linked.map(|(unit, _)| *unit).collect();
            if more.is_empty() {
                break;
            }
            compile.extend(more);
        }
        let mut order = Vec::new();
        while order.len() < compile.len() {
            let ready = compile.iter().copied().find(|unit| {
                let links = layout.links.get(unit);
                !order.contains(unit)
                    && links.is_none_or(|links| {
                        links
                            .iter()
                            .all(|link| !compile.contains(link) || order.contains(link))
                    })
            });
            let Some(unit) = ready else { break };
            order.push(unit);
        }
        for unit in &order {
            let known = Arc::make_mut(&mut self.units[*unit]);
            known.defs = layout.contents.get(unit).cloned().unwrap_or_default();
            known.depends = layout.links.get(unit).cloned().unwrap_or_default();
        }
        order.retain(|unit| !self.units[*unit].defs.is_empty());
        order
    }
}

/// The unit for macro calls that belongs to a new unit.
fn calls_of(new: UnitId) -> UnitId {
    new + 1
}

/// The units after a change.
struct Layout {
    contents: BTreeMap<UnitId, Vec<DefId>>,
    links: BTreeMap<UnitId, BTreeSet<UnitId>>,
    touched: BTreeSet<UnitId>,
}

/// Units that link to each other in a cycle, in the order of their links.
fn circle(links: &BTreeMap<UnitId, BTreeSet<UnitId>>) -> Option<Vec<UnitId>> {
    let mut done = BTreeSet::new();
    for start in links.keys() {
        let mut path = Vec::new();
        if let Some(found) = walk(*start, links, &mut path, &mut done) {
            return Some(found);
        }
    }
    None
}

fn walk(
    unit: UnitId,
    links: &BTreeMap<UnitId, BTreeSet<UnitId>>,
    path: &mut Vec<UnitId>,
    done: &mut BTreeSet<UnitId>,
) -> Option<Vec<UnitId>> {
    if let Some(at) = path.iter().position(|known| *known == unit) {
        return Some(path[at..].to_vec());
    }
    if done.contains(&unit) {
        return None;
    }
    path.push(unit);
    for next in links.get(&unit).into_iter().flatten() {
        if let Some(found) = walk(*next, links, path, done) {
            return Some(found);
        }
    }
    path.pop();
    done.insert(unit);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_found_wherever_it_begins() {
        let links = |pairs: &[(UnitId, &[UnitId])]| {
            let pairs = pairs
                .iter()
                .map(|(unit, to)| (*unit, to.iter().copied().collect()));
            pairs.collect::<BTreeMap<UnitId, BTreeSet<UnitId>>>()
        };
        assert_eq!(circle(&links(&[(1, &[]), (2, &[1]), (3, &[1, 2])])), None);
        let found = circle(&links(&[(0, &[1]), (1, &[2]), (2, &[3]), (3, &[1])])).unwrap();
        assert_eq!(found, [1, 2, 3]);
    }
}
