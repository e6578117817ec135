//! The 4D, N = 1 multiplets reduced to one dimension: d = 4 bosons, 4 fermions, N = 4 colours.
//! Only d/dt is kept of the off-shell laws, so that each `D_a` becomes a signed permutation `L_a`.
//! Source: arXiv:1701.00304, equations (2.5) to (2.13).

use super::{GardenMultiplet, SignedPermutation};

/// The chiral multiplet, CM: two scalars, a Majorana spinor, two auxiliaries. `chi_0 = +1`.
pub fn chiral() -> GardenMultiplet {
    from_table(
        "CM",
        [[1, -4, 2, -3], [2, 3, -1, -4], [3, -2, -4, 1], [4, 1, 3, 2]],
    )
}

/// The vector multiplet, VM, in Coulomb gauge: a gauge field, a gaugino, one auxiliary. `chi_0 = -1`.
pub fn vector() -> GardenMultiplet {
    from_table(
        "VM",
        [[2, -4, 1, -3], [1, 3, -2, -4], [4, 2, 3, 1], [3, -1, -4, 2]],
    )
}

/// The tensor multiplet, TM: a scalar, a two-form, a Majorana spinor. `chi_0 = -1`.
pub fn tensor() -> GardenMultiplet {
    from_table(
        "TM",
        [[1, -3, -4, -2], [2, 4, -3, 1], [3, 1, 2, -4], [4, -2, 1, 3]],
    )
}

/// Rows as signed columns counted from 1.
fn from_table(name: &str, rows: [[i8; 4]; 4]) -> GardenMultiplet {
    let l = rows
        .iter()
        .map(|row| {
            let columns = row.map(|c| usize::from(c.unsigned_abs()) - 1);
            SignedPermutation::new(&columns, &row.map(i8::signum))
                .expect("the tables above are signed permutations")
        })
        .collect();
    GardenMultiplet {
        name: name.to_owned(),
        l,
    }
}
