//! The training loop: it learns, repeats itself bit for bit, stops when asked and goes on exactly.

use holoscope::config::{Activation, DataConfig, TrainingConfig, TransformerConfig};
use holoscope::data::{Corpus, Dataset};
use holoscope::error::{Error, Result};
use holoscope::model::Transformer;
use holoscope::progress::{Reporter, Silent, Tick};
use holoscope::train::{RunFolder, Schedule, TrainingHistory, evaluate, resume, train};
use std::path::{Path, PathBuf};

/// Speakers who count, each from another number: predictable, but not at once.
fn dataset() -> Result<Dataset> {
    dataset_of(&DataConfig::default())
}

fn dataset_of(cfg: &DataConfig) -> Result<Dataset> {
    let names = ["ANNE", "BEN", "CLAUDE", "DORA"];
    let words = ["one", "two", "three", "four", "five", "six", "seven"];
    let text: String = (0..160)
        .map(|i| {
            let line: Vec<&str> = (0..6).map(|k| words[(i + k) % words.len()]).collect();
            format!("{}:\n{}.\n\n", names[i % names.len()], line.join(" "))
        })
        .collect();
    Dataset::from_corpus(&Corpus::from_text("counting", &text), cfg)
}

fn model(data: &Dataset) -> Result<Transformer> {
    Transformer::new(&TransformerConfig {
        d_model: 16,
        n_heads: 2,
        d_mlp: 32,
        n_ctx: 16,
        d_vocab: data.tokenizer.n_vocab(),
        ..TransformerConfig::default()
    })
}

fn config() -> TrainingConfig {
    TrainingConfig {
        steps: 20,
        batch_size: 4,
        lr: 1e-2,
        warmup_steps: 3,
        eval_every: 5,
        eval_batches: 2,
        ..TrainingConfig::default()
    }
}

/// Every bit of every parameter.
fn bits(model: &Transformer) -> Result<Vec<(String, Vec<u32>)>> {
    model
        .named_parameters()
        .into_iter()
        .map(|(name, var)| {
            let values = var.as_tensor().flatten_all()?.to_vec1::<f32>()?;
            Ok((name, values.into_iter().map(f32::to_bits).collect()))
        })
        .collect()
}

/// What a history says, without the clock.
fn losses(history: &TrainingHistory) -> TrainingHistory {
    TrainingHistory {
        tokens_per_second: 0.0,
        seconds: 0.0,
        ..history.clone()
    }
}

/// Interrupts after some steps; may copy the run folder as it is then, as if the machine had stopped.
struct StopAfter {
    steps: u64,
    done: u64,
    copy: Option<(PathBuf, PathBuf)>,
}

impl StopAfter {
    fn new(steps: u64) -> Self {
        Self {
            steps,
            done: 0,
            copy: None,
        }
    }
}

impl Reporter for StopAfter {
    fn tick(&mut self, tick: &Tick) {
        self.done = tick.done;
        if self.done == self.steps
            && let Some((from, to)) = &self.copy
        {
            copy_tree(from, to);
        }
    }
    fn finish(&mut self, _: &Tick) {}
    fn interrupted(&self) -> bool {
        self.copy.is_none() && self.done >= self.steps
    }
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_small_model_learns_to_count() -> Result<()> {
    let data = dataset()?;
    let model = model(&data)?;
    let cfg = TrainingConfig {
        steps: 150,
        ..config()
    };
    let history = train(&model, &data, &cfg, &mut Silent)?;
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
        let history = train(&model, &data, &cfg, &mut Silent)?;
        Ok((losses(&history), bits(&model)?))
    };
    let first = run(7)?;
    assert_eq!(first, run(7)?);
    assert_ne!(first.1, run(8)?.1);
    Ok(())
}

#[test]
fn a_resumed_run_has_the_bits_of_an_uninterrupted_one() -> Result<()> {
    let data = dataset()?;
    let whole = model(&data)?;
    let expected = train(&whole, &data, &config(), &mut Silent)?;
    // Before the first step, between two evaluations, right after one.
    for stop in [0, 7, 10] {
        let dir = tempfile::tempdir().unwrap();
        let cfg = TrainingConfig {
            run_dir: Some(dir.path().to_owned()),
            ..config()
        };
        let first = train(&model(&data)?, &data, &cfg, &mut StopAfter::new(stop))?;
        assert!(first.interrupted);
        assert_eq!(first.steps() as u64, stop);

        let second = model(&data)?;
        let history = resume(&second, &data, &cfg, &mut Silent)?;
        assert_eq!(losses(&history), losses(&expected), "stopped after {stop}");
        assert_eq!(bits(&second)?, bits(&whole)?, "stopped after {stop}");
        assert!(!history.interrupted && history.seconds > first.seconds);
        let steps: Vec<usize> = RunFolder::metrics(dir.path())?
            .iter()
            .filter(|m| m.loss.is_some())
            .map(|m| m.step)
            .collect();
        assert_eq!(steps, (1..=20).collect::<Vec<_>>());
    }
    Ok(())
}

#[test]
fn a_run_whose_machine_stopped_goes_on_exactly_from_its_last_checkpoint() -> Result<()> {
    let data = dataset()?;
    let (dir, crashed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let cfg = TrainingConfig {
        checkpoint_every: 4,
        run_dir: Some(dir.path().to_owned()),
        ..config()
    };
    // After 11 steps the last checkpoint is of step 8, the best parameters are of step 10.
    let mut reporter = StopAfter::new(11);
    reporter.copy = Some((dir.path().to_owned(), crashed.path().to_owned()));
    let whole = model(&data)?;
    let expected = train(&whole, &data, &cfg, &mut reporter)?;

    let cfg = TrainingConfig {
        run_dir: Some(crashed.path().to_owned()),
        ..cfg
    };
    let second = model(&data)?;
    let history = resume(&second, &data, &cfg, &mut Silent)?;
    assert_eq!(losses(&history), losses(&expected));
    assert_eq!(bits(&second)?, bits(&whole)?);
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
    let history = train(&model, &data, &cfg, &mut Silent)?;
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
    let now = evaluate(&model, &data.val, cfg.eval_batches, cfg.batch_size)?;
    assert_eq!(now, history.best_val);
    Ok(())
}

#[test]
fn an_interrupted_run_without_a_folder_returns_what_it_learnt() -> Result<()> {
    let data = dataset()?;
    let model = model(&data)?;
    let history = train(&model, &data, &config(), &mut StopAfter::new(4))?;
    assert!(history.interrupted);
    // The evaluations before the start and at the stop; the better one is what the model holds.
    let evaluated: Vec<usize> = history.val_loss.iter().map(|v| v.0).collect();
    assert_eq!(evaluated, [0, 4]);
    assert_eq!(history.best_step, 4);
    assert_eq!(evaluate(&model, &data.val, 2, 4)?, history.best_val);
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
    let outcome = train(&model(&data)?, &data, &cfg, &mut Silent);
    let Err(Error::NotFinite { what, value, step }) = outcome else {
        panic!("expected NotFinite, got {outcome:?}");
    };
    assert!(!what.is_empty() && !value.is_finite() && step >= 1);
    Ok(())
}

#[test]
fn resuming_another_run_is_refused() -> Result<()> {
    let data = dataset()?;
    let dir = tempfile::tempdir().unwrap();
    let cfg = TrainingConfig {
        steps: 2,
        run_dir: Some(dir.path().to_owned()),
        ..config()
    };
    let go_on = |cfg: &TrainingConfig, data: &Dataset| {
        let outcome = resume(&model(data)?, data, cfg, &mut Silent);
        outcome.map(|_| ())
    };
    assert!(
        matches!(go_on(&cfg, &data), Err(Error::Io { .. })),
        "there is no run yet"
    );
    train(&model(&data)?, &data, &cfg, &mut Silent)?;
    for other in [
        TrainingConfig {
            seed: 1,
            ..cfg.clone()
        },
        TrainingConfig {
            batch_size: 5,
            ..cfg.clone()
        },
        TrainingConfig {
            run_dir: None,
            ..cfg.clone()
        },
    ] {
        assert!(matches!(go_on(&other, &data), Err(Error::Config { .. })));
    }
    let text: String = (0..90)
        .map(|i| format!("A:\nother {i} text {}\n\n", i * i))
        .collect();
    let elsewhere =
        Dataset::from_corpus(&Corpus::from_text("other", &text), &DataConfig::default())?;
    assert!(matches!(
        go_on(&cfg, &elsewhere),
        Err(Error::Argument { .. })
    ));
    Ok(())
}

#[test]
fn resuming_on_another_split_or_with_another_model_is_refused() -> Result<()> {
    let data = dataset()?;
    let dir = tempfile::tempdir().unwrap();
    let cfg = TrainingConfig {
        steps: 2,
        run_dir: Some(dir.path().to_owned()),
        ..config()
    };
    let first = model(&data)?;
    train(&first, &data, &cfg, &mut Silent)?;
    for other in [
        DataConfig {
            seed: 1,
            ..DataConfig::default()
        },
        DataConfig {
            train_frac: 0.7,
            ..DataConfig::default()
        },
        // The training tokens are the same, the validation loss is of others.
        DataConfig {
            val_frac: 0.2,
            ..DataConfig::default()
        },
    ] {
        let data = dataset_of(&other)?;
        let outcome = resume(&model(&data)?, &data, &cfg, &mut Silent);
        let message = outcome.unwrap_err().to_string();
        assert!(message.starts_with("split digest = "), "{message}");
        assert!(message.contains("train_frac"), "{message}");
    }
    for (field, other) in [
        (
            "act_fn",
            TransformerConfig {
                act_fn: Activation::Relu,
                ..first.cfg().clone()
            },
        ),
        (
            "eps",
            TransformerConfig {
                eps: 1e-3,
                ..first.cfg().clone()
            },
        ),
        // Of the same number of parameters, and of the same shapes but two.
        (
            "n_heads",
            TransformerConfig {
                n_heads: 4,
                ..first.cfg().clone()
            },
        ),
    ] {
        let outcome = resume(&Transformer::new(&other)?, &data, &cfg, &mut Silent);
        assert!(
            matches!(outcome, Err(Error::Config { field: found, .. }) if found == field),
            "{field}: {outcome:?}"
        );
    }
    resume(&first, &data, &cfg, &mut Silent)?;
    Ok(())
}

#[test]
fn a_finished_run_can_be_made_longer() -> Result<()> {
    let data = dataset()?;
    let dir = tempfile::tempdir().unwrap();
    let cfg = TrainingConfig {
        run_dir: Some(dir.path().to_owned()),
        ..config()
    };
    let first = train(&model(&data)?, &data, &cfg, &mut Silent)?;
    let cfg = TrainingConfig { steps: 30, ..cfg };
    let history = resume(&model(&data)?, &data, &cfg, &mut Silent)?;
    assert_eq!(history.steps(), 30);
    assert_eq!(history.train_loss[..20], first.train_loss);
    // The longer schedule holds from step 21 on.
    let metrics = RunFolder::metrics(dir.path())?;
    let at_25 = metrics.iter().find(|m| m.step == 25 && m.lr.is_some());
    assert_eq!(at_25.and_then(|m| m.lr), Some(Schedule::new(&cfg).lr(25)));
    Ok(())
}

#[test]
fn evaluation_of_batches_of_any_size_is_the_same_mean() -> Result<()> {
    let data = dataset()?;
    let model = model(&data)?;
    let n = data.val.n_sequences(16);
    assert!(n > 3, "the split holds {n} sequences");
    let whole = evaluate(&model, &data.val, 0, n)?;
    for batch_size in [1, 3, n + 5] {
        let loss = evaluate(&model, &data.val, 0, batch_size)?;
        assert!(
            (loss - whole).abs() < 1e-5,
            "{batch_size}: {loss} is not {whole}"
        );
    }
    assert!(evaluate(&model, &data.val, 0, 0).is_err());
    Ok(())
}
