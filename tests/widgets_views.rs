//! What the interactive views answer, beside the functions of the library that compute the same.

#[path = "common/analyses.rs"]
mod analyses;

use analyses::{HOOK, dataset, model, normal, zeros};
use candle_core::IndexOp;
use holoscope::config::{CorpusSource, DataConfig, TransformerConfig};
use holoscope::data::{Dataset, Tokenizer};
use holoscope::interp::HookedSae;
use holoscope::interp::neuroscope::NeuroscopeModel;
use holoscope::model::Transformer;
use holoscope::sae::{
    AbsTopKSae, GatedSae, JumpReLUSae, Sae, StandardSae, TemporalAttention, TemporalSae, TopKSae,
};
use holoscope::show::Show;
use holoscope::widgets::{Widget, attention_view, feature_browser, neuroscope};
use serde_json::{Value, json};

const TEXT: &str = "The king saw the old king and went home,\nand so the day went by.\nThe cat saw the old cat and went home";

fn hooked() -> (HookedSae, holoscope::data::Dataset) {
    let data = dataset();
    let model = model(&data, 16);
    let sae = StandardSae::new(
        normal((32, 48), 1),
        zeros(48),
        normal((48, 32), 2),
        zeros(32),
    );
    let sae = sae.unwrap();
    let hooked = HookedSae::at(HOOK, &model, sae, &data.tokenizer).unwrap();
    (hooked, data)
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let one = |b: &[u8]| f32::from_le_bytes(b.try_into().unwrap());
    bytes.chunks_exact(4).map(one).collect()
}

/// Asks as a view does: some keys and the next number.
fn ask(view: &Widget, keys: &[(&str, Value)]) {
    let next = view.get("request").as_i64().unwrap() + 1;
    let keys = keys.iter().map(|(key, value)| (*key, value.clone().into()));
    view.set_all(keys.chain([("request", next.into())]));
    assert_eq!(view.get("answered"), next);
    assert_eq!(view.get("error"), Value::Null);
}

#[test]
fn a_neuroscope_answers_what_feature_tokens_and_top_logits_say() {
    let (hooked, data) = hooked();
    let scope = neuroscope(&hooked).unwrap().corpus(&data.val).unwrap();
    let view = scope.widget();
    ask(&view, &[("text", TEXT.into()), ("index", 5.into())]);
    let values = floats(&view.bytes("values"));
    let shown = hooked.feature_tokens(TEXT, 5).unwrap();
    // `TokenView`'s plain form says the same activations with their own number of digits.
    let html = shown.mime_bundle().unwrap();
    assert!(html.get("text/html").is_some());
    assert_eq!(values.len(), hooked.tokenizer.encode(TEXT).len());
    assert_eq!(view.get("tokens").as_array().unwrap().len(), values.len());
    // By hand: the stretch behind a BOS, the first that fits the context.
    let ids = hooked.tokenizer.encode(TEXT);
    let stretch = hooked.model.cfg().n_ctx - 1;
    let mut by_hand = Vec::new();
    for part in ids.chunks(stretch) {
        let row = [&[hooked.tokenizer.bos()], part].concat();
        let row = candle_core::Tensor::from_slice(&row, (1, row.len()), hooked.model.device());
        let acts = hooked.feature_acts(&row.unwrap()).unwrap();
        by_hand.extend(acts.i((0, 1.., 5)).unwrap().to_vec1::<f32>().unwrap());
    }
    // One feature is encoded without the others, equal to rounding.
    assert_eq!(values.len(), by_hand.len());
    for (one, all) in values.iter().zip(&by_hand) {
        assert!((one - all).abs() <= 1e-5 * all.abs(), "{one} and {all}");
    }
    let top = hooked.top_logits(5).unwrap();
    let logits = hooked.feature_logits(5).unwrap().to_vec1::<f32>().unwrap();
    let best = logits.iter().copied().fold(f32::MIN, f32::max);
    let first = &view.get("top_tokens")[0];
    assert!((first["value"].as_f64().unwrap() - f64::from(best)).abs() < 1e-5);
    assert_eq!(top.feature_id, 5);
    let density = hooked.feature_frequencies(&data.val).unwrap().freq[5];
    assert!((view.get("density").as_f64().unwrap() - density).abs() < 1e-12);
}

#[test]
fn a_neuroscope_lists_what_is_most_active_on_a_token_and_what_it_adds_to_the_logits() {
    let (hooked, _) = hooked();
    let view = neuroscope(&hooked).unwrap().widget();
    ask(&view, &[("text", TEXT.into()), ("selected", 3.into())]);
    let breakdown = view.get("breakdown");
    let rows = breakdown.as_array().unwrap();
    assert!(!rows.is_empty());
    let values: Vec<f64> = rows.iter().map(|r| r["value"].as_f64().unwrap()).collect();
    assert!(values.is_sorted_by(|a, b| a.abs() >= b.abs()), "{values:?}");
    let feature = rows[0]["index"].as_u64().unwrap() as usize;
    let logits = hooked
        .feature_logits(feature)
        .unwrap()
        .to_vec1::<f32>()
        .unwrap();
    let best = logits.iter().copied().fold(f32::MIN, f32::max);
    let told = rows[0]["logits"][0]["contribution"].as_f64().unwrap();
    assert!((told - values[0] * f64::from(best)).abs() < 1e-4, "{told}");
    ask(&view, &[("selected", (-1).into())]);
    assert_eq!(view.get("breakdown"), Value::Array(Vec::new()));
}

#[test]
fn a_search_finds_the_feature_that_promotes_a_token_most() {
    let (hooked, _) = hooked();
    let view = neuroscope(&hooked).unwrap().widget();
    let word = "king";
    ask(&view, &[("query", word.into())]);
    let matches = view.get("matches");
    let found = matches[0]["index"].as_u64().expect("something is found") as usize;
    let value = matches[0]["value"].as_f64().unwrap();
    // The token that was looked for is one of those that the word is alone.
    let spaced = format!(" {word}");
    let ids: Vec<u32> = [word, spaced.as_str()]
        .iter()
        .map(|text| hooked.tokenizer.encode(text))
        .filter(|ids| ids.len() == 1)
        .map(|ids| ids[0])
        .collect();
    let of = |feature: usize| {
        let logits = hooked
            .feature_logits(feature)
            .unwrap()
            .to_vec1::<f32>()
            .unwrap();
        ids.iter()
            .map(|&id| logits[id as usize])
            .fold(f32::MIN, f32::max)
    };
    let best = (0..48).max_by(|&a, &b| of(a).total_cmp(&of(b))).unwrap();
    assert_eq!(found, best);
    assert!((value - f64::from(of(best))).abs() < 1e-5);
}

#[test]
fn a_model_without_an_autoencoder_has_neurons_heads_and_dimensions() {
    let (hooked, data) = hooked();
    let view = neuroscope((&hooked.model, &data.tokenizer))
        .unwrap()
        .widget();
    let units: Vec<Value> = view
        .get("directions")
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["unit"].clone())
        .collect();
    assert_eq!(units[..3], ["neuron", "head", "dimension"]);
    ask(
        &view,
        &[
            ("text", TEXT.into()),
            ("direction", 1.into()),
            ("index", 0.into()),
        ],
    );
    let norms = floats(&view.bytes("values"));
    assert!(norms.iter().all(|norm| *norm >= 0.0 && norm.is_finite()));
    // What is out of range is answered with what there is.
    ask(
        &view,
        &[("direction", 99.into()), ("index", 1_000_000.into())],
    );
    let last = view.get("direction").as_u64().unwrap() as usize;
    assert_eq!(last + 1, units.len());
    let width = hooked.model.cfg().d_model as u64;
    assert_eq!(view.get("index").as_u64(), Some(width - 1));
    // A text without a token has nothing to show, and is no error.
    ask(&view, &[("text", "".into())]);
    assert!(view.bytes("values").is_empty());
}

#[test]
fn attention_rows_are_shares_of_what_stands_before() {
    let (hooked, data) = hooked();
    let view = attention_view(&hooked.model, &data.tokenizer)
        .unwrap()
        .widget();
    ask(&view, &[("text", TEXT.into())]);
    let n = view.get("tokens").as_array().unwrap().len();
    let heads = hooked.model.cfg().n_heads * hooked.model.cfg().n_layers;
    let patterns = floats(&view.bytes("patterns"));
    assert_eq!(patterns.len(), heads * n * n);
    for (at, row) in patterns.chunks_exact(n).enumerate() {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        assert!(row[at % n + 1..].iter().all(|weight| *weight == 0.0));
    }
}

#[test]
fn a_feature_browser_lists_every_feature_and_opens_its_dashboard() {
    let (hooked, data) = hooked();
    let browser = feature_browser(&hooked, &data).unwrap();
    let view = browser.widget();
    let rows = view.get("rows");
    for key in ["index", "density", "maximum", "label", "top"] {
        assert_eq!(rows[key].as_array().unwrap().len(), 48, "{key}");
    }
    let density = hooked.feature_frequencies(&data.val).unwrap().freq;
    assert_eq!(rows["density"][11].as_f64(), Some(density[11]));
    ask(&view, &[("index", 11.into())]);
    let html = view.get("dashboard");
    assert!(html.as_str().unwrap().contains("11"));
    assert!(browser.mime_bundle().unwrap().get("text/html").is_some());
}

/// The file of a page, and the neuroscope that has written it.
fn page_file(dir: &tempfile::TempDir) -> (holoscope::widgets::Neuroscope, Vec<u8>) {
    let (hooked, data) = hooked();
    let path = dir.path().join("scope.live");
    let scope = neuroscope(&hooked).unwrap().corpus(&data.val).unwrap();
    let scope = scope.on_page(&path, &data.train).unwrap();
    (scope, std::fs::read(path).unwrap())
}

#[test]
fn a_page_s_file_answers_as_the_notebook_does_up_to_its_integers() {
    let dir = tempfile::tempdir().unwrap();
    let (scope, bytes) = page_file(&dir);
    let mut page = NeuroscopeModel::of_page(&bytes).unwrap();
    let view = scope.widget();
    for direction in 0..4 {
        let keys = [
            ("text", Value::from(TEXT)),
            ("direction", direction.into()),
            ("index", 1.into()),
            ("selected", 3.into()),
            ("query", "king".into()),
        ];
        ask(&view, &keys);
        let state: serde_json::Map<_, _> = keys
            .iter()
            .map(|(k, v)| ((*k).to_owned(), v.clone()))
            .collect();
        let asked = page.asked(|key| state[key].clone());
        let answer = json!(page.answer(&asked).unwrap());
        for key in ["tokens", "direction", "index", "density"] {
            let of_view = view.get(key);
            match (of_view.as_f64(), answer[key].as_f64()) {
                // A density is f32 in the file.
                (Some(a), Some(b)) => assert!((a - b).abs() < 1e-6, "{key}: {a} and {b}"),
                _ => assert_eq!(answer[key], of_view, "{key}"),
            }
        }
        let values = floats(&view.bytes("values"));
        let most = values.iter().fold(0f32, |most, v| most.max(v.abs()));
        for (ours, page) in values.iter().zip(answer["values"].as_array().unwrap()) {
            let away = (f64::from(*ours) - page.as_f64().unwrap()).abs();
            assert!(
                away <= 0.05 * f64::from(most),
                "{ours} and {page} of {most}"
            );
        }
        for key in ["breakdown", "matches", "top_tokens"] {
            let lengths = [&view.get(key), &answer[key]].map(|list| list.as_array().unwrap().len());
            assert_eq!(lengths[0], lengths[1], "{key}");
        }
    }
    let described = scope.mime_bundle().unwrap();
    let described = described
        .get("application/vnd.holoscope.live+json")
        .unwrap();
    let described: Value = serde_json::from_str(described).unwrap();
    let difference = described["model"]["difference"].as_f64().unwrap();
    assert!(difference > 0.0 && difference < 0.05, "{difference}");
    assert_eq!(described["model"]["bytes"], bytes.len());
}

#[test]
fn a_damaged_page_s_file_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let (_, bytes) = page_file(&dir);
    for length in (0..bytes.len()).step_by(bytes.len() / 97) {
        assert!(
            NeuroscopeModel::of_page(&bytes[..length]).is_err(),
            "{length} bytes"
        );
    }
    let text = |from: &str, to: &str| {
        let header = bytes.windows(from.len()).position(|w| w == from.as_bytes());
        let at = header.unwrap_or_else(|| panic!("the header has {from}"));
        assert_eq!(from.len(), to.len());
        let mut other = bytes.clone();
        other[at..at + to.len()].copy_from_slice(to.as_bytes());
        NeuroscopeModel::of_page(&other)
            .err()
            .map(|error| error.to_string())
    };
    // The header is JSON in JSON.
    let said = text(r#"\"version\":1"#, r#"\"version\":2"#).unwrap();
    assert!(said.contains("version 2 (this build reads 1)"), "{said}");
    assert!(text("model.embed.W_E", "model.embed.W_X").is_some());
    assert!(text("census.maximum", "census.maximux").is_some());
}

/// One autoencoder of each architecture whose features a small change of the weights changes a little: no
/// feature competes with another for a place.
fn of_every_architecture() -> Vec<Sae> {
    let dictionary = || {
        let (w_enc, w_dec) = (normal((32, 48), 1), normal((48, 32), 2));
        StandardSae::new(w_enc, zeros(48), w_dec, zeros(32)).unwrap()
    };
    let layer = TemporalAttention {
        w_q: normal((4, 48), 3),
        b_q: zeros(4),
        w_k: normal((4, 48), 4),
        b_k: zeros(4),
        w_v: normal((48, 48), 5),
        b_v: zeros(48),
        w_o: normal((48, 48), 6),
        b_o: zeros(48),
    };
    let temporal = TemporalSae::new(normal((48, 32), 2), zeros(32), vec![layer], 2, None);
    vec![
        dictionary().into(),
        TopKSae::new(dictionary(), 48).unwrap().into(),
        AbsTopKSae::new(dictionary(), 48).unwrap().into(),
        JumpReLUSae::new(dictionary(), zeros(48)).unwrap().into(),
        GatedSae::new(dictionary(), zeros(48), zeros(48))
            .unwrap()
            .into(),
        temporal.unwrap().into(),
    ]
}

#[test]
fn a_neuroscope_reads_every_architecture_here_and_on_the_page() {
    let data = dataset();
    let model = model(&data, 16);
    let dir = tempfile::tempdir().unwrap();
    for sae in of_every_architecture() {
        let name = sae.architecture();
        let hooked = HookedSae::at(HOOK, &model, sae, &data.tokenizer).unwrap();
        let scope = neuroscope(&hooked).unwrap();
        let view = scope.widget();
        ask(
            &view,
            &[
                ("text", "The king saw the old king".into()),
                ("index", 5.into()),
            ],
        );
        let values = floats(&view.bytes("values"));
        let tokens = data
            .tokenizer
            .to_tokens("The king saw the old king")
            .unwrap();
        let acts = hooked
            .feature_acts(&tokens)
            .unwrap()
            .i((0, 1.., 5))
            .unwrap();
        let acts = acts.to_vec1::<f32>().unwrap();
        let most = acts.iter().fold(0f32, |most, a| most.max(a.abs()));
        assert!(most > 0.0, "{name}");
        let near = |one: &[f32], within: f32| {
            one.len() == acts.len()
                && one
                    .iter()
                    .zip(&acts)
                    .all(|(a, b)| (a - b).abs() <= within * most)
        };
        assert!(near(&values, 1e-5), "{name}: {values:?} and {acts:?}");
        let path = dir.path().join(name);
        let _ = scope.on_page(&path, &data.train).unwrap();
        let mut page = NeuroscopeModel::of_page(&std::fs::read(path).unwrap()).unwrap();
        let asked = page.asked(|key| view.get(key));
        let values = page.answer(&asked).unwrap().values;
        assert!(near(&values, 0.1), "{name}: {values:?} and {acts:?}");
    }
}

#[test]
fn a_page_of_gpt2_s_whole_vocabulary_spells_what_the_corpus_has_not() {
    let gpt2 = Tokenizer::gpt2().unwrap();
    let cfg = TransformerConfig {
        d_vocab: 50_257,
        d_model: 8,
        n_heads: 2,
        d_mlp: 16,
        n_ctx: 16,
        ..Default::default()
    };
    let model = Transformer::new(&cfg).unwrap();
    let source = DataConfig {
        source: CorpusSource::Embedded,
        compact_vocab: false,
        ..Default::default()
    };
    let data = Dataset::load(&source).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("scope.live");
    let scope = neuroscope((&model, &gpt2))
        .unwrap()
        .on_page(&path, &data.train)
        .unwrap();
    let mut page = NeuroscopeModel::of_page(&std::fs::read(path).unwrap()).unwrap();
    let view = scope.widget();
    let mut tokens = |text: &str| {
        view.set("text", text);
        let asked = page.asked(|key| view.get(key));
        page.answer(&asked).unwrap().tokens
    };
    assert_eq!(tokens("The king"), ["The", " king"]);
    let zebra = tokens(" zebra");
    assert!(
        zebra.len() > 1,
        "one token of GPT-2, several of the page's: {zebra:?}"
    );
    assert_eq!(zebra.concat(), " zebra");
    assert_eq!(tokens("\u{e9}"), [r"\xc3", r"\xa9"], "no byte is lost");
}

#[test]
fn a_model_with_nothing_to_look_into_is_an_error() {
    let data = dataset();
    let cfg = TransformerConfig {
        d_vocab: data.tokenizer.n_vocab(),
        n_layers: 0,
        ..Default::default()
    };
    let model = Transformer::new(&cfg).unwrap();
    let said = neuroscope((&model, &data.tokenizer))
        .unwrap_err()
        .to_string();
    assert!(said.contains("without blocks"), "{said}");
}
