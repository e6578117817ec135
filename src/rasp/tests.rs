use super::*;
use crate::error::Error;
use crate::model::{NamesFilter, Receiver, Sender};
use candle_core::IndexOp;
use proptest::prelude::*;

fn compiled(name: &str) -> CompiledProgram {
    compile(&program(name), &CompileOptions::default()).unwrap()
}

fn program(name: &str) -> Program {
    programs().into_iter().find(|p| p.name == name).unwrap()
}

/// Every input of `n` symbols.
fn inputs(vocabulary: &[String], n: usize) -> Vec<Vec<String>> {
    (0..n).fold(vec![Vec::new()], |shorter, _| {
        let with =
            |input: &Vec<String>, s: &String| [input.as_slice(), std::slice::from_ref(s)].concat();
        let longer = |input: &Vec<String>| vocabulary.iter().map(|s| with(input, s)).collect();
        shorter
            .iter()
            .flat_map(|input| -> Vec<Vec<String>> { longer(input) })
            .collect()
    })
}

fn assert_agree(found: &[Option<Value>], expected: &[Option<Value>], of: &str) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        match (a, b) {
            (Some(Value::Number(a)), Some(Value::Number(b))) => {
                assert!((a - b).abs() < 1e-5, "{of}: {found:?} {expected:?}");
            }
            _ => assert_eq!(a, b, "{of}: {found:?} {expected:?}"),
        }
    }
}

#[test]
fn every_program_computes_what_the_interpreter_says_for_all_short_inputs() {
    for program in programs() {
        let compiled = compile(&program, &CompileOptions::default()).unwrap();
        for input in (1..=3).flat_map(|n| inputs(&program.vocabulary, n)) {
            let expected = compiled.expected(&input).unwrap();
            assert_agree(
                &compiled.run(&input).unwrap(),
                &expected,
                &format!("{} {input:?}", program.name),
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    /// Longer inputs, other lengths, without distractors and with other ones.
    #[test]
    fn compiled_models_agree_with_the_interpreter(
        which in 0..programs().len(),
        symbols in prop::collection::vec(0..12usize, 1..=11),
        distractor_heads in 0..3usize,
        distractor_layers in 0..2usize,
        seed in 0..1000u64,
    ) {
        let program = programs().swap_remove(which);
        let options = CompileOptions {
            max_len: 11,
            distractor_heads,
            distractor_layers,
            seed,
            ..CompileOptions::default()
        };
        let compiled = compile(&program, &options).unwrap();
        let vocabulary = &program.vocabulary;
        let input: Vec<&String> = symbols.iter().map(|i| &vocabulary[i % vocabulary.len()]).collect();
        let expected = compiled.expected(&input).unwrap();
        assert_agree(&compiled.run(&input).unwrap(), &expected, &program.name);
    }
}

#[test]
fn the_interpreter_has_answers_worked_out_by_hand() {
    let of = |name: &str, input: &str| -> Vec<String> {
        let input: Vec<String> = input.chars().map(String::from).collect();
        let values = interpret(&program(name).output, &input).unwrap();
        let show = |v: &Option<Value>| v.as_ref().map_or("-".to_owned(), Value::to_string);
        values.iter().map(show).collect()
    };
    assert_eq!(of("previous_token", "abca"), ["-", "a", "b", "c"]);
    assert_eq!(of("copy_3_back", "abcad"), ["-", "-", "-", "a", "b"]);
    assert_eq!(
        of("fraction_of_a", "abaa"),
        ["1", "0.5", "0.6666666666666666", "0.75"]
    );
    assert_eq!(of("length_so_far", "dd"), ["1", "2"]);
    assert_eq!(of("histogram", "abab"), ["1", "1", "2", "2"]);
    assert_eq!(of("rank_among_previous", "bacd"), ["0", "0", "2", "3"]);
    assert_eq!(of("most_recent_vowel", "baceb"), ["-", "a", "a", "e", "e"]);
    assert_eq!(of("last_seen", "abbab"), ["-", "-", "1", "0", "2"]);
    assert_eq!(of("repeats_previous", "aab"), ["-", "true", "false"]);
    assert_eq!(of("duplicate", "abca"), ["false", "false", "false", "true"]);
    assert_eq!(
        of("balanced", "()x)("),
        ["false", "true", "true", "false", "true"]
    );
    assert_eq!(
        of("more_a_than_b", "cabbaa"),
        ["false", "true", "false", "false", "false", "true"]
    );
    assert_eq!(
        of("induction", "abcabac"),
        ["-", "-", "-", "b", "c", "b", "a"]
    );
    // Counts so far: 1 1 2 1 3 2.
    assert_eq!(
        of("double_histogram", "abacab"),
        ["1", "2", "1", "3", "1", "2"]
    );
    assert_eq!(of("parity_of_position", "abc"), ["false", "true", "false"]);
}

#[test]
fn the_circuit_of_induction_is_the_one_of_the_textbook() {
    // Olsson et al. 2022: a previous-token head, whose output is the key of the induction head.
    let compiled = compiled("induction");
    let edges: Vec<String> = compiled.edges().iter().map(|e| e.to_string()).collect();
    let wanted = [
        "pos_embed -> L0H0.q",
        "embed -> L0H0.k", // BOS
        "pos_embed -> L0H0.k",
        "embed -> L0H0.v",
        "embed -> L1H0.q",
        "embed -> L1H0.k",     // BOS
        "pos_embed -> L1H0.k", // the latest
        "L0H0 -> L1H0.k",
        "embed -> L1H0.v",
        "L1H0 -> logits",
    ];
    assert_eq!(edges, wanted);
    let varying: Vec<String> = compiled
        .varying_edges()
        .iter()
        .map(|e| e.to_string())
        .collect();
    assert_eq!(
        varying,
        [
            "embed -> L0H0.v",
            "embed -> L1H0.q",
            "L0H0 -> L1H0.k",
            "embed -> L1H0.v",
            "L1H0 -> logits"
        ]
    );
    assert_eq!(compiled.circuit_frame().unwrap().shape(), (10, 4));
    let shown = crate::show::Show::mime_bundle(&compiled).unwrap();
    assert!(
        shown
            .get("text/html")
            .unwrap()
            .contains("edges are its circuit")
    );
    assert_eq!(
        super::program(&compiled.program.name).unwrap().name,
        compiled.program.name
    );
    let unknown = super::program("inductoin").unwrap_err().to_string();
    assert!(unknown.contains("induction"), "{unknown}");
    assert!(
        compiled
            .to_string()
            .contains("L0H0 -> L1H0.k: previous token")
    );
}

#[test]
fn what_depends_on_positions_alone_does_not_vary() {
    assert!(compiled("length_so_far").varying_edges().is_empty());
    assert!(compiled("parity_of_position").varying_edges().is_empty());
    assert_eq!(compiled("parity_of_position").edges().len(), 2);
}

#[test]
fn variables_have_subspaces_of_their_own_that_hold_their_one_hot_values() {
    let compiled = compiled("induction");
    let mut last = 0;
    for space in &compiled.residual {
        assert_eq!(space.dims.start, last);
        assert_eq!(space.dims.len(), space.labels.len());
        last = space.dims.end;
    }
    let space = compiled
        .residual
        .iter()
        .find(|s| s.name == "previous token")
        .unwrap();
    assert_eq!(space.writer, Sender::Head { layer: 0, head: 0 });
    let name = "blocks.0.hook_resid_post";
    let tokens = compiled.encode(&["c", "a", "b"]).unwrap();
    let keep = NamesFilter::only(name).unwrap();
    let (_, cache) = compiled
        .model
        .run_with_cache_filtered(&tokens, &keep, None)
        .unwrap();
    let stream = cache.get(name).unwrap();
    let held = stream
        .i((0, .., space.dims.clone()))
        .unwrap()
        .to_vec2::<f32>()
        .unwrap();
    // BOS, nothing before c, c before a, a before b; symbols a, b, c, d.
    let wanted = [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]];
    for (held, wanted) in held.iter().zip(wanted) {
        for (held, wanted) in held.iter().zip(wanted) {
            assert!((held - wanted as f32).abs() < 1e-6);
        }
    }
}

#[test]
fn distractors_are_there_and_work_but_write_to_unread_dimensions_only() {
    let compiled = compiled("histogram");
    let program_ends = compiled.residual.last().unwrap().dims.end;
    let cfg = compiled.model.cfg();
    assert_eq!((cfg.n_layers, cfg.n_heads), (1, 3));
    let w_o = compiled.model.parameter("blocks.0.attn.W_O").unwrap();
    for head in [1, 2] {
        let w_o = w_o.i((head, .., ..)).unwrap().to_vec2::<f32>().unwrap();
        assert!(
            w_o.iter()
                .all(|row| row[..program_ends].iter().all(|w| *w == 0.0))
        );
        assert!(w_o.iter().any(|row| row.iter().any(|w| *w != 0.0)));
    }
    let touched = compiled.edges().iter().any(|edge| {
        matches!(edge.sender, Sender::Head { head, .. } if head > 0)
            || matches!(edge.receiver, Receiver::Value { head, .. } if head > 0)
    });
    assert!(!touched);
}

#[test]
fn wrong_programs_and_inputs_are_refused() {
    let options = CompileOptions::default();
    let message = |vocabulary: &[&str], output: Sequence, options: &CompileOptions| {
        let program = Program::new("wrong", "", vocabulary, output);
        compile(&program, options).unwrap_err().to_string()
    };
    let several = aggregate(&select_all(), &tokens());
    let found = message(&["a", "b"], several.clone(), &options);
    assert!(found.contains("`.latest()`"), "{found}");
    assert!(interpret(&several, &["a", "b"]).is_err());
    let number = tokens().to_numbers(|_| 1.0);
    let keys = selector_width(&select(&number, &tokens(), |_, _| true));
    assert!(message(&["a"], keys, &options).contains("must be categorical"));
    assert!(
        message(
            &["a"],
            number.combine(&tokens(), |_, b| b.clone()),
            &options
        )
        .contains("categorical")
    );
    let nan = tokens().to_numbers(|_| f64::NAN).map(|_| Value::Flag(true));
    assert!(message(&["a"], nan, &options).contains("finite"));
    let latest = selector_width(&select_all().latest());
    assert!(message(&["a"], latest, &options).contains("latest"));
    assert!(message(&[], tokens(), &options).contains("at least one symbol"));
    assert!(message(&["a", "a"], tokens(), &options).contains("each once"));
    let long = CompileOptions {
        max_len: 0,
        ..options.clone()
    };
    assert!(message(&["a"], tokens(), &long).contains("max_len = 0"));
    let nan = CompileOptions {
        attention_scale: f64::NAN,
        ..options
    };
    assert!(message(&["a"], tokens(), &nan).contains("attention_scale = NaN"));

    let compiled = compiled("histogram");
    assert!(matches!(compiled.run(&["z"]), Err(Error::NotFound { .. })));
    assert!(compiled.run::<&str>(&[]).is_err());
    assert!(
        compiled
            .run(&["a"; 9])
            .unwrap_err()
            .to_string()
            .contains("max_len = 8")
    );
    let logits = compiled
        .model
        .forward(&compiled.encode(&["a"]).unwrap())
        .unwrap();
    assert!(compiled.decode(&logits.i(0).unwrap()).is_err());
}

#[test]
fn expressions_that_are_used_again_and_again_are_computed_once() {
    // 2^30 paths lead from the output to the tokens.
    let same = |a: &Value, b: &Value| Value::from(if a == b { "a" } else { "b" });
    let mut output = tokens();
    for _ in 0..30 {
        output = output.combine(&output, same);
    }
    assert!(output.name().chars().count() <= 82);
    let options = CompileOptions {
        max_len: 3,
        distractor_heads: 0, // Theirs would grow from block to block.
        ..CompileOptions::default()
    };
    let program = Program::new("nested", "always a", &["a", "b"], output);
    let compiled = compile(&program, &options).unwrap();
    assert_eq!(compiled.model.cfg().n_layers, 30);
    let found = compiled.run(&["b", "a", "b"]).unwrap();
    assert_eq!(found, ["a"; 3].map(|s| Some(Value::from(s))));
    assert_eq!(found, compiled.expected(&["b", "a", "b"]).unwrap());

    let mut sum = tokens().to_numbers(|s| f64::from(u8::from(s.is("a"))));
    for _ in 0..30 {
        sum = sum.plus(1.0, &sum, 0.0);
    }
    let present = sum.map(|x| Value::Flag(x.number() > Some(0.5)));
    let program = Program::new("nested", "whether it is a", &["a", "b"], present);
    let found = compile(&program, &options).unwrap().run(&["b", "a"]);
    let wanted = [false, true].map(|flag| Some(Value::Flag(flag)));
    assert_eq!(found.unwrap(), wanted);
}

#[test]
fn too_many_categorical_values_are_refused() {
    let pair = |a: &Value, b: &Value| Value::Symbol(format!("{a}{b}"));
    let mut output = tokens();
    for _ in 0..4 {
        output = output.combine(&output, pair); // 4, 16, 256, 65536 values
    }
    let program = Program::new("pairs", "", &["a", "b"], output);
    let found = compile(&program, &CompileOptions::default()).unwrap_err();
    let found = found.to_string();
    assert!(found.contains("number of values = 2001"), "{found}");
}

#[test]
fn numbers_that_f32_cannot_keep_apart_are_refused() {
    let compiled = |b: f64, threshold: f64| {
        let numbers = tokens().to_numbers(move |s| if s.is("a") { 1.0 } else { b });
        let above = numbers.map(move |x| Value::Flag(x.number() > Some(threshold)));
        let program = Program::new("close", "", &["a", "b"], above);
        compile(&program, &CompileOptions::default())
    };
    for b in [1.000_000_1, 1.000_000_000_1] {
        let found = compiled(b, 1.0).unwrap_err().to_string();
        assert!(found.contains(&format!("1 and {b}")), "{found}");
        // They need not be told apart.
        compiled(b, 0.5).unwrap();
    }
    let far = compiled(1.001, 1.0).unwrap().run(&["a", "b"]).unwrap();
    assert_eq!(far, [false, true].map(|flag| Some(Value::Flag(flag))));
    // The difference is 0.1, but of numbers whose rounding in f32 is 0.06.
    let large = tokens().to_numbers(|s| if s.is("a") { 1e6 } else { 1e6 + 0.1 });
    let one = tokens().to_numbers(|_| 1e6);
    let above = large
        .plus(1.0, &one, -1.0)
        .map(|x| Value::Flag(x.number() > Some(0.05)));
    let program = Program::new("cancels", "", &["a", "b"], above);
    let found = compile(&program, &CompileOptions::default()).unwrap_err();
    assert!(found.to_string().contains("may not keep apart"), "{found}");
}

#[test]
fn shares_and_counts_of_the_longest_inputs_are_kept_apart() {
    let options = CompileOptions {
        max_len: 64,
        ..CompileOptions::default()
    };
    let of = |output: Sequence| Program::new("long", "", &["a", "b"], output);
    let is_a = tokens().to_numbers(|s| f64::from(u8::from(s.is("a"))));
    let share = aggregate(&select_all(), &is_a);
    // Every share has an output of its own.
    let own = share.map(|x| Value::Integer((x.number().unwrap_or(0.0) * 1e6) as i64));
    compile(&of(own), &options).unwrap();
    let same = select(&tokens(), &tokens(), |key, query| key == query);
    let count = selector_width(&same).to_numbers(|n| n.integer().unwrap_or(0) as f64);
    let odd = count.map(|n| Value::Flag(n.number().is_some_and(|n| n % 2.0 == 1.0)));
    compile(&of(odd), &options).unwrap();
    let most = share.map(|x| Value::Flag(x.number() > Some(0.5)));
    let compiled = compile(&of(most), &options).unwrap();
    let input: Vec<&str> = (0..64).map(|i| ["a", "b", "b", "a", "a"][i % 5]).collect();
    let expected = compiled.expected(&input).unwrap();
    assert_eq!(compiled.run(&input).unwrap(), expected);
    assert!(expected.contains(&Some(Value::Flag(false))));
}
