//! The invariance of the Lagrangians up to total derivatives.
//! `D_a S = 0` exactly when `K(k) L_a(k) + i R_a(-k)^T M(k) = 0`, at every k, null or not.
//! Source: arXiv:1906.02971; in an integral over space-time the total derivatives are gone.

use super::{Complex, FourDMultiplet, FourMomentum, Orientation};

impl FourDMultiplet {
    /// How far the action is from invariant under the on-shell laws: the size of
    /// `K L_a + i R_a(-k)^T M` over that of `R_a(-k)` times that of M, root of the sum over all a.
    ///
    /// ```
    /// use holoscope::susy::four_d::{FourDMultiplet, FourMomentum};
    /// let k = FourMomentum::new([1.0, 0.5, -2.0, 0.25])?;
    /// assert!(FourDMultiplet::Supergravity.non_invariance(&k) < 1e-14);
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    pub fn non_invariance(self, k: &FourMomentum) -> f64 {
        self.non_invariance_with(k, Orientation::Plus)
    }

    /// As [`Self::non_invariance`], for a sign of `eps_0123`.
    pub fn non_invariance_with(self, k: &FourMomentum, orientation: Orientation) -> f64 {
        let form = self.lagrangian(k);
        let at = self.at_with(k, orientation);
        let reversed = self.at_with(&k.reversed(), orientation);
        let (mut variation, mut size) = (0.0, 0.0);
        for a in 0..4 {
            let bosons = form.bosons.times(&at.l[a]);
            let fermions = reversed.r[a]
                .transpose()
                .times(&form.fermions)
                .scaled(Complex::I);
            variation += bosons.plus(&fermions).norm_sqr();
            // On the light cone the terms themselves may vanish; these factors never do.
            size += reversed.r[a].norm_sqr() * form.fermions.norm_sqr();
        }
        (variation / size).sqrt()
    }
}
