//! A sweep in one pass gives what each configuration gives alone, bit for bit.

#[path = "common/sae_training.rs"]
mod sae_training;
#[path = "common/small_model.rs"]
mod small_model;
#[path = "common/training.rs"]
mod training;

use holoscope::config::{Architecture, SaeConfig};
use holoscope::progress::Silent;
use holoscope::sae::{
    SaeSweep, SparseAutoencoder, resume_sae_with, resume_saes_with, train_sae_with, train_saes_with,
};
use holoscope::show::Show;
use holoscope::{Error, Result};
use sae_training::{
    StopWhenAsked, all_kinds, architectures, bytes, cfg, figures, with_own_parameters,
};
use small_model::small_model;
use std::cell::Cell;
use std::path::Path;
use training::StopAfter;

/// Every kind, each with its own width, rate, number of steps and rule for dead features.
fn mixed() -> Vec<SaeConfig> {
    let mut cfgs = all_kinds();
    for (i, cfg) in cfgs.iter_mut().enumerate() {
        cfg.d_sae = [64, 96, 80][i % 3];
        cfg.lr *= 1.0 + 0.1 * i as f64;
        cfg.steps = 20 + 7 * (i % 4);
        cfg.resample_every = [0, 5, 9, 12][i % 4];
        cfg.dead_steps = 1 + i % 3;
        cfg.log_every = 1 + i % 5;
        cfg.init_active = 0.03 + 0.01 * (i % 4) as f64;
    }
    cfgs
}

#[test]
fn each_of_a_sweep_has_the_bits_of_a_run_of_its_own() -> Result<()> {
    let (model, data) = small_model();
    let cfgs = mixed();
    let sweep = train_saes_with(&model, &data, &cfgs, &mut Silent)?;
    assert_eq!(sweep.runs.len(), cfgs.len());
    let mut moved = 0;
    for (run, cfg) in sweep.runs.iter().zip(&cfgs) {
        let (sae, history) = train_sae_with(&model, &data, cfg, &mut Silent)?;
        let kind = format!("{:?}, {:?}", cfg.architecture, cfg.constraint);
        assert_eq!(run.cfg, *cfg);
        assert_eq!(figures(&run.history), figures(&history), "{kind}");
        assert!(bytes(&run.sae) == bytes(&sae), "{kind}");
        assert_eq!((history.steps, sae.d_sae()), (cfg.steps, cfg.d_sae));
        moved += history.resampled.iter().filter(|(_, n)| *n > 0).count();
    }
    assert!(moved > 5, "features were moved {moved} times");
    Ok(())
}

#[test]
fn a_sweep_runs_the_model_as_often_as_one_of_its_runs() -> Result<()> {
    let (model, data) = small_model();
    let cfgs = vec![cfg(); 8];
    // The loop asks whether to stop once before each step and once before each run of the model.
    let asked = |cfgs: &[SaeConfig]| -> Result<u32> {
        let mut reporter = StopWhenAsked {
            times: Cell::new(0),
            after: u32::MAX,
        };
        train_saes_with(&model, &data, cfgs, &mut reporter)?;
        Ok(reporter.times.get())
    };
    let one = asked(&cfgs[..1])?;
    assert_eq!(asked(&cfgs)?, one);
    // A pool of 512 rows, half of it new every 4 of 40 steps, by runs of 512: at least 5 more.
    assert!(one as usize > cfgs[0].steps + 5, "{one}");
    Ok(())
}

#[test]
fn what_all_must_share_is_checked_by_name() {
    let (model, data) = small_model();
    let outcome = |cfgs: &[SaeConfig]| train_saes_with(&model, &data, cfgs, &mut Silent);
    assert!(matches!(outcome(&[]), Err(Error::Argument { .. })));
    type Change = fn(&mut SaeConfig);
    let changes: [(&str, Change); 8] = [
        ("hook_name", |c| {
            c.hook_name = "blocks.0.mlp.hook_pre".to_owned()
        }),
        ("d_in", |c| c.d_in = 16),
        ("batch_size", |c| c.batch_size = 32),
        ("buffer_tokens", |c| c.buffer_tokens = 1_024),
        ("skip_bos", |c| c.skip_bos = true),
        ("seed", |c| c.seed = 1),
        ("normalize_activations", |c| c.normalize_activations = false),
        // Out of range in itself.
        ("lr", |c| c.lr = f64::NAN),
    ];
    for (name, change) in changes {
        let mut other = cfg();
        change(&mut other);
        let error = outcome(&[cfg(), cfg(), other]).unwrap_err();
        assert!(
            matches!(&error, Error::Config { field, .. } if *field == name),
            "{name}: {error}"
        );
        if name != "lr" {
            assert!(error.to_string().contains("configuration 2"), "{error}");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let same = in_folder(&cfg(), dir.path());
    let error = outcome(&[same.clone(), same]).unwrap_err();
    assert!(
        matches!(&error, Error::Config { field, .. } if *field == "run_dir"),
        "{error}"
    );
}

#[test]
fn a_loss_that_is_no_number_says_whose_it_is() {
    let (model, data) = small_model();
    let wild = SaeConfig { lr: 1e30, ..cfg() };
    let error = train_saes_with(&model, &data, &[cfg(), wild], &mut Silent).unwrap_err();
    assert!(matches!(error, Error::NotFinite { .. }), "{error}");
    assert!(error.to_string().contains("of configuration 1"), "{error}");
}

fn in_folder(cfg: &SaeConfig, dir: &Path) -> SaeConfig {
    SaeConfig {
        run_dir: Some(dir.to_owned()),
        ..cfg.clone()
    }
}

fn same(found: &SaeSweep, wanted: &SaeSweep) {
    for (found, wanted) in found.runs.iter().zip(&wanted.runs) {
        assert_eq!(figures(&found.history), figures(&wanted.history));
        assert!(bytes(&found.sae) == bytes(&wanted.sae), "{:?}", found.cfg);
    }
}

#[test]
fn a_sweep_that_was_stopped_goes_on_together_or_one_by_one() -> Result<()> {
    let (model, data) = small_model();
    let mut cfgs = mixed();
    // Eight that read the buffer, matching pursuit, and the temporal autoencoder, which reads sequences.
    cfgs.drain(8..cfgs.len() - 2);
    let whole = train_saes_with(&model, &data, &cfgs, &mut Silent)?;
    let dir = tempfile::tempdir().unwrap();
    let cfgs: Vec<SaeConfig> = cfgs
        .iter()
        .enumerate()
        .map(|(i, cfg)| in_folder(cfg, &dir.path().join(i.to_string())))
        .collect();
    // The first has 20 steps and is done; the others have up to 41.
    let stopped = train_saes_with(&model, &data, &cfgs, &mut StopAfter::new(23))?;
    assert!(!stopped.runs[0].history.interrupted);
    assert!(stopped.runs[1..4].iter().all(|run| run.history.interrupted));
    assert_eq!(stopped.runs[3].history.steps, 23);
    // One goes on alone, a little, so that the others are behind it.
    let third = &cfgs[3..4];
    let (_, alone) = resume_sae_with(&model, &data, &third[0], &mut StopAfter::new(28))?;
    assert_eq!(alone.steps, 28);
    // Stopped again before the others have come as far: what waits keeps its checkpoint.
    let stopped = resume_saes_with(&model, &data, &cfgs, &mut StopAfter::new(25))?;
    assert_eq!(stopped.runs[3].history.steps, 28);
    assert!(stopped.runs[4..].iter().any(|run| run.history.steps == 25));
    let resumed = resume_saes_with(&model, &data, &cfgs, &mut Silent)?;
    same(&resumed, &whole);
    // All are done: they are given back as they are.
    same(
        &resume_saes_with(&model, &data, &cfgs, &mut Silent)?,
        &whole,
    );
    Ok(())
}

#[test]
fn a_sweep_is_a_table_and_a_chart() -> Result<()> {
    let (model, data) = small_model();
    let mut cfgs: Vec<SaeConfig> = [2, 4, 8, 16]
        .map(|k| SaeConfig {
            architecture: Architecture::TopK { k },
            steps: 100,
            ..cfg()
        })
        .into();
    let all = architectures().into_iter().chain(with_own_parameters());
    cfgs.extend(all.map(|architecture| SaeConfig {
        architecture,
        steps: 60,
        score_every: 60,
        ..cfg()
    }));
    let sweep = train_saes_with(&model, &data, &cfgs, &mut Silent)?;
    println!("{sweep}");
    let rows = sweep.rows();
    assert_eq!(rows.len(), 13);
    for (row, k) in rows.iter().zip([2.0, 4.0, 8.0, 16.0]) {
        assert_eq!((row.sparsity, row.score), (k, None));
        assert!(row.l0 <= k && row.l0 > 0.7 * k, "{row:?}");
        let history = &sweep.runs[row.run].history.explained_variance;
        let late: f64 = history[90..].iter().map(|e| e.1).sum::<f64>() / 10.0;
        assert!((row.explained_variance - late).abs() < 1e-12);
    }
    let explained: Vec<f64> = rows[..4].iter().map(|r| r.explained_variance).collect();
    assert!(explained.is_sorted(), "{explained:?}");
    assert!(
        rows[4..]
            .iter()
            .all(|row| row.score.is_some_and(f64::is_finite))
    );
    let frame = sweep.frame()?;
    assert_eq!(frame.shape(), (13, 12));
    let bundle = sweep.mime_bundle()?;
    let svg = bundle.get("image/svg+xml").unwrap();
    for wanted in [
        "topk",
        "gated",
        "matryoshka_batchtopk",
        "L0",
        "explained variance",
        ">16<",
    ] {
        assert!(svg.contains(wanted), "{wanted}");
    }
    assert!(
        bundle
            .get("text/plain")
            .unwrap()
            .contains("13 autoencoders")
    );
    Ok(())
}
