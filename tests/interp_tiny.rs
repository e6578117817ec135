//! What a whole dictionary is like, on tiny models whose right answers are known: autoencoders that
//! copy, that give nothing, or that are random.

#[path = "common/analyses.rs"]
mod analyses;

use analyses::{HOOK, N_CTX, copying, dataset, model, normal, zeros};
use candle_core::{DType, Device, Tensor};
use holoscope::config::SampleConfig;
use holoscope::interp::{
    feature_frequencies_with, random_dictionary, rare_direction, reconstruction_score_with,
};
use holoscope::progress::Silent;
use holoscope::sae::{SparseAutoencoder, StandardSae};
use holoscope::show::Show;

#[test]
fn a_perfect_copy_scores_one_and_silence_scores_zero() {
    let data = dataset();
    let model = model(&data, 16);
    let score = |sae: &StandardSae| {
        reconstruction_score_with(&model, sae, HOOK, &data.test, &SampleConfig::new(2, 4, 7))
            .unwrap()
    };
    let copy = score(&copying(32));
    assert!(
        (copy.recons - copy.loss).abs() < 1e-6 && (copy.score - 1.0).abs() < 1e-4,
        "{copy}"
    );
    assert!((copy.explained_variance - 1.0).abs() < 1e-6 && (copy.l0 - 32.0).abs() < 0.5);
    assert_eq!(copy.n_tokens, 2 * 4 * N_CTX);
    let silent = StandardSae::new(
        normal((32, 8), 1),
        zeros(8),
        Tensor::zeros((8, 32), DType::F32, &Device::Cpu).unwrap(),
        zeros(32),
    )
    .unwrap();
    let nothing = score(&silent);
    assert!(
        (nothing.recons - nothing.zero_abl).abs() < 1e-6,
        "{nothing}"
    );
    assert!(nothing.score.abs() < 1e-4 && nothing.explained_variance <= 0.0);
    assert_eq!(
        nothing.loss, copy.loss,
        "the same seed reads the same batches"
    );
    assert_ne!(nothing.mean_abl, nothing.zero_abl);
}

#[test]
fn an_autoencoder_of_another_width_is_refused_by_name() {
    let data = dataset();
    let model = model(&data, 16);
    let run = |hook: &str| {
        reconstruction_score_with(
            &model,
            &copying(8),
            hook,
            &data.test,
            &SampleConfig::new(1, 2, 0),
        )
    };
    let message = run(HOOK).unwrap_err().to_string();
    assert!(
        message.contains(HOOK) && message.contains("d_in = 8"),
        "{message}"
    );
    assert!(run("blocks.0.attn.hook_pattern").is_err());
    assert!(
        run("blocks.0.mlp.hook_pots")
            .unwrap_err()
            .to_string()
            .contains("hook_post")
    );
}

#[test]
fn frequencies_are_shares_of_active_tokens() {
    let data = dataset();
    let model = model(&data, 16);
    let sae = copying(32);
    let f = feature_frequencies_with(
        &model,
        &sae,
        HOOK,
        &data.test,
        &SampleConfig::new(3, 4, 1),
        &mut Silent,
    )
    .unwrap();
    assert_eq!((f.n_features(), f.n_tokens), (64, 3 * 4 * N_CTX));
    // relu(x) and relu(-x): exactly one of the two is active, save where x is 0.
    for i in 0..32 {
        assert!((f.freq[i] + f.freq[i + 32] - 1.0).abs() < 0.02, "{i}");
    }
    assert!((f.l0 - 32.0).abs() < 0.1);
    let again = feature_frequencies_with(
        &model,
        &sae,
        HOOK,
        &data.test,
        &SampleConfig::new(3, 4, 1),
        &mut Silent,
    )
    .unwrap();
    assert_eq!(f, again);
    let all = feature_frequencies_with(
        &model,
        &sae,
        HOOK,
        &data.test,
        &SampleConfig::new(0, 4, 1),
        &mut Silent,
    )
    .unwrap();
    assert!(all.n_tokens >= data.test.n_sequences(N_CTX) * N_CTX);
    let live = format!("among the {} live features", f.n_features() - f.n_dead());
    assert!(f.bimodality(0).unwrap().verdict().contains(&live));
    assert!(f.mime_bundle().unwrap().get("image/svg+xml").is_some());
}

#[test]
fn rare_features_of_one_direction_are_told_from_scattered_ones() {
    let (d_in, d_sae, n_rare) = (64, 200, 40);
    let scattered = normal((d_in, d_sae), 3);
    let shared = normal((d_in, 1), 4).affine(3.0, 0.0).unwrap();
    let alike = Tensor::cat(
        &[
            &scattered
                .narrow(1, 0, n_rare)
                .unwrap()
                .broadcast_add(&shared)
                .unwrap(),
            &scattered.narrow(1, n_rare, d_sae - n_rare).unwrap(),
        ],
        1,
    )
    .unwrap();
    let freq: Vec<f64> = (0..d_sae)
        .map(|i| if i < n_rare { 1e-5 } else { 1e-2 })
        .collect();
    let run = |w: &Tensor, freq: &[f64]| {
        let w_dec = w.t().unwrap().contiguous().unwrap();
        let sae = StandardSae::new(w.clone(), zeros(d_sae), w_dec, zeros(d_in)).unwrap();
        rare_direction(&sae, freq, 1e-4, 5).unwrap()
    };
    let one = run(&alike, &freq);
    assert!(
        one.share_one_direction() && one.mean_cos_rare > 0.9,
        "{one}"
    );
    assert_eq!((one.n_rare, one.aligned_share(0.5)), (n_rare, 1.0));
    let none = run(&scattered, &freq);
    assert!(!none.share_one_direction(), "{none}");
    // A random vector is part of its own mean: about 1/sqrt(40) = 0.158.
    assert!((none.null_random.median - 0.158).abs() < 0.01, "{none}");
    assert!((none.mean_cos_rare - 0.158).abs() < 0.05 && none.mean_cos_others.abs() < 0.05);
    // None of them is dead: nothing to leave out.
    assert_eq!(none.n_dead, 0);
    assert!((none.mean_cos_alive - none.mean_cos_rare).abs() < 1e-9);
    // The alike features are dead, as many others rare and scattered: only with the dead is
    // there a direction.
    let half_dead: Vec<f64> = (0..d_sae)
        .map(|i| {
            if i < n_rare {
                0.0
            } else if i < 2 * n_rare {
                1e-5
            } else {
                1e-2
            }
        })
        .collect();
    let mixed = run(&alike, &half_dead);
    assert_eq!((mixed.n_rare, mixed.n_dead), (2 * n_rare, n_rare));
    assert!(
        mixed.mean_cos_rare > mixed.null_random.high
            && mixed.mean_cos_alive < mixed.mean_cos_rare
            && (mixed.null_random_alive.median - 0.158).abs() < 0.01,
        "{mixed}"
    );
    assert!(
        mixed
            .verdict()
            .contains("Without the 40 dead ones, the 40 rare features left")
    );
    let no_rare = run(&scattered, &vec![0.5; d_sae]);
    assert!(no_rare.n_rare == 0 && no_rare.verdict().contains("too few"));
    for shown in [one, none, no_rare] {
        shown.mime_bundle().unwrap();
    }
}

#[test]
fn a_random_dictionary_is_as_sparse_as_it_is_told_to_be() {
    let data = dataset();
    let model = model(&data, 16);
    let sae = random_dictionary(&model, HOOK, &data.train, (32, 100), 9.0, 3).unwrap();
    let f = feature_frequencies_with(
        &model,
        &sae,
        HOOK,
        &data.train,
        &SampleConfig::new(0, 8, 1),
        &mut Silent,
    )
    .unwrap();
    assert!((f.l0 - 9.0).abs() < 0.5, "{f}");
    let (low, high) = f
        .freq
        .iter()
        .fold((1.0, 0.0f64), |(l, h), &v| (v.min(l), v.max(h)));
    assert!(low > 0.05 && high < 0.14, "{low} {high}");
    let too_many = random_dictionary(&model, HOOK, &data.train, (32, 100), 100.0, 3);
    assert!(too_many.is_err());
}

#[test]
fn a_random_dictionary_has_the_gain_of_least_squared_error() {
    let data = dataset();
    let model = model(&data, 16);
    let sae = random_dictionary(&model, HOOK, &data.train, (32, 100), 9.0, 3).unwrap();
    let explained = |gain: f64| {
        let scaled = StandardSae::new(
            (&sae.w_enc * gain).unwrap(),
            (&sae.b_enc * gain).unwrap(),
            sae.w_dec.clone(),
            sae.b_dec.clone(),
        )
        .unwrap();
        // The seed and the batches that the dictionary itself has seen.
        let n = 1_024 / N_CTX;
        reconstruction_score_with(
            &model,
            &scaled,
            HOOK,
            &data.train,
            &SampleConfig::new(5, n, 3),
        )
        .unwrap()
        .explained_variance
    };
    let best = explained(1.0);
    for gain in [0.8, 0.9, 1.1, 1.25] {
        assert!(explained(gain) < best, "{gain}: {} {best}", explained(gain));
    }
    // The directions have unit length, so that the gain is the encoder's length.
    let length = |t: &Tensor, axis: usize| {
        let squares = t.sqr().unwrap().sum(axis).unwrap();
        squares.sqrt().unwrap().to_vec1::<f32>().unwrap()
    };
    assert!(
        length(&sae.w_dec(), 1)
            .iter()
            .all(|n| (n - 1.0).abs() < 1e-5)
    );
    let gain = length(&sae.w_enc(), 0)[0];
    println!("gain {gain}, explained variance {best}");
    assert!(best > 0.0 && best > explained(1.0 / f64::from(gain)));
}
