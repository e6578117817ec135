//! The training of an autoencoder that was stopped goes on exactly, and only as the run that it was.

#[path = "common/sae_training.rs"]
mod sae_training;
#[path = "common/small_model.rs"]
mod small_model;
#[path = "common/training.rs"]
mod training;

use holoscope::config::{
    Architecture, CorpusSource, DataConfig, SaeConfig, SampleConfig, TransformerConfig,
};
use holoscope::data::Dataset;
use holoscope::interp::reconstruction_score_with;
use holoscope::model::Transformer;
use holoscope::progress::Silent;
use holoscope::sae::{resume_sae_with, train_sae_with};
use holoscope::train::RunFolder;
use holoscope::{Error, Result};
use sae_training::{StopWhenAsked, all_kinds, bytes, cfg, figures, with_own_parameters};
use small_model::small_model;
use std::cell::Cell;
use std::path::Path;
use training::StopAfter;

fn in_folder(cfg: &SaeConfig, dir: &Path) -> SaeConfig {
    SaeConfig {
        run_dir: Some(dir.to_owned()),
        ..cfg.clone()
    }
}

fn after_questions(after: u32) -> StopWhenAsked {
    StopWhenAsked {
        times: Cell::new(0),
        after,
    }
}

#[test]
fn every_kind_goes_on_with_the_bits_of_an_uninterrupted_run() -> Result<()> {
    let (model, data) = small_model();
    let mut moved = 0;
    for cfg in all_kinds() {
        let (whole, expected) = train_sae_with(&model, &data, &cfg, &mut Silent)?;
        moved += expected.resampled.iter().filter(|(_, n)| *n > 0).count();
        // Before the first step; before, at and after a refill of the buffer (every fourth step ends
        // with half of it given out); before and right after a resampling; before the last step.
        for stop in [0, 3, 4, 5, 11, 12, 13, 39] {
            let dir = tempfile::tempdir().unwrap();
            let cfg = in_folder(&cfg, dir.path());
            let (_, first) = match stop {
                // It asks before each run of the model for the first activations.
                0 => {
                    let runs = match cfg.architecture {
                        Architecture::Temporal { .. } => 16,
                        _ => 1,
                    };
                    train_sae_with(&model, &data, &cfg, &mut after_questions(runs))?
                }
                _ => train_sae_with(&model, &data, &cfg, &mut StopAfter::new(stop))?,
            };
            assert!(first.interrupted);
            assert_eq!(first.steps as u64, stop);

            let (sae, history) = resume_sae_with(&model, &data, &cfg, &mut Silent)?;
            let at = format!("{:?}, {:?}, {stop}", cfg.architecture, cfg.constraint);
            assert_eq!(figures(&history), figures(&expected), "{at}");
            assert!(bytes(&sae) == bytes(&whole), "{at}");
            assert!(history.seconds > first.seconds);
        }
    }
    assert!(moved > 10, "features were moved {moved} times");
    Ok(())
}

#[test]
fn what_reads_sequences_goes_on_after_a_crash_is_scored_and_can_be_made_longer() -> Result<()> {
    let (model, data) = small_model();
    let plain = SaeConfig {
        architecture: with_own_parameters().remove(1),
        skip_bos: true,
        ..cfg()
    };
    let (unscored, _) = train_sae_with(&model, &data, &plain, &mut Silent)?;
    let (dir, crashed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let cfg = SaeConfig {
        checkpoint_every: 6,
        score_every: 20,
        ..in_folder(&plain, dir.path())
    };
    let mut reporter = StopAfter::new(23);
    reporter.copy = Some((dir.path().to_owned(), crashed.path().to_owned()));
    let (whole, expected) = train_sae_with(&model, &data, &cfg, &mut reporter)?;
    assert!(bytes(&whole) == bytes(&unscored), "being scored changes it");
    let scores: Vec<usize> = expected.score.iter().map(|score| score.0).collect();
    assert_eq!(scores, [20, 40]);
    assert!(expected.score.iter().all(|score| score.1.is_finite()));
    assert!(expected.resampled.is_empty(), "its paper moves no feature");
    // Batches are whole sequences without their first position: about 64 tokens.
    assert_eq!(expected.tokens % (40 * (model.cfg().n_ctx - 1)), 0);

    let again = in_folder(&cfg, crashed.path());
    let (sae, history) = resume_sae_with(&model, &data, &again, &mut Silent)?;
    assert_eq!(figures(&history), figures(&expected));
    assert!(bytes(&sae) == bytes(&whole));
    let longer = SaeConfig { steps: 47, ..again };
    let (_, history) = resume_sae_with(&model, &data, &longer, &mut Silent)?;
    assert_eq!((history.steps, &history.l2[..40]), (47, &expected.l2[..]));
    Ok(())
}

#[test]
fn a_run_stopped_while_its_buffer_was_filled_goes_on_exactly() -> Result<()> {
    let (model, data) = small_model();
    let cfg = SaeConfig {
        buffer_tokens: 4_096,
        steps: 70,
        ..cfg()
    };
    let (whole, expected) = train_sae_with(&model, &data, &cfg, &mut Silent)?;
    // A run asks before each of the 8 runs of the model that fill the buffer, before each of 33 steps,
    // and before each of the 4 runs that fill it again: in the middle of those.
    let dir = tempfile::tempdir().unwrap();
    let cfg = in_folder(&cfg, dir.path());
    let mut reporter = after_questions(8 + 33 + 2);
    let (_, first) = train_sae_with(&model, &data, &cfg, &mut reporter)?;
    assert!(first.interrupted);
    assert_eq!(first.steps, 32);
    // Stopped again while the buffer is made again: nothing is lost.
    let outcome = resume_sae_with(&model, &data, &cfg, &mut after_questions(2));
    assert!(matches!(outcome, Err(Error::Interrupted { .. })));
    let (sae, history) = resume_sae_with(&model, &data, &cfg, &mut Silent)?;
    assert_eq!(figures(&history), figures(&expected));
    assert!(bytes(&sae) == bytes(&whole));
    Ok(())
}

#[test]
fn a_run_whose_machine_stopped_goes_on_from_its_last_checkpoint_and_can_be_made_longer()
-> Result<()> {
    let (model, data) = small_model();
    let (dir, crashed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let cfg = SaeConfig {
        checkpoint_every: 6,
        ..in_folder(&cfg(), dir.path())
    };
    // After 23 steps the last checkpoint is of step 18.
    let mut reporter = StopAfter::new(23);
    reporter.copy = Some((dir.path().to_owned(), crashed.path().to_owned()));
    let (whole, expected) = train_sae_with(&model, &data, &cfg, &mut reporter)?;
    assert!(!expected.interrupted);
    let (sae, history) =
        resume_sae_with(&model, &data, &in_folder(&cfg, crashed.path()), &mut Silent)?;
    assert_eq!(figures(&history), figures(&expected));
    assert!(bytes(&sae) == bytes(&whole));

    // What is finished is given back as it is, and goes on where there are more steps.
    let (sae, history) = resume_sae_with(&model, &data, &cfg, &mut Silent)?;
    assert_eq!(figures(&history), figures(&expected));
    assert!(bytes(&sae) == bytes(&whole));
    let longer = SaeConfig {
        steps: 55,
        ..cfg.clone()
    };
    let (_, history) = resume_sae_with(&model, &data, &longer, &mut Silent)?;
    assert_eq!(history.steps, 55);
    assert_eq!(history.l2[..40], expected.l2);
    assert_eq!(history.l2.len(), 55);

    // A second run in the folder keeps the first.
    train_sae_with(&model, &data, &cfg, &mut Silent)?;
    let earlier = dir.path().join("earlier");
    let kept = in_folder(&longer, &earlier);
    let (_, history) = resume_sae_with(&model, &data, &kept, &mut Silent)?;
    assert_eq!(history.steps, 55);
    train_sae_with(&model, &data, &cfg, &mut Silent)?;
    let (_, history) = resume_sae_with(&model, &data, &in_folder(&cfg, &earlier), &mut Silent)?;
    assert_eq!(history.steps, 40);
    Ok(())
}

#[test]
fn another_configuration_model_or_text_is_refused_by_name() -> Result<()> {
    let (model, data) = small_model();
    let dir = tempfile::tempdir().unwrap();
    let none = resume_sae_with(&model, &data, &cfg(), &mut Silent);
    assert!(matches!(none, Err(Error::Config { field, .. }) if field == "run_dir"));
    let cfg = in_folder(&cfg(), dir.path());
    let none = resume_sae_with(&model, &data, &cfg, &mut Silent);
    assert!(matches!(none, Err(Error::Io { .. })), "there is no run yet");
    train_sae_with(&model, &data, &cfg, &mut StopAfter::new(9))?;

    type Change = fn(&mut SaeConfig);
    let changes: [(&str, Change); 6] = [
        ("architecture", |c| {
            c.architecture = Architecture::TopK { k: 4 }
        }),
        ("d_sae", |c| c.d_sae = 80),
        ("lr", |c| c.lr = 1e-3),
        ("seed", |c| c.seed = 1),
        ("buffer_tokens", |c| c.buffer_tokens = 1_024),
        ("resample_every", |c| c.resample_every = 0),
    ];
    for (name, change) in changes {
        let mut other = cfg.clone();
        change(&mut other);
        let outcome = resume_sae_with(&model, &data, &other, &mut Silent);
        assert!(
            matches!(outcome, Err(Error::Config { field, .. }) if field == name),
            "{name}: {outcome:?}"
        );
    }
    let message = |model: &Transformer, data: &Dataset| {
        let outcome = resume_sae_with(model, data, &cfg, &mut Silent);
        outcome.unwrap_err().to_string()
    };
    let wider = Transformer::new(&TransformerConfig {
        d_model: 20,
        ..model.cfg().clone()
    })?;
    assert!(message(&wider, &data).contains("d_model = 20"));
    // The same configuration, and one number that is another.
    let (other, _) = small_model();
    let (_, var) = other.named_parameters().remove(0);
    let changed = (var.as_tensor() * 1.5)?;
    var.set(&changed)?;
    assert!(message(&other, &data).starts_with("model digest = "));
    for (embedded_bytes, train_frac, wanted) in [
        (50_000, 0.8, "corpus digest"),
        (60_000, 0.7, "split digest"),
    ] {
        let elsewhere = Dataset::load_with(
            &DataConfig {
                source: CorpusSource::Embedded,
                embedded_bytes,
                train_frac,
                ..DataConfig::default()
            },
            &mut Silent,
        )?;
        let found = message(&model, &elsewhere);
        assert!(found.starts_with(wanted), "{found}");
    }
    resume_sae_with(&model, &data, &cfg, &mut Silent)?;
    Ok(())
}

#[test]
fn a_damaged_checkpoint_is_refused() -> Result<()> {
    let (model, data) = small_model();
    let dir = tempfile::tempdir().unwrap();
    let cfg = in_folder(&cfg(), dir.path());
    train_sae_with(&model, &data, &cfg, &mut StopAfter::new(6))?;
    let path = RunFolder::last(dir.path());
    let whole = std::fs::read(&path).unwrap();
    println!("{} bytes", whole.len());
    let go_on = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        resume_sae_with(&model, &data, &cfg, &mut Silent).map(|_| ())
    };
    // One bit anywhere, from the header's length to the last number, and a file cut short.
    for at in (0..whole.len()).step_by(whole.len() / 60) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        let outcome = go_on(&bytes);
        assert!(outcome.is_err(), "byte {at}");
    }
    for n in [0, 7, 100, whole.len() / 2, whole.len() - 1] {
        let outcome = go_on(&whole[..n]);
        assert!(
            matches!(outcome, Err(Error::Format { .. })),
            "{n}: {outcome:?}"
        );
    }
    go_on(&whole)
}

#[test]
fn the_score_is_the_reconstruction_score_and_changes_nothing() -> Result<()> {
    let (model, data) = small_model();
    let plain = SaeConfig {
        architecture: Architecture::BatchTopK { k: 4.0 },
        ..cfg()
    };
    let scored = SaeConfig {
        score_every: 15,
        ..plain.clone()
    };
    let (without, _) = train_sae_with(&model, &data, &plain, &mut Silent)?;
    let (sae, history) = train_sae_with(&model, &data, &scored, &mut Silent)?;
    assert!(bytes(&sae) == bytes(&without));
    let steps: Vec<usize> = history.score.iter().map(|s| s.0).collect();
    assert_eq!(steps, [15, 30, 40]);
    // Two batches of eight sequences of the validation set, drawn by the seed.
    let hook = &scored.hook_name;
    let wanted = reconstruction_score_with(
        &model,
        &sae,
        hook,
        &data.val,
        &SampleConfig::new(2, 8, scored.seed),
    )?
    .score;
    let found = history.score[2].1;
    assert!((found - wanted).abs() < 1e-5, "{found}, {wanted}");

    let dir = tempfile::tempdir().unwrap();
    let cfg = in_folder(&scored, dir.path());
    train_sae_with(&model, &data, &cfg, &mut StopAfter::new(20))?;
    let (_, resumed) = resume_sae_with(&model, &data, &cfg, &mut Silent)?;
    assert_eq!(figures(&resumed), figures(&history));
    Ok(())
}
