//! Arbitrary JSON in place of a notebook's parts.

use super::tests::{read, with_outputs};
use crate::notebook::Notebook;
use serde_json::{Value, json};

/// Arbitrary JSON whose keys include those of notebooks.
fn any_json() -> impl proptest::strategy::Strategy<Value = Value> {
    use proptest::prelude::*;
    let word = prop::sample::select(vec![
        "cells",
        "worksheets",
        "cell_type",
        "code",
        "markdown",
        "heading",
        "source",
        "input",
        "outputs",
        "output_type",
        "stream",
        "pyout",
        "display_data",
        "error",
        "text",
        "data",
        "metadata",
        "name",
        "stdout",
        "id",
        "text/plain",
        "application/json",
        "execution_count",
        "traceback",
        "\u{0}é\n",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..6).prop_map(|entries| {
                let entries = entries.into_iter();
                Value::Object(
                    entries
                        .map(|(key, value)| (key.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

proptest::proptest! {
    #[test]
    fn any_json_is_a_notebook_that_round_trips_or_an_error(
        cells in proptest::collection::vec(any_json(), 0..4),
        outputs in any_json(),
        metadata in any_json(),
        format in 3_u64..5,
        minor in 0_u64..8,
    ) {
        let mut cells = cells;
        cells.push(json!({"cell_type": "code", "source": "1", "input": ["1"], "outputs": [outputs.clone()], "metadata": metadata.clone()}));
        cells.push(json!({"cell_type": "code", "outputs": outputs}));
        let document = json!({
            "nbformat": format, "nbformat_minor": minor, "metadata": metadata,
            "cells": cells.clone(), "worksheets": [{"cells": cells}],
        });
        if let Ok((notebook, _)) = Notebook::from_json(document.to_string().as_bytes()) {
            let text = notebook.to_json();
            let (again, notes) = Notebook::from_json(text.as_bytes()).unwrap();
            proptest::prop_assert_eq!(&again, &notebook);
            proptest::prop_assert_eq!(again.to_json(), text);
            let upgraded: Vec<_> = notes.iter().filter(|note| !note.contains("is newer than")).collect();
            proptest::prop_assert!(upgraded.is_empty(), "{:?}", upgraded);
        }
    }

    #[test]
    fn any_outputs_leave_the_notebook_to_run(outputs in any_json()) {
        let (notebook, _) = read(with_outputs(&outputs.to_string()));
        proptest::prop_assert_eq!(&notebook.cells[0].source, "1");
    }
}
