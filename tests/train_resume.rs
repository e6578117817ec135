//! A run that was stopped goes on exactly, and only as the run that it was.

#[path = "common/training.rs"]
mod training;

use holoscope::config::{Activation, DataConfig, TrainingConfig, TransformerConfig};
use holoscope::data::{Corpus, Dataset};
use holoscope::error::{Error, Result};
use holoscope::model::Transformer;
use holoscope::progress::{Reporter, Silent, Tick};
use holoscope::train::{RunFolder, Schedule, resume_with, train_with};
use std::cell::Cell;
use training::{StopAfter, bits, config, dataset, dataset_of, losses, model};

#[test]
fn a_resumed_run_has_the_bits_of_an_uninterrupted_one() -> Result<()> {
    let data = dataset()?;
    let whole = model(&data)?;
    let expected = train_with(&whole, &data, &config(), &mut Silent)?;
    // Before the first step, between two evaluations, right after one.
    for stop in [0, 7, 10] {
        let dir = tempfile::tempdir().unwrap();
        let cfg = TrainingConfig {
            run_dir: Some(dir.path().to_owned()),
            ..config()
        };
        let first = train_with(&model(&data)?, &data, &cfg, &mut StopAfter::new(stop))?;
        assert!(first.interrupted);
        assert_eq!(first.steps() as u64, stop);

        let second = model(&data)?;
        let history = resume_with(&second, &data, &cfg, &mut Silent)?;
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

/// Interrupts from a number of questions on.
struct StopWhenAsked {
    times: Cell<u32>,
    after: u32,
}

impl Reporter for StopWhenAsked {
    fn tick(&mut self, _: &Tick) {}
    fn finish(&mut self, _: &Tick) {}
    fn interrupted(&self) -> bool {
        self.times.set(self.times.get() + 1);
        self.times.get() > self.after
    }
}

#[test]
fn a_run_stopped_while_it_validated_goes_on_exactly() -> Result<()> {
    let data = dataset()?;
    let whole = model(&data)?;
    let expected = train_with(&whole, &data, &config(), &mut Silent)?;
    // A run asks before each of the 2 batches of the first validation, before each of the 5
    // steps to the next one, and before each of the 2 batches of that: in the middle of each.
    for (after, step) in [(1, 0), (8, 5)] {
        let dir = tempfile::tempdir().unwrap();
        let cfg = TrainingConfig {
            run_dir: Some(dir.path().to_owned()),
            ..config()
        };
        let mut reporter = StopWhenAsked {
            times: Cell::new(0),
            after,
        };
        let first = train_with(&model(&data)?, &data, &cfg, &mut reporter)?;
        assert!(first.interrupted);
        assert_eq!(first.steps(), step);
        let second = model(&data)?;
        let history = resume_with(&second, &data, &cfg, &mut Silent)?;
        assert_eq!(losses(&history), losses(&expected), "stopped at {step}");
        assert_eq!(bits(&second)?, bits(&whole)?, "stopped at {step}");
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
    let expected = train_with(&whole, &data, &cfg, &mut reporter)?;

    let cfg = TrainingConfig {
        run_dir: Some(crashed.path().to_owned()),
        ..cfg
    };
    let second = model(&data)?;
    let history = resume_with(&second, &data, &cfg, &mut Silent)?;
    assert_eq!(losses(&history), losses(&expected));
    assert_eq!(bits(&second)?, bits(&whole)?);
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
        let outcome = resume_with(&model(data)?, data, cfg, &mut Silent);
        outcome.map(|_| ())
    };
    assert!(
        matches!(go_on(&cfg, &data), Err(Error::Io { .. })),
        "there is no run yet"
    );
    train_with(&model(&data)?, &data, &cfg, &mut Silent)?;
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
fn a_finished_run_can_be_made_longer() -> Result<()> {
    let data = dataset()?;
    let dir = tempfile::tempdir().unwrap();
    let cfg = TrainingConfig {
        run_dir: Some(dir.path().to_owned()),
        ..config()
    };
    let first = train_with(&model(&data)?, &data, &cfg, &mut Silent)?;
    let cfg = TrainingConfig { steps: 30, ..cfg };
    let history = resume_with(&model(&data)?, &data, &cfg, &mut Silent)?;
    assert_eq!(history.steps(), 30);
    assert_eq!(history.train_loss[..20], first.train_loss);
    // The longer schedule holds from step 21 on.
    let metrics = RunFolder::metrics(dir.path())?;
    let at_25 = metrics.iter().find(|m| m.step == 25 && m.lr.is_some());
    assert_eq!(at_25.and_then(|m| m.lr), Some(Schedule::new(&cfg).lr(25)));
    Ok(())
}

#[test]
fn resuming_on_another_split_is_refused() -> Result<()> {
    let data = dataset()?;
    let dir = tempfile::tempdir().unwrap();
    let cfg = TrainingConfig {
        steps: 2,
        run_dir: Some(dir.path().to_owned()),
        ..config()
    };
    train_with(&model(&data)?, &data, &cfg, &mut Silent)?;
    let changes: [fn(&mut DataConfig); 3] = [
        |cfg| cfg.seed = 1,
        |cfg| cfg.train_frac = 0.7,
        // The training tokens are the same, the validation loss is of others.
        |cfg| cfg.val_frac = 0.2,
    ];
    for change in changes {
        let mut other = DataConfig::default();
        change(&mut other);
        let data = dataset_of(&other)?;
        let outcome = resume_with(&model(&data)?, &data, &cfg, &mut Silent);
        let message = outcome.unwrap_err().to_string();
        assert!(message.starts_with("split digest = "), "{message}");
        assert!(message.contains("train_frac"), "{message}");
    }
    resume_with(&model(&data)?, &data, &cfg, &mut Silent)?;
    Ok(())
}

#[test]
fn resuming_with_another_model_is_refused_by_the_field() -> Result<()> {
    let data = dataset()?;
    let dir = tempfile::tempdir().unwrap();
    let cfg = TrainingConfig {
        steps: 2,
        run_dir: Some(dir.path().to_owned()),
        ..config()
    };
    let first = model(&data)?;
    train_with(&first, &data, &cfg, &mut Silent)?;
    // None of the first two changes a shape.
    type Change = fn(&mut TransformerConfig);
    let changes: [(&str, Change); 3] = [
        ("act_fn", |cfg| cfg.act_fn = Activation::Relu),
        ("eps", |cfg| cfg.eps = 1e-3),
        ("n_heads", |cfg| cfg.n_heads = 4),
    ];
    for (name, change) in changes {
        let mut other = first.cfg().clone();
        change(&mut other);
        let outcome = resume_with(&Transformer::new(&other)?, &data, &cfg, &mut Silent);
        assert!(
            matches!(outcome, Err(Error::Config { field, .. }) if field == name),
            "{name}: {outcome:?}"
        );
    }
    resume_with(&first, &data, &cfg, &mut Silent)?;
    Ok(())
}
