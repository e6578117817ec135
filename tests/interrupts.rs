//! Every loop of the library that can take seconds ends within one of the user's interrupt, and
//! returns what it has or an error that says so.
//!
//! One test, in a process of its own: the interrupt is a signal, and its flag is the process's.

#[path = "common/analyses.rs"]
mod analyses;

use analyses::{HOOK, copying, dataset, model};
use holoscope::config::{SaeConfig, SampleConfig, TrainingConfig, TranscoderConfig};
use holoscope::error::{Error, Result};
use holoscope::host::holoscope_after_cell;
use holoscope::interp::{
    bimodality, factor_recovery_with, feature_frequencies_with, feature_tokens,
    interpretable_features_with, random_dictionary, rare_direction, reconstruction_score_with,
    replacement_scores, top_activations,
};
use holoscope::model::GenerateConfig;
use holoscope::sae::{train_sae_with, train_transcoders_with};
use holoscope::show::{NotebookReporter, Show};
use holoscope::susy::{Sector, garden_space};
use holoscope::train::{evaluate_with, train_with};
use std::time::{Duration, Instant};

/// What a loop gave.
#[derive(Debug, PartialEq)]
enum Gave {
    /// As much as it had.
    Part,
    Interrupted,
    Whole,
}

/// A result that may be a part, and whether it is.
fn part<T>(result: Result<T>, is_part: impl FnOnce(&T) -> bool) -> Result<Gave> {
    match result {
        Ok(value) if is_part(&value) => Ok(Gave::Part),
        Ok(_) => Ok(Gave::Whole),
        Err(Error::Interrupted { .. }) => Ok(Gave::Interrupted),
        Err(error) => Err(error),
    }
}

/// Runs a loop that would take far longer and interrupts it after a while, as the kernel does.
fn interrupted_after(ms: u64, name: &str, run: &dyn Fn() -> Result<Gave>) -> Gave {
    let signal = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(ms));
        // SAFETY: the process has a handler for it, which the first reporter installed.
        unsafe { libc::kill(libc::getpid(), libc::SIGINT) };
        Instant::now()
    });
    let gave = run().unwrap_or_else(|error| panic!("{name}: {error}"));
    let asked = signal.join().unwrap();
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(1), "{name} went on for {took:?}");
    // The cell is over.
    holoscope_after_cell();
    assert!(!holoscope::show::interrupted());
    println!("{name}: {gave:?}, {took:?} after the interrupt");
    gave
}

#[test]
fn every_loop_ends_within_a_second_of_an_interrupt() {
    // In the kernel an interrupt lasts until the cell is over.
    // SAFETY: this process has no other test, and no thread of its own yet.
    unsafe { std::env::set_var("HOLOSCOPE_KERNEL", "test") };
    let reporter = NotebookReporter::new;
    let data = dataset();
    let model = model(&data, 16);
    let sae = copying(32);
    const MANY: usize = 10_000_000;

    let training = TrainingConfig {
        steps: MANY,
        eval_every: MANY,
        eval_batches: 1,
        ..TrainingConfig::default()
    };
    let gave = interrupted_after(300, "train", &|| {
        part(train_with(&model, &data, &training, &mut reporter()), |h| {
            h.interrupted && h.steps() > 0
        })
    });
    assert_eq!(gave, Gave::Part);
    let sae_cfg = SaeConfig {
        hook_name: HOOK.to_owned(),
        d_in: 32,
        d_sae: 64,
        steps: MANY,
        batch_size: 64,
        buffer_tokens: 4_096,
        ..SaeConfig::default()
    };
    let gave = interrupted_after(600, "train_sae", &|| {
        part(
            train_sae_with(&model, &data, &sae_cfg, &mut reporter()),
            |r| r.1.interrupted && r.1.steps > 0,
        )
    });
    assert_eq!(gave, Gave::Part);
    let filling = SaeConfig {
        buffer_tokens: MANY,
        ..sae_cfg.clone()
    };
    let gave = interrupted_after(300, "train_sae while its buffer is filled", &|| {
        part(
            train_sae_with(&model, &data, &filling, &mut reporter()),
            |_| false,
        )
    });
    assert_eq!(gave, Gave::Interrupted);
    let of_mlps = TranscoderConfig {
        d_sae: 64,
        steps: MANY,
        batch_size: 64,
        buffer_tokens: 4_096,
        ..TranscoderConfig::default()
    };
    let gave = interrupted_after(600, "train_transcoders", &|| {
        part(
            train_transcoders_with(&model, &data, &of_mlps, &mut reporter()),
            |r| r.1.iter().all(|h| h.interrupted && h.steps > 0),
        )
    });
    assert_eq!(gave, Gave::Part);
    let few = TranscoderConfig {
        steps: 1,
        ..of_mlps.clone()
    };
    let (transcoders, _) = train_transcoders_with(&model, &data, &few, &mut reporter()).unwrap();
    let gave = interrupted_after(200, "replacement_scores", &|| {
        let scores = replacement_scores(&model, &transcoders, &data.test, MANY, 4, 7);
        part(scores, |s| s.n_tokens > 0)
    });
    assert_eq!(gave, Gave::Part);

    let gave = interrupted_after(200, "feature_frequencies", &|| {
        let found = feature_frequencies_with(
            &model,
            &sae,
            HOOK,
            &data.train,
            &SampleConfig::new(MANY, 4, 7),
            &mut reporter(),
        );
        part(found, |f| f.n_tokens > 0)
    });
    assert_eq!(gave, Gave::Part);
    let gave = interrupted_after(200, "reconstruction_score", &|| {
        let score = reconstruction_score_with(
            &model,
            &sae,
            HOOK,
            &data.test,
            &SampleConfig::new(MANY, 4, 7),
        );
        part(score, |s| s.n_tokens > 0 && (s.score - 1.0).abs() < 1e-3)
    });
    assert_eq!(gave, Gave::Part);
    let gave = interrupted_after(200, "generate", &|| {
        let cfg = GenerateConfig {
            max_new_tokens: MANY,
            ..GenerateConfig::default()
        };
        part(model.generate(&[0], &cfg), |tokens| tokens.len() > 1)
    });
    assert_eq!(gave, Gave::Part);
    let sequences = data.train.sequences(20, 24, model.device()).unwrap();
    let tokens = sequences.repeat((5_000, 1)).unwrap();
    let gave = interrupted_after(300, "top_activations", &|| {
        let table = top_activations(&model, &sae, HOOK, &data.tokenizer, &tokens, 3, 5);
        part(table, |table| {
            let shown = table.mime_bundle().unwrap();
            shown
                .get("text/html")
                .unwrap()
                .contains("interrupted after")
        })
    });
    assert_eq!(gave, Gave::Part);
    let text = "The king saw the cat. ".repeat(200_000);
    let gave = interrupted_after(2_000, "feature_tokens", &|| {
        let view = feature_tokens(&model, &sae, HOOK, &data.tokenizer, &text, 3, None);
        part(view, |view| view.title.contains("interrupted"))
    });
    assert_eq!(gave, Gave::Part);

    // Rare directions, draws of a null: 200 times 4,096 directions of 1,024 numbers.
    let wide = copying(2_048);
    let freq = vec![1e-5; 4_096];
    let gave = interrupted_after(1_500, "rare_direction", &|| {
        part(rare_direction(&wide, &freq, 1e-4, 7), |_| false)
    });
    assert_eq!(gave, Gave::Interrupted);
    let values: Vec<f64> = (0..200_000).map(|i| f64::from(i % 7_919)).collect();
    let gave = interrupted_after(2_500, "bimodality", &|| {
        part(bimodality(&values, 7), |_| false)
    });
    assert_eq!(gave, Gave::Interrupted);
    let gave = interrupted_after(50, "evaluate", &|| {
        let mut all = Ok(0.0);
        // A split as short as this one is over soon, mostly: over and over.
        while all.is_ok() {
            all = evaluate_with(&model, &data.train, 0, 1);
        }
        part(all, |_| false)
    });
    assert_eq!(gave, Gave::Interrupted);

    let space = garden_space(4, 4).unwrap();
    let gave = interrupted_after(100, "gadget_counts_by_pairs", &|| {
        let mut all = space.gadget_counts_by_pairs(Sector::Fermionic);
        // A second on a fast machine.
        while all.is_ok() {
            all = space.gadget_counts_by_pairs(Sector::Fermionic);
        }
        part(all, |_| false)
    });
    assert_eq!(gave, Gave::Interrupted);

    let gave = interrupted_after(20, "random_dictionary", &|| {
        let mut all = Ok(());
        while all.is_ok() {
            all = random_dictionary(&model, HOOK, &data.train, (32, 512), 8.0, 7).map(|_| ());
        }
        part(all, |_| false)
    });
    assert_eq!(gave, Gave::Interrupted);
    // The search for predicates ends soon after an interrupt, with the features seen until then.
    let gave = interrupted_after(20, "interpretable_features", &|| loop {
        let found = interpretable_features_with(
            &model,
            &sae,
            HOOK,
            &data.tokenizer,
            &data.val,
            5,
            &mut reporter(),
        );
        if found.is_err() || holoscope::show::interrupted() {
            return part(found, |f| f.n_tokens > 0);
        }
    });
    assert_eq!(gave, Gave::Part);
    assert!(factor_recovery_with(&model, &sae, HOOK, &data.val, &mut reporter()).is_err());
}
