use super::*;

/// A feature as sae_dashboard 0.8 exports it, its activations beside it as Neuronpedia's API returns them.
fn exported() -> Value {
    json!({
        "modelId": "gpt2-small", "layer": "6-res-jb", "index": "650", "creatorId": "c1",
        "createdAt": "2025-01-01T00:00:00", "maxActApprox": 9.5, "hasVector": false, "vector": [],
        "vectorLabel": null, "vectorDefaultSteerStrength": 10, "hookName": null,
        "topkCosSimIndices": [650, 12], "topkCosSimValues": [1.0, 0.4],
        "neuron_alignment_indices": [373], "neuron_alignment_values": [0.15],
        "neuron_alignment_l1": [0.005], "correlated_neurons_indices": [373],
        "correlated_neurons_pearson": [0.3], "correlated_neurons_l1": [0.31],
        "correlated_features_indices": [7, 9], "correlated_features_pearson": [0.25, 0.125],
        "correlated_features_l1": [0.26, 0.13], "neg_str": ["ly"], "neg_values": [-0.75],
        "pos_str": [" king", " </script>"], "pos_values": [1.5, 1.25], "frac_nonzero": 0.01,
        "freq_hist_data_bar_heights": [3, 1], "freq_hist_data_bar_values": [2.375, 7.125],
        "logits_hist_data_bar_heights": [10, 20], "logits_hist_data_bar_values": [-0.5, 0.5],
        "decoder_weights_dist": [], "sourceSetName": null, "umap_x": null,
        "explanations": [{ "description": "royalty", "typeName": "oai_token-act-pair" }],
        "activations": [
            activation(json!([0.0, 9.5, 2.0]), -1.0, 9.5, -1.0, 1),
            activation(json!([0.0, 9.5, 4.0]), 3.8, 5.7, 0.002, 2),
            activation(json!([5.0, 0.0, 0.0]), 3.8, 5.7, 0.002, 0),
        ],
    })
}

fn activation(values: Value, low: f64, high: f64, share: f64, qualifying: usize) -> Value {
    json!({
        "id": "x", "tokens": ["The", " king", "\u{2028}"], "index": "650", "layer": "6-res-jb",
        "modelId": "gpt2-small", "maxValue": 9.5, "maxValueTokenIndex": 1, "minValue": 0.0,
        "values": values, "creatorId": "c1", "dataSource": null, "dataIndex": null, "dfaValues": [],
        "dfaTargetIndex": null, "dfaMaxValue": null, "createdAt": "2025-01-01T00:00:00",
        "lossValues": [], "logitContributions": null, "binMin": low, "binMax": high,
        "binContains": share, "qualifyingTokenIndex": qualifying, "zIndices": null, "zValues": null,
    })
}

fn read(value: &Value) -> Result<NeuronpediaFeature> {
    FeatureDashboard::from_neuronpedia(&value.to_string())
}

#[test]
fn an_export_is_read_whole() {
    let read = read(&exported()).unwrap();
    assert_eq!(
        (read.model_id.as_str(), read.layer.as_str()),
        ("gpt2-small", "6-res-jb")
    );
    let found = read.dashboard;
    assert_eq!((found.feature_id, found.label.as_str()), (650, "royalty"));
    assert_eq!((found.density, found.max_act), (0.01, 9.5));
    // (3 * 2.375 + 7.125) / 4
    assert_eq!(found.mean_act, 3.5625);
    assert_eq!(found.act_histogram.range(), Some((0.0, 9.5)));
    let logits = found.logits.unwrap();
    assert_eq!(
        (logits.top[0].token.as_str(), logits.bottom[0].value),
        (" king", -0.75)
    );
    assert_eq!(found.similar[1].feature_id, 12);
    assert_eq!(
        (found.correlated[0].pearson, found.correlated[0].cosine),
        (0.25, 0.26)
    );
    assert_eq!(found.correlated_neurons[0].index, 373);
    assert_eq!(found.neurons[0].share_of_l1, 0.005);
    let kinds: Vec<_> = found
        .groups
        .iter()
        .map(|g| (g.kind, g.low, g.examples.len()))
        .collect();
    assert_eq!(
        kinds,
        [(ExampleKind::Top, 0.0, 1), (ExampleKind::Interval, 3.8, 2)]
    );
    // The example was chosen for its token, not for the largest value in it.
    assert_eq!(found.groups[1].examples[0].peak_act(), 4.0);
}

#[test]
fn the_top_group_ends_at_its_largest_activation() {
    for end in [json!(-1.0), json!(100.0), json!(null)] {
        let mut export = exported();
        export["activations"][0]["binMax"] = end;
        let found = read(&export).unwrap().dashboard;
        let top = &found.groups[0];
        assert_eq!((top.kind, top.high), (ExampleKind::Top, 9.5));
    }
}

#[test]
fn what_is_written_reads_the_same() {
    let first = read(&exported()).unwrap();
    let text = first
        .dashboard
        .to_neuronpedia(&first.model_id, &first.layer)
        .unwrap();
    let second = FeatureDashboard::from_neuronpedia(&text).unwrap();
    let again = second
        .dashboard
        .to_neuronpedia(&second.model_id, &second.layer)
        .unwrap();
    assert_eq!(text, again);
    // Jaccard indices are NaN, which is not equal to itself.
    assert_eq!(format!("{first:?}"), format!("{second:?}"));
    // Every field that is written and that sae_dashboard writes is as it was.
    let written: Value = serde_json::from_str(&text).unwrap();
    let exported = exported();
    for (field, value) in written.as_object().unwrap() {
        if !["activations", "explanations", "hookName", "vector"].contains(&field.as_str()) {
            let numbers = |v: &Value| {
                v.as_array()
                    .and_then(|v| v.iter().map(Value::as_f64).collect())
            };
            let same: Option<Vec<f64>> = numbers(value);
            match same {
                Some(same) => assert_eq!(Some(same), numbers(&exported[field]), "{field}"),
                None => assert_eq!(value, &exported[field], "{field}"),
            }
        }
    }
    let (old, new) = (&exported["activations"], &written["activations"]);
    for i in 0..3 {
        for (field, value) in new[i].as_object().unwrap() {
            // The export of this test has the same largest value everywhere; ours follows the values.
            if !field.starts_with("max") && field != "minValue" {
                assert_eq!(value, &old[i][field], "{field}");
            }
        }
    }
    assert_eq!(
        (&new[2]["maxValue"], &new[2]["maxValueTokenIndex"]),
        (&json!(5.0), &json!(0))
    );
}

#[test]
fn every_field_is_applied_known_or_refused() {
    let changed = |pointer: &str, field: &str, value: Value| {
        let mut export = exported();
        let object = export
            .pointer_mut(pointer)
            .unwrap()
            .as_object_mut()
            .unwrap();
        object.insert(field.to_owned(), value);
        read(&export).unwrap_err().to_string()
    };
    let cases = [
        ("", "new_field", json!(1), "unknown field \"new_field\""),
        (
            "",
            "decoder_weights_dist",
            json!([0.5]),
            "by attention head, which is not supported",
        ),
        (
            "/activations/1",
            "dfaValues",
            json!([1.0]),
            "direct feature attribution",
        ),
        (
            "/activations/1",
            "other",
            json!(null),
            "unknown field \"other\"",
        ),
        (
            "/activations/1",
            "values",
            json!([1.0]),
            "values of the activation 1 must be as long",
        ),
        (
            "/activations/1",
            "qualifyingTokenIndex",
            json!(3),
            "below the number of tokens",
        ),
        ("", "index", json!("x"), "must be a feature's number"),
        ("", "index", json!(null), "index of the feature is missing"),
        ("", "pos_values", json!([1.0]), "must be as long as pos_str"),
        ("", "pos_str", json!([1, 2]), "must be a list of texts"),
        (
            "",
            "correlated_features_indices",
            json!([0.5, 1]),
            "must be a list of indices",
        ),
        (
            "",
            "correlated_features_l1",
            json!([0.5]),
            "must be as long as correlated",
        ),
        (
            "",
            "freq_hist_data_bar_values",
            json!([1]),
            "must be as long as freq_hist",
        ),
        ("", "frac_nonzero", json!("a"), "must be a number"),
        (
            "",
            "frac_nonzero",
            json!(null),
            "frac_nonzero of the feature is missing",
        ),
        (
            "",
            "explanations",
            json!([{ "description": "a" }, { "description": "b" }]),
            "explanations of the feature must be one at most, the label, but there are 2",
        ),
        (
            "",
            "explanations",
            json!([{ "description": null }]),
            "explanations of the feature must have a description",
        ),
        (
            "",
            "explanations",
            json!(["royalty"]),
            "explanations of the feature must have a description",
        ),
        (
            "",
            "activations",
            json!([1]),
            "activation 0 is not an object",
        ),
    ];
    for (pointer, field, value, expected) in cases {
        let message = changed(pointer, field, value);
        assert!(message.contains(expected), "{field}: {message}");
    }
    assert!(matches!(
        FeatureDashboard::from_neuronpedia("{"),
        Err(Error::Json(_))
    ));
    assert!(FeatureDashboard::from_neuronpedia("[]").is_err());
}

#[test]
fn a_figure_that_json_cannot_hold_is_an_error() {
    let mut feature = read(&exported()).unwrap().dashboard;
    feature.correlated[0].pearson = f64::NAN;
    let error = feature.to_neuronpedia("m", "l").unwrap_err();
    assert!(matches!(error, Error::NotFiniteAt { .. }), "{error}");
}
