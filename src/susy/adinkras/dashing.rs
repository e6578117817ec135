//! Odd dashings: signs on the edges such that every two-coloured 4-cycle has an odd number of -1.
//! One equation over GF(2) a cycle in one unknown an edge; a doubly even code of dimension k has
//! 2^(2^(N - k) + k - 1) solutions, any other even code none.
//! Source: arXiv:0806.0050; Zhang, "Adinkras for mathematicians", arXiv:1111.6055.

use crate::error::{Error, Result};
use crate::show::shows_itself;
use crate::susy::Chromotopology;
use crate::susy::codes::LinearSystem;
use std::fmt;

/// Most edges whose equations are eliminated densely.
const MAX_EDGES: usize = 2_048;

/// Which edges are dashed: `dashed[I - 1][b]` for the edge of colour I at boson b.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dashing {
    /// `[n, d]`.
    pub dashed: Vec<Vec<bool>>,
}

/// The equations of odd dashings, by their rank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DashingCount {
    /// Edges.
    pub unknowns: usize,
    /// Two-coloured 4-cycles.
    pub cycles: usize,
    /// Independent equations.
    pub rank: usize,
    /// There are 2 to this power of odd dashings; None when there is none.
    pub log2: Option<usize>,
}

/// The edges of a two-coloured 4-cycle, each as (colour, boson), from a boson along colour `i`.
pub(super) fn cycle(
    fermion_of: &[Vec<u32>],
    boson_of: &[Vec<u32>],
    [i, j]: [usize; 2],
    boson: usize,
) -> [(usize, usize); 4] {
    let along = |fermion: u32, colour: usize| boson_of[colour][fermion as usize] as usize;
    let over = along(fermion_of[i][boson], j);
    // boson -i- . -j- over -i- . -j- boson; the last edge is named by the boson that it meets.
    let back = along(fermion_of[i][over], j);
    [(i, boson), (j, over), (i, over), (j, back)]
}

impl Chromotopology {
    /// An odd dashing, found by solving for the edges one cycle after another.
    ///
    /// The signs of a spanning tree are free, for they change with the signs of the nodes; a
    /// cycle with one unknown edge gives it; where none is left, an edge becomes a new variable.
    /// A cycle without unknowns is an equation between the variables, of which k remain.
    ///
    /// # Errors
    /// A code that is not doubly even: the equations contradict each other.
    pub fn odd_dashing(&self) -> Result<Dashing> {
        let mut work = Propagation::new(self);
        work.run();
        let Some(variables) = work.variables.solution() else {
            let code = self.code();
            let reason = match code.not_doubly_even_word() {
                Some(word) => format!(
                    "it has no odd dashing, for the weight of {} is no multiple of 4",
                    code.spelled(word)
                ),
                None => "it has no odd dashing".to_owned(),
            };
            return Err(Error::argument("code", code, reason));
        };
        let chosen = variables
            .iter()
            .rev()
            .fold(0u64, |m, &v| m << 1 | u64::from(v))
            << 1
            | 1;
        let value = |form: &Option<u64>| form.is_some_and(|f| (f & chosen).count_ones() % 2 == 1);
        let row = |forms: &Vec<Option<u64>>| forms.iter().map(value).collect();
        Ok(Dashing {
            dashed: work.forms.iter().map(row).collect(),
        })
    }

    /// Counts the odd dashings by eliminating the equations of all edges at once.
    ///
    /// ```
    /// use holoscope::susy::Chromotopology;
    /// let count = Chromotopology::new(&"1111".parse()?)?.count_odd_dashings()?;
    /// assert_eq!(count.log2, Some(8)); // 2^(2^3 + 1 - 1)
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// More than 2,048 edges.
    pub fn count_odd_dashings(&self) -> Result<DashingCount> {
        let edges = self.n_colours() * self.d();
        if edges > MAX_EDGES {
            let reason = format!("dense elimination is for at most {MAX_EDGES}");
            return Err(Error::argument("edges", edges, reason));
        }
        Ok(count_odd_dashings(&self.fermion_of, &self.boson_of))
    }
}

/// The rank of the equations of all two-coloured 4-cycles; where two colours do not close after
/// four steps there is no solution.
pub(super) fn count_odd_dashings(fermion_of: &[Vec<u32>], boson_of: &[Vec<u32>]) -> DashingCount {
    let (n, d) = (fermion_of.len(), fermion_of.first().map_or(0, Vec::len));
    let mut system = LinearSystem::new(n * d);
    let mut twice_counted = 0;
    for i in 0..n {
        for j in 0..i {
            for boson in 0..d {
                let edges = cycle(fermion_of, boson_of, [i, j], boson);
                let closes = edges[3].1 == boson;
                let unknowns = edges.map(|(colour, b)| colour * d + b);
                // An open path gets the equation 0 = 1.
                system.add(if closes { &unknowns } else { &[] }, true);
                twice_counted += 1;
            }
        }
    }
    DashingCount {
        unknowns: n * d,
        // Each cycle was met at both of its bosons.
        cycles: twice_counted / 2,
        rank: system.rank(),
        log2: system.nullity(),
    }
}

/// Edges as affine forms in few variables: bit 0 is the constant, bit v + 1 variable v.
struct Propagation<'a> {
    of: &'a Chromotopology,
    /// `[n, d]`.
    forms: Vec<Vec<Option<u64>>>,
    /// Edges whose cycles are still to be looked at.
    queue: Vec<(usize, usize)>,
    n_variables: usize,
    /// The equations between the variables.
    variables: LinearSystem,
}

impl<'a> Propagation<'a> {
    fn new(of: &'a Chromotopology) -> Self {
        Self {
            of,
            forms: vec![vec![None; of.d()]; of.n_colours()],
            queue: Vec::new(),
            n_variables: 0,
            // At most one variable a pivot of the code, see `run`.
            variables: LinearSystem::new(of.code().dimension()),
        }
    }

    fn set(&mut self, (colour, boson): (usize, usize), form: u64) {
        self.forms[colour][boson] = Some(form);
        self.queue.push((colour, boson));
    }

    /// Solves for all edges. The colours that are no pivots of the code make the nodes a cube,
    /// whose edges all follow from the tree; an edge of another colour gives all of that colour.
    fn run(&mut self) {
        let (n, d) = (self.of.n_colours(), self.of.d());
        let highest = |word: u32| word.checked_ilog2().map(|i| i as usize);
        // The tree: every node but 0 by its highest bit, which is no pivot.
        for (b, &word) in self.of.bosons.iter().enumerate() {
            highest(word).into_iter().for_each(|i| self.set((i, b), 0));
        }
        for (f, &word) in self.of.fermions.iter().enumerate() {
            let end = |i: usize| (i, self.of.boson_of[i][f] as usize);
            highest(word).into_iter().for_each(|i| self.set(end(i), 0));
        }
        self.propagate();
        for colour in 0..n {
            for boson in 0..d {
                if self.forms[colour][boson].is_none() {
                    self.n_variables += 1;
                    self.set((colour, boson), 1 << self.n_variables);
                    self.propagate();
                }
            }
        }
    }

    fn propagate(&mut self) {
        while let Some((colour, boson)) = self.queue.pop() {
            for other in (0..self.of.n_colours()).filter(|&j| j != colour) {
                let (of, pair) = (self.of, [colour, other]);
                let edges = cycle(&of.fermion_of, &of.boson_of, pair, boson);
                let form = |(i, b): (usize, usize)| self.forms[i][b];
                // Odd: the four edges add up to 1.
                let known = edges.iter().filter_map(|&e| form(e)).fold(1, |s, f| s ^ f);
                let mut unknown = edges.into_iter().filter(|&e| form(e).is_none());
                match (unknown.next(), unknown.next()) {
                    (None, _) => self.constrain(known),
                    (Some(edge), None) => self.set(edge, known),
                    _ => {}
                }
            }
        }
    }

    /// Requires an affine form to be 0.
    fn constrain(&mut self, form: u64) {
        if form != 0 {
            let named: Vec<usize> = (0..self.n_variables)
                .filter(|v| form >> (v + 1) & 1 == 1)
                .collect();
            self.variables.add(&named, form & 1 == 1);
        }
    }
}

impl fmt::Display for DashingCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rank, cycles, unknowns) = (self.rank, self.cycles, self.unknowns);
        write!(
            f,
            "{unknowns} edges, {cycles} cycles, {rank} of them independent: "
        )?;
        match self.log2 {
            Some(log2) => write!(f, "2^{log2} odd dashings"),
            None => write!(f, "no odd dashing"),
        }
    }
}

shows_itself!(DashingCount as text);
