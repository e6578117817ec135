//! The map of unscaled activations predicts the same as the map of scaled ones.

use super::reference::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

#[test]
fn scales_of_input_output_and_acts_fold_away() {
    let rng = &mut ChaCha8Rng::seed_from_u64(23);
    let params = random_params(rng);
    let (of_input, of_output) = (
        [2.0f32, 2.0, 2.0, 0.25, 0.25],
        [3.0f32, 3.0, 0.5, 0.5, 0.5, 0.5],
    );
    let thresholds: Vec<f64> = normal(13, rng).iter().map(|t| f64::from(t.abs())).collect();
    let x: Vec<f64> = normal(60 * 5, rng).iter().map(|&x| f64::from(x)).collect();
    let scaled = x.iter().zip(of_input.iter().cycle());
    let scaled: Vec<f64> = scaled.map(|(x, s)| x * f64::from(*s)).collect();
    let factor = 1.0 / 3.0f32;
    let folded = params.clone().unscaled(&of_input, &of_output);
    let folded = folded.with_acts_times(factor);
    for kind in [Kind::L1, Kind::TopK(3), Kind::Step] {
        let (before, _) = forward(&flat(&params), &params, kind, &thresholds, &scaled);
        let smaller: Vec<f64> = thresholds.iter().map(|t| t * f64::from(factor)).collect();
        let (after, _) = forward(&flat(&folded), &folded, kind, &smaller, &x);
        for ((before, after), s) in before.iter().zip(after).zip(of_output.iter().cycle()) {
            let wanted = before / f64::from(*s);
            assert!(
                (after - wanted).abs() < 1e-5 * (1.0 + wanted.abs()),
                "{after} {wanted}"
            );
        }
    }
}
