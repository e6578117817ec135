//! Element-wise maps as hidden units of a ReLU MLP: tables of one-hot values, steps of numbers.
//! `2 relu(x - 1/2)` of a one-hot dimension, `2 relu(x + y - 3/2)` of a pair, and between two
//! numbers `a < b` the ramp `relu(s (x - t) + 1/2) - relu(s (x - t) - 1/2)`, `t` their middle.
//! Source: Tracr's `craft/chamber/{categorical_mlp, numerical_mlp}.py`.

use super::plan::Unit;

/// Where BOS must not write: its flag's dimension switches a unit off.
#[derive(Clone, Copy)]
pub(super) struct Gate(pub(super) Option<usize>);

/// Larger than anything a unit's other inputs add up to.
fn closed(inputs: &[(usize, f64)], bias: f64, largest: f64) -> f64 {
    let reach: f64 = inputs.iter().map(|(_, w)| w.abs() * largest).sum();
    reach + bias.abs() + 1.0
}

impl Gate {
    fn on(self, mut unit: Unit, largest: f64) -> Unit {
        if let Some(flag) = self.0 {
            let weight = closed(&unit.inputs, unit.bias, largest);
            unit.inputs.push((flag, -weight));
        }
        unit
    }
}

/// One unit a value of a one-hot variable that begins at `first`.
pub(super) fn table(
    layer: usize,
    first: usize,
    outputs: impl Iterator<Item = Vec<(usize, f64)>>,
) -> Vec<Unit> {
    let unit = |(value, outputs): (usize, Vec<(usize, f64)>)| Unit {
        layer,
        inputs: vec![(first + value, 1.0)],
        bias: -0.5,
        outputs: doubled(outputs),
    };
    outputs.enumerate().map(unit).collect()
}

/// One unit a pair of dimensions, each of a one-hot variable.
pub(super) fn pair(layer: usize, dims: [usize; 2], outputs: Vec<(usize, f64)>) -> Unit {
    Unit {
        layer,
        inputs: dims.map(|dim| (dim, 1.0)).to_vec(),
        bias: -1.5,
        outputs: doubled(outputs),
    }
}

fn doubled(outputs: Vec<(usize, f64)>) -> Vec<(usize, f64)> {
    outputs.into_iter().map(|(dim, w)| (dim, 2.0 * w)).collect()
}

/// A function of the number at `dim`, given at `points` (ascending): from one point to the next it
/// changes in the middle half of the interval. `outputs` are `[point][(dim, value)]`.
pub(super) fn steps(
    layer: usize,
    dim: usize,
    points: &[f64],
    outputs: &[Vec<(usize, f64)>],
    gate: Gate,
) -> Vec<Unit> {
    let largest = points.iter().fold(1.0_f64, |most, x| most.max(x.abs()));
    let mut units = Vec::new();
    if let Some(first) = outputs.first() {
        let constant = Unit {
            layer,
            inputs: Vec::new(),
            bias: 1.0,
            outputs: first.clone(),
        };
        units.push(gate.on(constant, largest));
    }
    for (between, change) in points.windows(2).zip(outputs.windows(2)) {
        let negated = change[0].iter().map(|(dim, w)| (*dim, -w));
        let change: Vec<(usize, f64)> = summed(change[1].iter().copied().chain(negated));
        if change.is_empty() {
            continue;
        }
        let slope = 2.0 / (between[1] - between[0]);
        let middle = (between[0] + between[1]) / 2.0;
        for (shift, sign) in [(0.5, 1.0), (-0.5, -1.0)] {
            let unit = Unit {
                layer,
                inputs: vec![(dim, slope)],
                bias: shift - slope * middle,
                outputs: change.iter().map(|(dim, w)| (*dim, sign * w)).collect(),
            };
            units.push(gate.on(unit, largest));
        }
    }
    units
}

/// Weights of one dimension added, zeros left out.
fn summed(outputs: impl Iterator<Item = (usize, f64)>) -> Vec<(usize, f64)> {
    let mut sums: Vec<(usize, f64)> = Vec::new();
    for (dim, w) in outputs {
        match sums.iter_mut().find(|(at, _)| *at == dim) {
            Some((_, sum)) => *sum += w,
            None => sums.push((dim, w)),
        }
    }
    sums.retain(|(_, w)| *w != 0.0);
    sums
}

/// A weighted sum of numbers: `relu(x) - relu(-x)`.
pub(super) fn linear(layer: usize, terms: &[(usize, f64)], out: usize) -> Vec<Unit> {
    let unit = |sign: f64| Unit {
        layer,
        inputs: terms.iter().map(|(dim, w)| (*dim, sign * w)).collect(),
        bias: 0.0,
        outputs: vec![(out, sign)],
    };
    vec![unit(1.0), unit(-1.0)]
}
