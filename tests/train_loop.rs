//! The training loop: it learns, repeats itself bit for bit and stops when asked.

#[path = "common/training.rs"]
mod training;

use holoscope::config::TrainingConfig;
use holoscope::error::{Error, Result};
use holoscope::progress::Silent;
use holoscope::train::{evaluate_with, train_with};
use training::{StopAfter, bits, config, dataset, losses, model};

#[test]
fn a_small_model_learns_to_count() -> Result<()> {
    let data = dataset()?;
    let model = model(&data)?;
    let cfg = TrainingConfig {
        steps: 150,
        ..config()
    };
    let history = train_with(&model, &data, &cfg, &mut Silent)?;
    let untrained = history.val_loss[0].1;
    let chance = (data.tokenizer.n_vocab() as f64).ln();
    assert!(
        (untrained - chance).abs() < 0.1,
        "{untrained} is far from ln n = {chance}"
    );
    // Within a line everything but the first word and the name follows from what came before.
    assert!(history.best_val < 0.25 * chance, "{}", history.best_val);
    assert_eq!(history.train_loss.len(), 150);
    assert_eq!(history.steps(), 150);
    assert!(history.tokens_per_second > 0.0 && !history.interrupted);
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_seed_does_not() -> Result<()> {
    let data = dataset()?;
    let run = |seed| -> Result<_> {
        let model = model(&data)?;
        let cfg = TrainingConfig { seed, ..config() };
        let history = train_with(&model, &data, &cfg, &mut Silent)?;
        Ok((losses(&history), bits(&model)?))
    };
    let first = run(7)?;
    assert_eq!(first, run(7)?);
    assert_ne!(first.1, run(8)?.1);
    Ok(())
}

#[test]
fn the_model_ends_with_the_parameters_of_the_lowest_validation_loss() -> Result<()> {
    let data = dataset()?;
    let model = model(&data)?;
    // A learning rate that overshoots: the best is not the last.
    let cfg = TrainingConfig {
        lr: 0.3,
        min_lr_frac: 1.0,
        eval_every: 1,
        ..config()
    };
    let history = train_with(&model, &data, &cfg, &mut Silent)?;
    let lowest = history
        .val_loss
        .iter()
        .map(|v| v.1)
        .fold(f64::INFINITY, f64::min);
    assert_eq!(history.best_val, lowest);
    assert!(
        history.best_step < 20,
        "the run improved to its end: {:?}",
        history.val_loss
    );
    let now = evaluate_with(&model, &data.val, cfg.eval_batches, cfg.batch_size)?;
    assert_eq!(now, history.best_val);
    Ok(())
}

#[test]
fn an_interrupted_run_without_a_folder_returns_what_it_learnt() -> Result<()> {
    let data = dataset()?;
    let model = model(&data)?;
    let history = train_with(&model, &data, &config(), &mut StopAfter::new(4))?;
    assert!(history.interrupted);
    // The evaluations before the start and at the stop; the better one is what the model holds.
    let evaluated: Vec<usize> = history.val_loss.iter().map(|v| v.0).collect();
    assert_eq!(evaluated, [0, 4]);
    assert_eq!(history.best_step, 4);
    assert_eq!(evaluate_with(&model, &data.val, 2, 4)?, history.best_val);
    Ok(())
}

#[test]
fn a_diverging_run_is_an_error_that_says_where() -> Result<()> {
    let data = dataset()?;
    let cfg = TrainingConfig {
        lr: 1e38,
        warmup_steps: 0,
        ..config()
    };
    let outcome = train_with(&model(&data)?, &data, &cfg, &mut Silent);
    let Err(Error::NotFinite { what, value, step }) = outcome else {
        panic!("expected NotFinite, got {outcome:?}");
    };
    assert!(!what.is_empty() && !value.is_finite() && step >= 1);
    Ok(())
}

#[test]
fn evaluation_of_batches_of_any_size_is_the_same_mean() -> Result<()> {
    let data = dataset()?;
    let model = model(&data)?;
    let n = data.val.n_sequences(16);
    assert!(n > 3, "the split holds {n} sequences");
    let whole = evaluate_with(&model, &data.val, 0, n)?;
    for batch_size in [1, 3, n + 5] {
        let loss = evaluate_with(&model, &data.val, 0, batch_size)?;
        assert!(
            (loss - whole).abs() < 1e-5,
            "{batch_size}: {loss} is not {whole}"
        );
    }
    assert!(evaluate_with(&model, &data.val, 0, 0).is_err());
    Ok(())
}
