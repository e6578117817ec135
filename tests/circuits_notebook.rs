//! The calls of `notebooks/circuits.ipynb` in miniature, in its order: known circuits of compiled
//! programs, induction heads that form in training, a checked attribution graph.

use holoscope::prelude::*;

#[test]
fn known_circuits() -> Result<()> {
    let programs = rasp::programs();
    let options = CompileOptions::default();
    let recoveries = compiled_recoveries(&programs[..4], &options, 4, 1)?;
    assert_eq!(recoveries.means().frame()?.height(), 10);
    let n_circuit: usize = recoveries
        .programs
        .iter()
        .map(|p| p.all_edges.n_circuit)
        .sum();
    let n_patterns: usize = recoveries.programs.iter().map(|p| p.n_pattern_edges).sum();
    assert!(n_patterns > 0 && n_patterns < n_circuit);
    assert_eq!(
        Table::new(recoveries.frame()?)
            .mime_bundle()?
            .entries()
            .len(),
        2
    );

    let induction = programs.iter().find(|p| p.name == "induction");
    let compiled = rasp::compile(induction.unwrap(), &options)?;
    let neurons: Vec<Transcoder> = (0..compiled.model.cfg().n_layers)
        .map(|layer| Transcoder::of_mlp(&compiled.model, layer))
        .collect::<Result<_>>()?;
    let tasks = compiled_zero_tasks(&compiled, 4, 1)?;
    let found = edge_graph_influence(&compiled.model, &neurons, &tasks)?;
    let recovery = circuit_recovery(&compiled.edges(), &[found])?;
    assert!(recovery.scores[0].roc_auc > recovery.scores[1].roc_auc);
    Ok(())
}

#[test]
fn induction_heads() -> Result<()> {
    let seed = 1;
    let data = Dataset::of_repeated_tokens(&RepeatedTokens {
        n_symbols: 16,
        n_ctx: 24,
        min_period: 4,
        max_period: 11,
        n_train: 1_000,
        n_val: 32,
        seed,
    })?;
    let model = Transformer::new(&TransformerConfig {
        n_layers: 2,
        d_model: 32,
        n_heads: 2,
        n_ctx: 24,
        d_vocab: data.tokenizer.n_vocab(),
        attn_only: true,
        init_std: 0.05,
        seed,
        ..TransformerConfig::default()
    })?;
    let training = TrainingConfig {
        steps: 30,
        batch_size: 16,
        lr: 5e-3,
        warmup_steps: 5,
        eval_every: 10,
        seed,
        ..TrainingConfig::default()
    };
    let formation = induction_formation(&model, &data, &training, 10)?;
    assert!(formation.points[3].loss < formation.points[0].loss);
    let (from_layer, from_head) = formation.previous_token_head()?;
    let (to_layer, to_head) = formation.induction_head()?;
    assert_eq!((from_layer, to_layer), (0, 1));

    let bos = data.tokenizer.bos();
    let repeated = repeated_random_tokens(&model, 8, 11, Some(bos), seed)?;
    let losses = loss_by_position(&model, &repeated)?;
    assert_eq!(losses.losses.len(), 22);
    let ablations = head_ablations(&model, &repeated, (to_layer, to_head))?;
    ablations.without(from_layer, from_head)?;
    assert_eq!(composition_scores(&model, Composition::K)?.scores.len(), 4);
    assert_eq!(prefix_matching_scores(&model)?.scores.len(), 4);
    assert_eq!(copying_scores(&model)?.scores.len(), 4);
    let tasks = induction_tasks(&model, 4, 11, Some(bos), seed)?;
    let edges = edge_activation_patching(&model, &tasks)?;
    let sender = Sender::Head {
        layer: from_layer,
        head: from_head,
    };
    let receiver = Receiver::Key {
        layer: to_layer,
        head: to_head,
    };
    let path = path_patching(&model, &tasks, sender, receiver)?;
    let same = edges.scores.iter().find(|s| s.edge == path.edge).unwrap();
    assert!((same.score - path.score).abs() < 1e-5);
    Ok(())
}

#[test]
fn a_checked_graph() -> Result<()> {
    let seed = 1;
    let text = Dataset::load(&DataConfig {
        source: CorpusSource::Embedded,
        embedded_bytes: 60_000,
        seed,
        ..DataConfig::default()
    })?;
    let model = Transformer::new(&TransformerConfig {
        n_layers: 2,
        d_model: 32,
        d_mlp: 64,
        n_ctx: 24,
        d_vocab: text.tokenizer.n_vocab(),
        seed,
        ..TransformerConfig::default()
    })?;
    let training = TrainingConfig {
        steps: 20,
        batch_size: 8,
        warmup_steps: 5,
        eval_every: 20,
        eval_batches: 1,
        seed,
        ..TrainingConfig::default()
    };
    train(&model, &text, &training)?;
    let transcoder_config = TranscoderConfig {
        d_sae: 64,
        architecture: Architecture::TopK { k: 8 },
        steps: 20,
        seed,
        ..TranscoderConfig::default()
    };
    let (transcoders, histories) = train_transcoders(&model, &text, &transcoder_config)?;
    assert_eq!((transcoders.len(), histories.len()), (2, 2));
    let prompt = text.tokenizer.decode(&text.val.document(0)[1..9]);
    let tokens = text.tokenizer.to_tokens(&prompt)?;
    let config = AttributionConfig {
        max_features: 64,
        ..AttributionConfig::default()
    };
    let graph = attribution_graph(&model, &transcoders, &tokens, &config)?.named(&text.tokenizer);
    let top = graph.top_features(2);
    if let GraphNodeKind::Feature { layer, feature } = graph.nodes[top[0]].kind {
        let found = max_activating_transcoder(&model, &transcoders[layer], &text.val, feature, 3)?;
        assert_eq!(found.examples.len(), 3);
        assert!(found.examples[0].activation > 0.0);
    }
    let influence = graph.component_influence()?;
    assert_eq!(influence.len(), Edge::all(model.cfg()).len());
    let check = graph.check_interventions(4)?;
    assert_eq!(check.n_interventions, 4);
    let control = control_graph(&model, &tokens, &config, seed + 1, |random| {
        Ok(train_transcoders(random, &text, &transcoder_config)?.0)
    })?;
    assert_eq!(graph.beside(&control, 4)?.frame()?.height(), 2);
    let reading = graph.check_reading(&top)?;
    assert_eq!(reading.feature_names.len(), 2);
    assert!(reading.predicted.is_finite() && reading.measured.is_finite());
    Ok(())
}
