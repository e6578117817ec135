//! Engineering heights of an adinkra: twice the mass dimension of its component fields.
//! Neighbours differ by exactly 1; a node below all its neighbours may be raised by 2, which
//! replaces a field by its time derivative.
//! Source: Doran, Faux, Gates, Huebsch, Iga and Landweber, "On graph-theoretic identifications of
//! adinkras", math-ph/0512016.

use crate::error::{Error, Result};
use crate::susy::{Adinkra, AdinkraNode};
use std::collections::VecDeque;

impl Adinkra {
    /// The height of a node; the valise has its bosons at 0 and its fermions at 1.
    ///
    /// # Errors
    /// A node that is not there.
    pub fn height(&self, node: AdinkraNode) -> Result<i32> {
        let at = self.position(node)?;
        Ok(match node {
            AdinkraNode::Boson(_) => self.boson_heights[at],
            AdinkraNode::Fermion(_) => self.fermion_heights[at],
        })
    }

    /// Number of nodes at each height, from the lowest to the highest.
    pub fn nodes_by_height(&self) -> Vec<usize> {
        let heights = || self.boson_heights.iter().chain(&self.fermion_heights);
        let lowest = heights().copied().min().unwrap_or(0);
        let mut counts = Vec::new();
        for h in heights().map(|h| (h - lowest) as usize) {
            counts.resize(counts.len().max(h + 1), 0);
            counts[h] += 1;
        }
        counts
    }

    /// True when all bosons have one height and all fermions another.
    pub fn is_valise(&self) -> bool {
        let level = |heights: &[i32]| heights.windows(2).all(|w| w[0] == w[1]);
        level(&self.boson_heights) && level(&self.fermion_heights)
    }

    /// The same adinkra with its bosons at 0 and its fermions at 1.
    pub fn valise(&self) -> Self {
        let mut flat = self.clone();
        flat.boson_heights.fill(0);
        flat.fermion_heights.fill(1);
        flat
    }

    /// The same adinkra with other heights.
    ///
    /// # Errors
    /// Not one height a node, two neighbours whose heights do not differ by 1, or heights further
    /// apart than there are nodes (possible only for a graph in several pieces).
    pub fn with_heights(&self, bosons: &[i32], fermions: &[i32]) -> Result<Self> {
        let d = self.d();
        for (kind, heights) in [("boson heights", bosons), ("fermion heights", fermions)] {
            if heights.len() != d {
                return Err(Error::shape(kind, [d], [heights.len()]));
            }
        }
        for ends in &self.fermion_of {
            for (b, &f) in ends.iter().enumerate() {
                let (low, high) = (bosons[b], fermions[f as usize]);
                if low.abs_diff(high) != 1 {
                    return Err(Error::argument(
                        "heights",
                        format!("{low} and {high}"),
                        format!("boson {} and fermion {} must differ by 1", b + 1, f + 1),
                    ));
                }
            }
        }
        let heights = || bosons.iter().chain(fermions).copied();
        let (low, high) = (heights().min().unwrap_or(0), heights().max().unwrap_or(0));
        if low.abs_diff(high) as usize > 2 * d {
            let reason = format!("are further apart than there are nodes, {}", 2 * d);
            return Err(Error::argument(
                "heights",
                format!("{low} to {high}"),
                reason,
            ));
        }
        let mut moved = self.clone();
        moved.boson_heights = bosons.to_vec();
        moved.fermion_heights = fermions.to_vec();
        Ok(moved)
    }

    /// Raises a node that is below all its neighbours by 2.
    ///
    /// # Errors
    /// A node that is not there or has a neighbour below it.
    pub fn raise(&self, node: AdinkraNode) -> Result<Self> {
        self.moved(node, 2)
    }

    /// Lowers a node that is above all its neighbours by 2.
    ///
    /// # Errors
    /// A node that is not there or has a neighbour above it.
    pub fn lower(&self, node: AdinkraNode) -> Result<Self> {
        self.moved(node, -2)
    }

    fn moved(&self, node: AdinkraNode, by: i32) -> Result<Self> {
        let mut moved = self.clone();
        let at = self.position(node)?;
        let height = match node {
            AdinkraNode::Boson(_) => &mut moved.boson_heights[at],
            AdinkraNode::Fermion(_) => &mut moved.fermion_heights[at],
        };
        *height = height.saturating_add(by);
        let (bosons, fermions) = (&moved.boson_heights, &moved.fermion_heights);
        self.with_heights(bosons, fermions).map_err(|e| {
            let verb = if by > 0 { "raised" } else { "lowered" };
            Error::argument("node", node, format!("cannot be {verb}: {e}"))
        })
    }

    /// Raises from the valise the bosons of a word: bit i - 1 stands for boson i.
    ///
    /// # Errors
    /// A bit beyond the last boson.
    pub fn lifted(&self, word: u32) -> Result<Self> {
        let d = self.d();
        if d < 32 && word >> d != 0 {
            let reason = format!("has a bit beyond the last of {d} bosons");
            return Err(Error::argument("word", format!("{word:b}"), reason));
        }
        let lift = |b: usize| if b < 32 && word >> b & 1 == 1 { 2 } else { 0 };
        let bosons: Vec<i32> = (0..d).map(lift).collect();
        self.with_heights(&bosons, &vec![1; d])
    }

    /// Hangs the adinkra from one node: every other is as far below it as it is away. The lowest
    /// node has height 0. For a cube this is the fully extended form.
    ///
    /// # Errors
    /// A node that is not there, more than one connected component.
    pub fn hung_from(&self, node: AdinkraNode) -> Result<Self> {
        let d = self.d();
        let at = self.position(node)?;
        let start = match node {
            AdinkraNode::Boson(_) => at,
            AdinkraNode::Fermion(_) => d + at,
        };
        // Bosons first, then fermions.
        let mut distance: Vec<Option<i32>> = vec![None; 2 * d];
        distance[start] = Some(0);
        let mut queue = VecDeque::from([(start, 0)]);
        while let Some((at, far)) = queue.pop_front() {
            for i in 0..self.n_colours() {
                let end = if at < d {
                    d + self.fermion_of[i][at] as usize
                } else {
                    self.boson_of[i][at - d] as usize
                };
                if distance[end].is_none() {
                    distance[end] = Some(far + 1);
                    queue.push_back((end, far + 1));
                }
            }
        }
        let Some(distance) = distance.into_iter().collect::<Option<Vec<i32>>>() else {
            let name = format!("{:?}", self.name);
            return Err(Error::argument("adinkra", name, "is not connected"));
        };
        let deepest = distance.iter().copied().max().unwrap_or(0);
        let heights: Vec<i32> = distance.iter().map(|far| deepest - far).collect();
        self.with_heights(&heights[..d], &heights[d..])
    }
}
