//! The hand-written training step: right gradients, right update, sparse path equal to dense path.

#[path = "common/sae_definition.rs"]
mod definition;

use candle_core::{DType, Device, Tensor, Var};
use definition::{FIELDS, inputs, params};
use holoscope::Error;
use holoscope::sae::{StandardParams, StandardStep};

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

#[test]
fn sparse_and_dense_paths_agree() {
    // 250 tokens: two full chunks and a part of one; 70 features: two full panels and a part.
    let p = params(48, 70, 3);
    let x = inputs(250, 48, 4);
    let (sparse, a) = StandardStep::new(p.clone(), 0.9, 0.99)
        .unwrap()
        .with_dense_above(1.0)
        .gradients(&x, 0.1)
        .unwrap();
    let (dense, b) = StandardStep::new(p.clone(), 0.9, 0.99)
        .unwrap()
        .with_dense_above(0.0)
        .gradients(&x, 0.1)
        .unwrap();
    assert!(!sparse.dense && dense.dense);
    assert_eq!(
        (sparse.l2, sparse.l1, sparse.l0),
        (dense.l2, dense.l1, dense.l0)
    );
    for (a, b) in [
        (&a.w_enc_t, &b.w_enc_t),
        (&a.w_dec, &b.w_dec),
        (&a.b_enc, &b.b_enc),
        (&a.b_dec, &b.b_dec),
    ] {
        assert!(largest_difference(a, b) < 1e-5);
    }
    let mut one = StandardStep::new(p.clone(), 0.9, 0.99)
        .unwrap()
        .with_dense_above(1.0);
    let mut other = StandardStep::new(p, 0.9, 0.99)
        .unwrap()
        .with_dense_above(0.0);
    one.step(&x, 1e-3, 0.1).unwrap();
    other.step(&x, 1e-3, 0.1).unwrap();
    assert!(largest_difference(&one.params().w_dec, &other.params().w_dec) < 1e-5);
}

/// Adam as in Kingma & Ba, in f32 tensors.
struct TensorAdam {
    m: Tensor,
    v: Tensor,
}

impl TensorAdam {
    fn update(&mut self, var: &Var, g: &Tensor, lr: f64, t: i32) -> candle_core::Result<()> {
        self.m = ((&self.m * 0.9)? + (g * 0.1)?)?;
        self.v = ((&self.v * 0.99)? + (g.sqr()? * 0.01)?)?;
        let m_hat = (&self.m / (1.0 - 0.9f64.powi(t)))?;
        let v_hat = (&self.v / (1.0 - 0.99f64.powi(t)))?;
        var.set(&(var.as_tensor() - ((m_hat * lr)? / (v_hat.sqrt()? + 1e-8)?)?)?)
    }
}

#[test]
fn three_steps_equal_candle_autograd_with_the_plain_composition() -> candle_core::Result<()> {
    let (d, s, n, l1, lr) = (24, 40, 100, 0.2, 3e-3);
    let p = params(d, s, 5);
    let dev = Device::Cpu;
    let var = |v: &[f32], shape: &[usize]| Var::from_tensor(&Tensor::from_slice(v, shape, &dev)?);
    let w_enc_t = var(&p.w_enc_t, &[s, d])?;
    let w_dec = var(&p.w_dec, &[s, d])?;
    let (b_enc, b_dec) = (var(&p.b_enc, &[s])?, var(&p.b_dec, &[d])?);
    let vars = [&w_enc_t, &w_dec, &b_enc, &b_dec];
    let mut adam: Vec<TensorAdam> = vars
        .iter()
        .map(|v| {
            Ok(TensorAdam {
                m: v.zeros_like()?,
                v: v.zeros_like()?,
            })
        })
        .collect::<candle_core::Result<_>>()?;
    let mut ours = StandardStep::new(p, 0.9, 0.99).unwrap();
    for t in 1..=3 {
        let xs = inputs(n, d, 5 + t as u64);
        let x = Tensor::from_slice(&xs, (n, d), &dev)?;
        let acts = x
            .broadcast_sub(&b_dec)?
            .matmul(&w_enc_t.t()?)?
            .broadcast_add(&b_enc)?
            .relu()?;
        let x_hat = acts.matmul(&w_dec)?.broadcast_add(&b_dec)?;
        let l2 = ((&x_hat - &x)?.sqr()?.sum_all()? / n as f64)?;
        let total = (&l2 + ((acts.sum_all()? * l1)? / n as f64)?)?;
        let grads = total.backward()?;
        for (i, var) in vars.iter().enumerate() {
            let mut g = grads.get(var).expect("every parameter is used").clone();
            if i == 1 {
                let along = (&g * w_dec.as_tensor())?.sum_keepdim(1)?;
                g = (&g - w_dec.broadcast_mul(&along)?)?;
            }
            adam[i].update(var, &g, lr, t)?;
        }
        let norm = w_dec.sqr()?.sum_keepdim(1)?.sqrt()?;
        w_dec.set(&w_dec.broadcast_div(&norm)?)?;

        let figures = ours.step(&xs, lr, l1).unwrap();
        let want = f64::from(l2.to_dtype(DType::F32)?.to_scalar::<f32>()?);
        assert!(
            (figures.l2 - want).abs() < 1e-4 * want,
            "step {t}: l2 {} against {want}",
            figures.l2
        );
    }
    let now = ours.params();
    for (name, ours, theirs) in [
        ("W_enc", &now.w_enc_t, &w_enc_t),
        ("W_dec", &now.w_dec, &w_dec),
        ("b_enc", &now.b_enc, &b_enc),
        ("b_dec", &now.b_dec, &b_dec),
    ] {
        let theirs = theirs.flatten_all()?.to_vec1::<f32>()?;
        let difference = largest_difference(ours, &theirs);
        assert!(difference < 2e-5, "{name} differs by {difference}");
    }
    Ok(())
}

#[test]
fn decoder_rows_stay_unit_and_the_loss_falls() {
    let mut step = StandardStep::new(params(32, 96, 6), 0.9, 0.99).unwrap();
    let x = inputs(300, 32, 7);
    let first = step.step(&x, 3e-3, 0.01).unwrap();
    for _ in 0..60 {
        step.step(&x, 3e-3, 0.01).unwrap();
    }
    let last = step.step(&x, 3e-3, 0.01).unwrap();
    assert!(
        last.l2 < 0.5 * first.l2,
        "l2 went from {} to {}",
        first.l2,
        last.l2
    );
    for row in step.params().w_dec.chunks_exact(32) {
        let norm: f32 = row.iter().map(|w| w * w).sum::<f32>().sqrt();
        assert!((norm - 1.0).abs() < 1e-5);
    }
}

#[test]
fn steps_are_the_same_bits_whatever_the_number_of_threads() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("a thread pool");
        pool.install(|| {
            let mut step = StandardStep::new(params(48, 200, 8), 0.9, 0.99)
                .unwrap()
                .with_dense_above(1.0);
            let x = inputs(500, 48, 9);
            for _ in 0..5 {
                step.step(&x, 1e-3, 0.05).unwrap();
            }
            step.into_params()
        })
    };
    assert!(run(1) == run(2));
}

#[test]
fn a_replaced_feature_points_where_it_was_told_and_starts_afresh() {
    let mut step = StandardStep::new(params(16, 40, 10), 0.9, 0.99).unwrap();
    let x = inputs(64, 16, 11);
    step.step(&x, 1e-3, 0.0).unwrap();
    let mut direction = vec![0f32; 16];
    direction[3] = 5.0;
    step.replace_feature(37, &direction, 0.25).unwrap();
    let p = step.params().clone();
    assert_eq!(
        (p.w_dec[37 * 16 + 3], p.w_enc_t[37 * 16 + 3], p.b_enc[37]),
        (1.0, 0.25, 0.0)
    );
    // The packed copy that the encoder reads follows: both states see the same batch alike.
    let errors = step.squared_errors(&x).unwrap();
    let fresh = StandardStep::new(p, 0.9, 0.99)
        .unwrap()
        .squared_errors(&x)
        .unwrap();
    assert_eq!(errors, fresh);
}

#[test]
fn inputs_that_do_not_fit_are_errors_and_change_nothing() {
    let p = params(7, 19, 12);
    let x = inputs(5, 7, 13);
    let new = |p: StandardParams| StandardStep::new(p, 0.9, 0.99);
    for (name, field) in FIELDS {
        let mut short = p.clone();
        field(&mut short).pop();
        let message = new(short).unwrap_err().to_string();
        assert!(message.starts_with(&name.to_lowercase()), "{message}");
    }
    for (d_in, d_sae) in [(0, 19), (7, 0), (0, 0)] {
        let empty = StandardParams {
            d_in,
            d_sae,
            ..p.clone()
        };
        assert!(matches!(new(empty), Err(Error::Argument { .. })));
    }
    for (beta1, beta2) in [(1.0, 0.9), (0.9, -0.1), (f64::NAN, 0.9)] {
        assert!(StandardStep::new(p.clone(), beta1, beta2).is_err());
    }

    let mut step = new(p.clone()).unwrap();
    for x in [&x[..0], &x[..6], &x[..8]] {
        assert!(matches!(step.step(x, 1e-3, 0.1), Err(Error::Shape { .. })));
        assert!(step.gradients(x, 0.1).is_err() && step.squared_errors(x).is_err());
    }
    assert!(matches!(
        step.replace_feature(19, &[1.0; 7], 1.0),
        Err(Error::Argument { .. })
    ));
    assert!(matches!(
        step.replace_feature(0, &[1.0; 6], 1.0),
        Err(Error::Shape { .. })
    ));
    assert!(step.steps() == 0 && *step.params() == p);
    step.replace_feature(0, &[0.0; 7], 1.0).unwrap();
    step.step(&x, 1e-3, 0.1).unwrap();
    let w_dec = &step.params().w_dec;
    assert!(w_dec.iter().all(|w| w.is_finite()));
}
