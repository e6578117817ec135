use super::*;
use crate::sae::kernels::rows::add_scaled;
use crate::sae::kernels::tile::panel::CHUNK;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

struct Case {
    packed: PackedEncoder,
    w_enc_t: Vec<f32>,
    x: Vec<f32>,
    n: usize,
}

/// Normal weights and inputs; a tenth of the features are copies of others (ties), some rows and features are zero
/// or have one outlier.
fn case(seed: u64, d: usize, d_sae: usize, n: usize) -> Case {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut normal = |n: usize| -> Vec<f32> {
        let values = StandardNormal.sample_iter(&mut rng).take(n);
        values.collect()
    };
    let (mut w_enc_t, mut b_enc, mut x) = (normal(d_sae * d), normal(d_sae), normal(CHUNK * d));
    for j in (10..d_sae).step_by(10) {
        w_enc_t.copy_within((j - 7) * d..(j - 6) * d, j * d);
        b_enc[j] = b_enc[j - 7];
    }
    for j in (13..d_sae).step_by(41) {
        w_enc_t[j * d..][..d].fill(0.0);
    }
    // The common part of all rows.
    let common = normal(d);
    for row in x.chunks_exact_mut(d) {
        add_scaled(1.0, &common, row);
    }
    for i in (3..CHUNK).step_by(17) {
        x[i * d] = 300.0;
        x[(i - 1) * d..][..d].fill(0.0);
        x[(i - 2) * d..][..d].iter_mut().for_each(|x| *x *= 1e-25);
    }
    let packed = PackedEncoder::new(&w_enc_t, &b_enc, d);
    Case {
        packed,
        w_enc_t,
        x,
        n,
    }
}

/// A screen for each kind of instructions that this CPU supports; without any, one that is not used.
fn screens() -> Vec<Screen> {
    #[cfg(target_arch = "x86_64")]
    if let Some(fastest) = product::Unit::fastest() {
        let with = |unit| Screen {
            unit: Some(unit),
            ..Screen::default()
        };
        // A CPU with AMX tiles also has the AVX-512 instructions.
        let mut units = vec![fastest, product::Unit::Vnni];
        units.dedup();
        return units.into_iter().map(with).collect();
    }
    vec![Screen::default()]
}

/// The lists with each screen, and whether it was used to the end.
fn screened(case: &Case, floor: f32) -> Vec<(ActiveLists, bool)> {
    let d = case.packed.d_in();
    let mut scratch = ScreenScratch::default();
    let with = |mut screen: Screen| {
        let mut lists = ActiveLists::default();
        screen.prepare(&case.packed, &case.x[..case.n * d], &vec![0.25; d]);
        let (packed, x) = (&case.packed, (&case.x[..], case.n));
        screen.encode(packed, &case.w_enc_t, x, floor, &mut scratch, &mut lists);
        let used = screen.in_use && *screen.given_up.get_mut() == 0;
        (lists, used)
    };
    screens().into_iter().map(with).collect()
}

fn all(case: &Case, floor: f32) -> ActiveLists {
    let mut lists = ActiveLists::default();
    case.packed
        .encode(&case.x, case.n, floor, &mut Vec::new(), &mut lists);
    lists
}

fn bits(lists: &ActiveLists) -> (Vec<u32>, Vec<u32>, Vec<u32>) {
    let values = lists.vals.iter().map(|v| v.to_bits()).collect();
    (lists.ends.clone(), lists.idx.clone(), values)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// For any sizes, the lists are those of the product in f32, bit for bit.
    #[test]
    fn a_screen_changes_no_bit(
        seed: u64,
        d in 64usize..180,
        d_sae in 200usize..900,
        n in 1usize..=CHUNK,
        k in prop::option::of(0usize..40),
        signed: bool,
        deep in 0usize..3,
    ) {
        let mut case = case(seed, d, d_sae, n);
        case.packed.top_k = k;
        case.packed.signed = signed;
        // With a top_k negative activations may be listed; without one only those far above 0 are sparse enough.
        let floor = match (k, deep) {
            (Some(_), 0) => f32::NEG_INFINITY,
            (Some(_), _) => 0.0,
            (None, deep) => [1.5, 2.5, 4.0][deep] * (d as f32).sqrt(),
        };
        let expected = bits(&all(&case, floor));
        for (lists, _) in screened(&case, floor) {
            prop_assert_eq!(bits(&lists), expected.clone());
        }
    }
}

#[test]
fn sparse_lists_are_made_by_the_screen_where_the_processor_has_one() {
    let mut case = case(1, 512, 4_096, 50);
    // The bounds of rows with one outlier, and of those far smaller than the others, are too loose.
    for i in (3..50).step_by(17) {
        let (before, after) = case.x.split_at_mut((i - 2) * 512);
        after[..3 * 512].copy_from_slice(&before[before.len() - 512..].repeat(3));
    }
    #[cfg(target_arch = "x86_64")]
    let available = product::Unit::fastest().is_some();
    #[cfg(not(target_arch = "x86_64"))]
    let available = false;
    for (top_k, floor) in [(Some(32), 0.0), (None, 4.0 * 512f32.sqrt())] {
        case.packed.top_k = top_k;
        for (lists, used) in screened(&case, floor) {
            assert_eq!(used, available, "{top_k:?}");
            assert_eq!(bits(&lists), bits(&all(&case, floor)));
        }
    }
}

/// NaN and infinity in inputs, weights and biases: the product in f32 determines the lists.
#[test]
fn what_is_not_finite_is_left_to_the_product() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30] {
        let mut in_x = case(2, 96, 500, 40);
        in_x.x[5 * 96 + 7] = bad;
        let mut in_w = case(3, 96, 500, 40);
        in_w.w_enc_t[33 * 96 + 2] = bad;
        in_w.packed = PackedEncoder::new(&in_w.w_enc_t, &in_w.packed.bias[..500], 96);
        let mut in_b = case(4, 96, 500, 40);
        in_b.packed.bias[499] = bad;
        for mut case in [in_x, in_w, in_b] {
            case.packed.top_k = Some(8);
            for (lists, _) in screened(&case, 0.0) {
                assert_eq!(bits(&lists), bits(&all(&case, 0.0)), "{bad}");
            }
        }
    }
}

/// Feature 0 has the sum 140,000 * 127^2 in integers, which overflows 32 bits.
#[test]
fn inputs_too_wide_for_the_integer_sum_are_left_to_the_product() {
    let (d, d_sae) = (140_000, 40);
    let mut w_enc_t = vec![0.0; d_sae * d];
    w_enc_t[..d].fill(1.0);
    let mut packed = PackedEncoder::new(&w_enc_t, &[-1.0; 40], d);
    packed.bias[0] = 0.0;
    let x = vec![1.0; CHUNK * d];
    let case = Case {
        packed,
        w_enc_t,
        x,
        n: 1,
    };
    for (lists, used) in screened(&case, 0.0) {
        assert!(!used);
        assert_eq!((lists.idx, lists.vals), (vec![0], vec![140_000.0]));
    }
}

#[test]
fn a_screen_with_too_many_candidates_pauses() {
    let case = case(5, 96, 640, CHUNK);
    let (mut screen, d) = (Screen::default(), 96);
    let (mut scratch, mut lists) = (ScreenScratch::default(), ActiveLists::default());
    let mut passes = Vec::new();
    for _ in 0..PAUSE + 3 {
        screen.prepare(&case.packed, &case.x[..case.n * d], &vec![0.25; d]);
        passes.push(screen.in_use);
        let x = (&case.x[..], case.n);
        // Half of all features are above 0.
        screen.encode(
            &case.packed,
            &case.w_enc_t,
            x,
            0.0,
            &mut scratch,
            &mut lists,
        );
        assert_eq!(bits(&lists), bits(&all(&case, 0.0)));
    }
    let used: Vec<usize> = (0..passes.len()).filter(|&i| passes[i]).collect();
    match passes[0] {
        true => assert_eq!(used, [0, PAUSE as usize + 1]),
        false => assert!(used.is_empty()),
    }
}
