//! Everything a notebook needs, in one `use holoscope::prelude::*;`.
//!
//! It has types, traits and functions. The only modules are [`rasp`], whose functions (`select`,
//! `tokens`) need its name before them, and [`color`]: a glob-imported module is ambiguous with a
//! crate of the same name, so those of [`susy`](crate::susy) are left out.
//! [`susy::analogy::Null`](crate::susy::analogy::Null) is left out: polars' prelude has a `Null`, too.
//! `Result` is the standard library's with [`Error`] as default, so `Result<T, E>` means what it always does.

pub use crate::config::*;
pub use crate::data::*;
pub use crate::error::{Error, Result};
pub use crate::interp::*;
pub use crate::lesson::*;
pub use crate::model::*;
pub use crate::progress::Silent;
pub use crate::rasp::{self, CompileOptions, CompiledProgram};
pub use crate::sae::*;
pub use crate::show::*;
pub use crate::susy::analogy::{
    AnalogyRow, AnalogyTable, AnalogyTest, BlockOverlap, Family, FeatureGroup, GardenDefect, Gauge,
    Interval, Judgement, MapSpectrum, NearestAdinkra, NullSampler, Planting, PowerCurve,
    PowerCurves, PowerDesign, PowerPoint, PowerReach, RealMatrix, Side, SingularValues,
    SphericalClusters, Statistic, StatisticReach, Tail, TwinRow, TwinTable, TwinTest, Verdict,
    aligned_generators, best_assignment, block_overlap, bootstrap_interval, centred_embedding,
    closure_residual, complex_structure_defect, effect_size, feature_blocks, generator_gadget,
    k_means_dictionary, map_spectrum, pca_dictionary, permutation_p, planted_family, power_curve,
    power_curves, q_values, radon_hurwitz, random_blocks, range_distance_sqr, shuffled_colours,
    spherical_k_means, symmetry_index, wilson_interval,
};
pub use crate::susy::{
    Adinkra, AdinkraEdge, AdinkraFamilies, AdinkraFamily, AdinkraNode, BinaryCode, Chromotopology,
    CodeClass, CodeClasses, CodeCounts, Dashing, DashingCount, FourDMultiplet, FourMomentum,
    Frequency, GadgetCount, GadgetCounts, GadgetMatrix, GadgetRow, GardenCheck, GardenMultiplet,
    GardenSpace, GeneratorSetCounts, Holoraumy, HoloraumyCharge, HoloraumyCharges,
    HoloraumyClasses, Hymn, HymnClass, HymnClasses, HymnValue, PairCoefficients, Ratio,
    ReducedMultiplet, Sector, SignedPermutation, Su2, Su2Coefficients, chiral, doubly_even_classes,
    doubly_even_codes, doubly_even_counts, doubly_even_counts_by_walk, gadget, gadget_matrix,
    garden_sets, garden_space, generator_sets, holoraumy_charges, null_momenta, smallest_d,
    su2_basis, tensor, vector,
};
pub use crate::train::*;
pub use candle_core::{D, DType, Device, IndexOp, Tensor};
pub use polars::prelude::{
    DataFrame, IntoLazy, LazyFrame, NamedFrom, Series, SortMultipleOptions, col, df, lit,
};

#[cfg(test)]
mod tests {
    /// The scope of a cell that imports everything from several preludes: a name that two of them
    /// export would not compile.
    mod beside_other_preludes {
        use crate::prelude::*;
        use polars::prelude::*;
        use rand::prelude::*;
        use rayon::prelude::*;

        /// Names that a data-frame or random-number library could plausibly export, too.
        pub type Types = (
            Activation,
            Config,
            Control,
            Device,
            Edge,
            Factor,
            Figure,
            Frequency,
            Group,
            Family,
            Interval,
            Side,
            Tail,
            Metric,
            Precision,
            Profile,
            Receiver,
            Schedule,
            Sender,
            Span,
            Statistic,
            Table,
            Tensor,
            Trace,
        );

        /// `Result` with two parameters is the standard library's.
        pub fn text() -> Result<String, String> {
            let functions = (chiral, tensor, vector, display, scatter, heatmap, evaluate);
            let (multiplet, ..) = functions;
            let frame = DataFrame::new(1, vec![Series::new("a".into(), [1]).into_column()]);
            let n = [1, 2].par_iter().sum::<i32>() + frame.map_or(0, |f| f.height() as i32);
            let _ = StdRng::seed_from_u64(1).random::<u8>();
            Ok(format!("{} {n}", multiplet().l.len()))
        }
    }

    #[test]
    fn no_name_is_ambiguous_beside_other_preludes() {
        assert_eq!(beside_other_preludes::text(), Ok("4 4".to_owned()));
        assert!(size_of::<beside_other_preludes::Types>() > 0);
    }
}
