//! Dashboards as a reader meets them: in a notebook and as a page.

use holoscope::interp::*;
use holoscope::show::Show;

/// Tokens that would break a page which does not escape them.
const HOSTILE: [&str; 4] = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "\u{2028}",
    " \"'&\n",
];

fn token(token: &str, value: f64) -> TokenValue {
    TokenValue {
        token: token.to_owned(),
        value,
    }
}

fn example(tokens: &[&str], acts: &[f32], peak: usize) -> ActivationExample {
    ActivationExample {
        sequence: Some(3),
        pos: Some(peak + 7),
        tokens: tokens.iter().map(|t| t.to_string()).collect(),
        acts: acts.to_vec(),
        peak,
    }
}

fn bins(middles: &[f64], counts: &[f64]) -> BinCounts {
    BinCounts {
        middles: middles.to_vec(),
        counts: counts.to_vec(),
    }
}

/// A dashboard made by hand, every part of it filled.
fn by_hand(feature_id: usize, extra: &str) -> FeatureDashboard {
    let group = |kind, low, share, examples| ExampleGroup {
        kind,
        low,
        high: 4.0,
        share,
        examples,
    };
    FeatureDashboard {
        feature_id,
        hook_name: "blocks.0.mlp.hook_post".to_owned(),
        label: String::new(),
        n_tokens: 2_000,
        n_active: 30,
        density: 0.015,
        max_act: 4.0,
        min_act: 0.0,
        mean_act: 1.5,
        quantiles: vec![(0.5, 1.25), (0.9, 3.0)],
        act_histogram: bins(&[0.5, 1.5, 2.5, 3.5], &[19.0, 8.0, 0.0, 3.0]),
        top_tokens: vec![token(" king", 0.75), token(extra, 0.25)],
        groups: vec![
            group(
                ExampleKind::Top,
                0.0,
                0.015,
                vec![example(
                    &["The", " king", "\n", extra],
                    &[0.0, 4.0, 1.0, 0.0],
                    1,
                )],
            ),
            group(
                ExampleKind::Interval,
                2.0,
                0.005,
                vec![example(&[" a", extra], &[0.0, 2.5], 1)],
            ),
        ],
        logits: Some(DirectLogits {
            top: vec![token(" queen", 1.25)],
            bottom: vec![token(extra, -0.5)],
            histogram: bins(&[-0.25, 0.75], &[400.0, 9.0]),
        }),
        correlated: vec![CorrelatedFeature {
            feature_id: 8,
            pearson: 0.5,
            cosine: 0.55,
            jaccard: 0.25,
        }],
        correlated_neurons: vec![CorrelatedNeuron {
            index: 3,
            pearson: -0.4,
            cosine: 0.1,
        }],
        n_correlation_tokens: 1_000,
        similar: vec![SimilarFeature {
            feature_id: 9,
            cosine: 0.625,
        }],
        neurons: vec![AlignedNeuron {
            index: 12,
            weight: -0.5,
            share_of_l1: 0.125,
        }],
        ablation: Some(AblationEffect {
            n_examples: 2,
            n_losses: 2,
            loss_change: 0.125,
            loss_change_se: 0.03125,
            lowered: vec![token(" queen", -0.75)],
            raised: vec![token(extra, 0.5)],
        }),
    }
}

#[test]
fn a_dashboard_is_html_without_scripts() {
    let bundle = by_hand(8, " cat").mime_bundle().unwrap();
    let html = bundle.get("text/html").unwrap();
    for absent in ["<script", "<style", "var(", "class=", "onclick"] {
        assert!(!html.contains(absent), "{absent}");
    }
    insta::assert_snapshot!("dashboard_html", html.replace("><", ">\n<"));
    insta::assert_snapshot!("dashboard_text", bundle.get("text/plain").unwrap());
}

#[test]
fn hostile_tokens_stay_text() {
    let dashboards: Vec<_> = HOSTILE
        .iter()
        .map(|extra| by_hand(8, extra).with_label(*extra))
        .collect();
    let page = DashboardPage::new(HOSTILE[0], dashboards);
    let html = page.html();
    // The page's own: its data and its program.
    assert_eq!(
        (
            html.matches("<script").count(),
            html.matches("</script").count()
        ),
        (2, 2)
    );
    assert!(!html.contains("<img"));
    let data = html
        .split("id=\"data\">")
        .nth(1)
        .unwrap()
        .split("</script>")
        .next()
        .unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    for (place, extra) in HOSTILE.iter().enumerate() {
        let feature = &data["features"][place];
        assert_eq!(feature["heading"].as_str(), Some(*extra));
        assert!(
            feature["active"]
                .as_array()
                .unwrap()
                .iter()
                .any(|t| t == extra)
        );
        let own = page.dashboards[place].mime_bundle().unwrap();
        let own = own.get("text/html").unwrap();
        assert!(!own.contains("<script") && !own.contains("<img"));
    }
}

#[test]
fn a_page_is_saved_and_shows_a_table_in_a_notebook() {
    let page = DashboardPage::new("Two", vec![by_hand(8, " cat"), by_hand(9, " dog")]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.html");
    page.save(&path).unwrap();
    let html = std::fs::read_to_string(&path).unwrap();
    assert_eq!(html, page.html());
    // Feature 9 is here, so that its neighbour links to it; feature 10 would not be.
    assert!(html.contains("href=\"#f9\"") && html.contains("id=\"f9\""));
    // It loads nothing.
    assert!(!html.contains("http://") && !html.contains("https://") && !html.contains(" src="));
    let frame = page.frame().unwrap();
    assert_eq!((frame.height(), frame.width()), (2, 8));
    let table = page.mime_bundle().unwrap();
    assert!(table.get("text/html").unwrap().contains("Two"));
    assert!(
        page.save(folder.path().join("no/such/folder.html"))
            .is_err()
    );
}

#[test]
fn a_hundred_full_dashboards_fit_in_five_megabytes() {
    let words = [" king", " the", ",", " remember", " night"];
    let tokens: Vec<&str> = (0..21).map(|i| words[i % 5]).collect();
    // A third of the tokens active, which is much.
    let acts: Vec<f32> = (0..21)
        .map(|i| {
            if i % 3 == 0 {
                1.0 + i as f32 / 7.0
            } else {
                0.0
            }
        })
        .collect();
    let mut full = by_hand(0, " cat");
    for (group, n) in full.groups.iter_mut().zip([20, 30]) {
        group.examples = vec![example(&tokens, &acts, 12); n];
    }
    let many = vec![full; 100];
    let n = DashboardPage::new("All", many).html().len();
    println!("{n} bytes");
    assert!(n < 5_000_000, "{n} bytes");
}
