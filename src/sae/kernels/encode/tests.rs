use super::*;

fn ramp(n: usize, seed: u32) -> Vec<f32> {
    (0..n as u32)
        .map(|i| (i.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 12) as f32 / 524_288.0 - 1.0)
        .collect()
}

#[test]
fn lists_hold_exactly_the_positive_activations() {
    // 41 features: a full panel and a partial one; 50 tokens: not a multiple of any kernel's rows.
    let (d, s, n) = (24, 41, 50);
    let (w, b, x) = (ramp(s * d, 3), ramp(s, 4), ramp(CHUNK * d, 5));
    let mut lists = ActiveLists::default();
    let mut packed = PackedEncoder::new(&w, &ramp(s, 9), d);
    for j in 0..s {
        packed.set_feature(j, &w[j * d..][..d], b[j]);
    }
    packed.encode(&x, n, 0.0, &mut Vec::new(), &mut lists);
    assert_eq!(lists.ends.len(), n);
    for i in 0..n {
        let mut acts = vec![0f32; s];
        let (idx, vals) = lists.row(i);
        assert!(idx.is_sorted() && vals.iter().all(|v| *v > 0.0));
        for (&j, &v) in idx.iter().zip(vals) {
            acts[j as usize] = v;
        }
        for (j, got) in acts.iter().enumerate() {
            let pre: f32 = b[j] + (0..d).map(|k| x[i * d + k] * w[j * d + k]).sum::<f32>();
            assert!(
                (got - pre.max(0.0)).abs() < 1e-4,
                "token {i}, feature {j}: {got} against {pre}"
            );
        }
    }
}
