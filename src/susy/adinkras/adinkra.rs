//! Adinkras: a chromotopology with an odd dashing and heights, the picture of one supermultiplet.
//! An edge of colour I between boson b and fermion f is `(L_I)_bf = +1`, dashed `-1`; the garden
//! algebra says that two colours make 4-cycles with an odd number of dashes.
//! Source: Faux and Gates, hep-th/0408004; arXiv:0806.0050.

use super::dashing::cycle;
use crate::error::{Error, Result};
use crate::susy::{BinaryCode, Chromotopology, GardenMultiplet, SignedPermutation};
use std::fmt;

/// A node of an adinkra, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AdinkraNode {
    /// The i-th boson, row i of the L matrices.
    Boson(usize),
    /// The i-th fermion, column i of the L matrices.
    Fermion(usize),
}

/// An adinkra: d bosons, d fermions, an edge of each colour at each node, dashes and heights.
///
/// ```
/// use holoscope::susy::{Adinkra, AdinkraNode, vector};
/// let valise = Adinkra::from_multiplet(&vector())?;
/// assert_eq!(valise.code()?.to_string(), "1111");
/// // Three components of the gauge field, four of the gaugino, the auxiliary field above them.
/// let lifted = valise.raise(AdinkraNode::Boson(4))?;
/// assert_eq!(lifted.nodes_by_height(), [3, 4, 1]);
/// # Ok::<(), holoscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adinkra {
    /// What it is called.
    pub name: String,
    /// `[n, d]`, counted from 0.
    pub(in crate::susy) fermion_of: Vec<Vec<u32>>,
    pub(in crate::susy) boson_of: Vec<Vec<u32>>,
    /// `[n, d]`, by boson.
    pub(in crate::susy) dashed: Vec<Vec<bool>>,
    pub(in crate::susy) boson_heights: Vec<i32>,
    pub(in crate::susy) fermion_heights: Vec<i32>,
}

impl Adinkra {
    /// The valise adinkra of a doubly even code: N colours, `2^(N - k - 1)` bosons, N up to 16.
    ///
    /// # Errors
    /// A code that is not doubly even.
    pub fn new(code: &BinaryCode) -> Result<Self> {
        let chromotopology = Chromotopology::new(code)?;
        let dashed = chromotopology.odd_dashing()?.dashed;
        Ok(Self::valise_of(
            chromotopology.name(),
            chromotopology.fermion_of,
            chromotopology.boson_of,
            dashed,
        ))
    }

    /// The valise adinkra of a multiplet: its L matrices as edges.
    ///
    /// # Errors
    /// A multiplet outside the garden algebra, without matrices or with matrices of several sizes.
    pub fn from_multiplet(multiplet: &GardenMultiplet) -> Result<Self> {
        // The fields are public, so what `new` checks may have changed since.
        let multiplet = GardenMultiplet::new(&multiplet.name, multiplet.l.clone())?;
        multiplet.require_closed()?;
        let d = multiplet.d();
        let table = |of: &dyn Fn(&SignedPermutation, usize) -> u32| -> Vec<Vec<u32>> {
            let row = |l: &SignedPermutation| (0..d).map(|b| of(l, b)).collect();
            multiplet.l.iter().map(row).collect()
        };
        let signs = |l: &SignedPermutation| (0..d).map(|b| l.sign(b) < 0).collect();
        Ok(Self::valise_of(
            multiplet.name.clone(),
            table(&|l, b| l.column(b) as u32),
            table(&|l, f| l.transpose().column(f) as u32),
            multiplet.l.iter().map(signs).collect(),
        ))
    }

    fn valise_of(
        name: String,
        fermion_of: Vec<Vec<u32>>,
        boson_of: Vec<Vec<u32>>,
        dashed: Vec<Vec<bool>>,
    ) -> Self {
        let d = fermion_of.first().map_or(0, Vec::len);
        Self {
            name,
            fermion_of,
            boson_of,
            dashed,
            boson_heights: vec![0; d],
            fermion_heights: vec![1; d],
        }
    }

    /// The L matrices; heights are not part of them.
    ///
    /// # Errors
    /// More than 16 bosons, what a [`SignedPermutation`] holds.
    pub fn multiplet(&self) -> Result<GardenMultiplet> {
        let colours = self.fermion_of.iter().zip(&self.dashed);
        let l = colours.map(|(fermions, dashed)| {
            let columns: Vec<usize> = fermions.iter().map(|&f| f as usize).collect();
            let signs: Vec<i8> = dashed.iter().map(|&m| if m { -1 } else { 1 }).collect();
            SignedPermutation::new(&columns, &signs)
        });
        GardenMultiplet::new(&self.name, l.collect::<Result<_>>()?)
    }

    /// Number of bosons, which is the number of fermions.
    pub fn d(&self) -> usize {
        self.boson_heights.len()
    }

    /// Number of colours, N.
    pub fn n_colours(&self) -> usize {
        self.fermion_of.len()
    }

    /// The node at the other end of an edge, and whether the edge is dashed.
    ///
    /// # Errors
    /// A node or a colour, counted from 1, that is not there.
    pub fn edge(&self, node: AdinkraNode, colour: usize) -> Result<AdinkraEdge> {
        let at = self.position(node)?;
        if colour == 0 || colour > self.n_colours() {
            let reason = format!("must be 1 to {}", self.n_colours());
            return Err(Error::argument("colour", colour, reason));
        }
        let i = colour - 1;
        let (boson, fermion) = match node {
            AdinkraNode::Boson(_) => (at, self.fermion_of[i][at] as usize),
            AdinkraNode::Fermion(_) => (self.boson_of[i][at] as usize, at),
        };
        Ok(AdinkraEdge {
            colour,
            boson: boson + 1,
            fermion: fermion + 1,
            dashed: self.dashed[i][boson],
        })
    }

    /// The place of a node, counted from 0, among those of its kind.
    pub(in crate::susy) fn position(&self, node: AdinkraNode) -> Result<usize> {
        let (AdinkraNode::Boson(i) | AdinkraNode::Fermion(i)) = node;
        if i == 0 || i > self.d() {
            let reason = format!("nodes are counted from 1 to {}", self.d());
            return Err(Error::argument("node", node, reason));
        }
        Ok(i - 1)
    }

    /// True when every two colours make 4-cycles with an odd number of dashes: the garden algebra.
    pub fn closes(&self) -> bool {
        let n = self.n_colours();
        let odd = |i, j, boson| {
            let edges = cycle(&self.fermion_of, &self.boson_of, [i, j], boson);
            let dashes = edges.iter().filter(|(c, b)| self.dashed[*c][*b]).count();
            edges[3].1 == boson && edges[1].1 != boson && dashes % 2 == 1
        };
        (0..n).all(|i| (0..i).all(|j| (0..self.d()).all(|b| odd(i, j, b))))
    }

    /// The code that divides the N-cube into this graph: the colour words of closed walks.
    ///
    /// # Errors
    /// More than one connected component, which no quotient of a cube has.
    pub fn code(&self) -> Result<BinaryCode> {
        let (n, d) = (self.n_colours(), self.d());
        let mut code = BinaryCode::trivial(n)?;
        // Words that lead from boson 0 to each node; bosons first, then fermions.
        let mut words: Vec<Option<u32>> = vec![None; 2 * d];
        words[0] = Some(0);
        let (mut stack, mut reached) = (vec![(0usize, 0u32)], 1);
        while let Some((node, word)) = stack.pop() {
            for i in 0..n {
                let end = if node < d {
                    d + self.fermion_of[i][node] as usize
                } else {
                    self.boson_of[i][node - d] as usize
                };
                let there = word ^ 1 << i;
                match words[end] {
                    Some(known) => code.insert(known ^ there),
                    None => {
                        words[end] = Some(there);
                        reached += 1;
                        stack.push((end, there));
                    }
                }
            }
        }
        if reached < 2 * d {
            let reason = format!("boson 1 is connected to {reached} of {} nodes only", 2 * d);
            return Err(Error::argument(
                "adinkra",
                format!("{:?}", self.name),
                reason,
            ));
        }
        Ok(code)
    }

    /// The adinkra with the sign of one field changed: the dashes of all edges at a node.
    ///
    /// # Errors
    /// A node that is not there.
    pub fn flip_sign(&self, node: AdinkraNode) -> Result<Self> {
        let mut flipped = self.clone();
        for colour in 1..=self.n_colours() {
            let edge = self.edge(node, colour)?;
            flipped.dashed[colour - 1][edge.boson - 1] ^= true;
        }
        Ok(flipped)
    }

    /// The adinkra with the sign of one supersymmetry changed: `L_I` becomes `-L_I`.
    ///
    /// # Errors
    /// A colour that is not there.
    pub fn flip_colour(&self, colour: usize) -> Result<Self> {
        self.edge(AdinkraNode::Boson(1), colour)?;
        let mut flipped = self.clone();
        flipped.dashed[colour - 1]
            .iter_mut()
            .for_each(|d| *d ^= true);
        Ok(flipped)
    }
}

/// An edge of an adinkra; colour and nodes are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AdinkraEdge {
    pub colour: usize,
    pub boson: usize,
    pub fermion: usize,
    /// True for -1.
    pub dashed: bool,
}

impl fmt::Display for AdinkraNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AdinkraNode::Boson(i) => write!(f, "boson {i}"),
            AdinkraNode::Fermion(i) => write!(f, "fermion {i}"),
        }
    }
}

impl fmt::Display for Adinkra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let levels: Vec<String> = self
            .nodes_by_height()
            .iter()
            .map(usize::to_string)
            .collect();
        write!(
            f,
            "{}: N = {}, d = {}, nodes by height {}",
            self.name,
            self.n_colours(),
            self.d(),
            levels.join("-")
        )
    }
}
