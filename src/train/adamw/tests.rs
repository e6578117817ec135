//! The formula by hand, the fused pass against the composed one, and resuming.

use super::*;
use candle_core::Device;

const CFG: AdamWConfig = AdamWConfig {
    beta1: 0.5,
    beta2: 0.75,
    // Too small to change a sum, and not 0.
    eps: 1e-30,
    weight_decay: 0.0,
};

fn var(values: &[f32], shape: &[usize]) -> Result<Var> {
    let tensor = Tensor::from_slice(values, shape, &Device::Cpu)?;
    Ok(Var::from_tensor(&tensor)?)
}

/// Gradients that are exactly `grad`: those of `sum(p * grad)`.
fn with_gradient(var: &Var, grad: &Tensor) -> Result<GradStore> {
    Ok(var.as_tensor().mul(grad)?.sum_all()?.backward()?)
}

fn values(var: &Var) -> Result<Vec<f32>> {
    let tensor = var.as_tensor().to_dtype(DType::F32)?;
    Ok(tensor.flatten_all()?.to_vec1()?)
}

/// The same parameters with the composed update instead of the fused one.
fn composed(params: Vec<(String, Var)>, cfg: AdamWConfig) -> Result<AdamW> {
    let mut adamw = AdamW::new(params, cfg)?;
    for p in &mut adamw.params {
        p.moments = Moments::composed(&p.var)?;
    }
    Ok(adamw)
}

#[test]
fn three_steps_by_hand() -> Result<()> {
    // b1 = 1/2, b2 = 3/4, eps = 0, lr = 1/10, gradients 1, -2, 0, from p = 1:
    // t=1: m = 1/2, v = 1/4; m^ = 1, v^ = 1; p = 1 - 0.1 = 0.9
    // t=2: m = 1/4 - 1 = -3/4, v = 3/16 + 1 = 19/16; m^ = -1, v^ = (19/16)/(7/16) = 19/7;
    //      p = 0.9 + 0.1 / sqrt(19/7)
    // t=3: m = -3/8, v = 57/64; m^ = (-3/8)/(7/8) = -3/7, v^ = (57/64)/(37/64) = 57/37;
    //      p += 0.1 (3/7) / sqrt(57/37)
    let p2 = 0.9 + 0.1 / (19f64 / 7.0).sqrt();
    let expected = [0.9, p2, p2 + 0.1 * (3.0 / 7.0) / (57f64 / 37.0).sqrt()];
    for make in [AdamW::new, composed] {
        let p = var(&[1.0], &[1])?;
        let mut adamw = make(vec![("b_U".to_owned(), p.clone())], CFG)?;
        for (g, want) in [1f32, -2.0, 0.0].into_iter().zip(expected) {
            let grads = with_gradient(&p, &Tensor::new(&[g], &Device::Cpu)?)?;
            adamw.step(&grads, 0.1, 1.0)?;
            let found = f64::from(values(&p)?[0]);
            assert!((found - want).abs() < 1e-6, "{found} is not {want}");
        }
    }
    Ok(())
}

#[test]
fn decay_is_decoupled_and_spares_biases_and_norms() -> Result<()> {
    // Under a constant gradient g the corrected moments are exactly g and g^2, so a step
    // subtracts lr sign(g); with q = 1 - lr wd: p_t = q^t p_0 - lr sign(g) (1 - q^t) / (1 - q).
    let cfg = AdamWConfig {
        beta1: 0.9,
        beta2: 0.99,
        weight_decay: 0.5,
        ..CFG
    };
    let (lr, t) = (0.1, 5);
    let q: f64 = 1.0 - lr * 0.5;
    let decayed = q.powi(t) * 2.0 - lr * (1.0 - q.powi(t)) / (1.0 - q);
    let plain = 2.0 - lr * f64::from(t);
    let cases = [
        ("embed.W_E", vec![1, 1], decayed),
        ("pos_embed.W_pos", vec![1, 1], decayed),
        ("blocks.0.attn.W_Q", vec![1, 1, 1], decayed),
        ("blocks.0.attn.b_Q", vec![1, 1], plain),
        ("blocks.0.mlp.b_in", vec![1], plain),
        ("blocks.0.ln1.w", vec![1], plain),
    ];
    for (name, shape, want) in cases {
        let p = var(&[2.0], &shape)?;
        let mut adamw = AdamW::new(vec![(name.to_owned(), p.clone())], cfg)?;
        for _ in 0..t {
            let grads = with_gradient(&p, &Tensor::full(3f32, shape.clone(), &Device::Cpu)?)?;
            adamw.step(&grads, lr, 1.0)?;
        }
        let found = f64::from(values(&p)?[0]);
        assert!((found - want).abs() < 1e-5, "{name}: {found} is not {want}");
        assert_eq!(adamw.decayed().len(), usize::from(want == decayed));
    }
    Ok(())
}

#[test]
fn the_fused_pass_agrees_with_the_composed_one() -> Result<()> {
    // More than two chunks and an odd rest, a gradient that is a transposed view, a scale.
    let (rows, cols) = (173, 211);
    let start: Vec<f32> = (0..rows * cols).map(|i| (i as f32 * 0.37).sin()).collect();
    let cfg = AdamWConfig {
        eps: 1e-8,
        weight_decay: 0.1,
        ..CFG
    };
    let (a, b) = (var(&start, &[rows, cols])?, var(&start, &[rows, cols])?);
    let mut fused = AdamW::new(vec![("W_in".to_owned(), a.clone())], cfg)?;
    let mut plain = composed(vec![("W_in".to_owned(), b.clone())], cfg)?;
    for t in 0..4 {
        let g: Vec<f32> = (0..rows * cols)
            .map(|i| ((i * 7 + t) as f32).cos())
            .collect();
        let g = Tensor::from_vec(g, (cols, rows), &Device::Cpu)?.t()?;
        fused.step(&with_gradient(&a, &g)?, 0.01, 0.3)?;
        plain.step(&with_gradient(&b, &g)?, 0.01, 0.3)?;
    }
    let pairs = values(&a)?.into_iter().zip(values(&b)?);
    let largest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(largest < 2e-6, "largest difference {largest}");
    Ok(())
}

#[test]
fn half_precision_keeps_small_steps_in_its_master_copy() -> Result<()> {
    // bf16 near 1 has steps of 2^-8 to 2^-7: an update of 1e-4 alone would round away, a hundred must not.
    let p = Var::from_tensor(&Tensor::new(&[1f32], &Device::Cpu)?.to_dtype(DType::BF16)?)?;
    let mut adamw = AdamW::new(vec![("b".to_owned(), p.clone())], CFG)?;
    let grad = Tensor::new(&[1f32], &Device::Cpu)?.to_dtype(DType::BF16)?;
    for _ in 0..100 {
        adamw.step(&with_gradient(&p, &grad)?, 1e-4, 1.0)?;
    }
    assert!((values(&p)?[0] - 0.99).abs() < 4e-3, "{:?}", values(&p)?);
    Ok(())
}

/// A moment or a master copy with a graph would hold every tensor of every step.
#[test]
fn no_step_is_remembered() -> Result<()> {
    for dtype in [DType::F32, DType::BF16] {
        let start = Tensor::new(&[1f32, 2.0], &Device::Cpu)?.to_dtype(dtype)?;
        let p = Var::from_tensor(&start)?;
        let mut adamw = composed(vec![("W".to_owned(), p.clone())], CFG)?;
        for _ in 0..2 {
            let grads = p.as_tensor().sqr()?.sum_all()?.backward()?;
            adamw.step(&grads, 0.01, 1.0)?;
        }
        for (name, tensor) in adamw.state()?.tensors {
            assert!(!tensor.track_op(), "{name} of {dtype:?}");
        }
        let Moments::Composed { master, .. } = &adamw.params[0].moments else {
            panic!("not composed");
        };
        assert!(!master.track_op(), "master of {dtype:?}");
    }
    Ok(())
}

#[test]
fn a_restored_state_goes_on_with_the_same_bits() -> Result<()> {
    let start: Vec<f32> = (0..300).map(|i| (i as f32).sin()).collect();
    let grad = |t: usize| {
        let g: Vec<f32> = (0..300).map(|i| ((i * 3 + t) as f32).cos()).collect();
        Tensor::from_vec(g, (20, 15), &Device::Cpu)
    };
    for make in [AdamW::new, composed] {
        let p = var(&start, &[20, 15])?;
        let mut whole = make(vec![("W".to_owned(), p.clone())], CFG)?;
        let mut middle = None;
        for t in 0..6 {
            if t == 3 {
                middle = Some((p.as_tensor().copy()?, whole.state()?));
            }
            whole.step(&with_gradient(&p, &grad(t)?)?, 0.01, 1.0)?;
        }
        let Some((at_three, state)) = middle else {
            return Err(Error::argument("middle", "none", "was never taken"));
        };
        let q = Var::from_tensor(&at_three)?;
        let mut second = make(vec![("W".to_owned(), q.clone())], CFG)?;
        second.load_state(&state)?;
        for t in 3..6 {
            second.step(&with_gradient(&q, &grad(t)?)?, 0.01, 1.0)?;
        }
        assert_eq!(values(&p)?, values(&q)?);
        assert_eq!(second.steps_taken(), 6);
    }
    Ok(())
}

#[test]
fn a_state_of_another_shape_is_refused() -> Result<()> {
    let (p, q) = (var(&[0.0; 4], &[2, 2])?, var(&[0.0; 4], &[4])?);
    let state = AdamW::new(vec![("W".to_owned(), p)], CFG)?.state()?;
    let mut other = AdamW::new(vec![("W".to_owned(), q.clone())], CFG)?;
    assert!(matches!(other.load_state(&state), Err(Error::Shape { .. })));
    let mut renamed = AdamW::new(vec![("X".to_owned(), q)], CFG)?;
    assert!(matches!(
        renamed.load_state(&state),
        Err(Error::NotFound { .. })
    ));
    Ok(())
}
