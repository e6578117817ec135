//! Copies the options in a cell's source to its metadata, where Quarto and MyST read them in every
//! language.

use super::CellOptions;
use crate::notebook::fault::TextFault;
use crate::notebook::model::Notebook;
use serde_json::{Value, json};

/// Copies the options in sources to the metadata of their cells, and removes those copied by an
/// earlier call that are no longer in the source. `holoscope.options` records which ones were
/// copied. A cell whose options cannot be read keeps its metadata; the faults are returned.
pub fn mirror_options(notebook: &mut Notebook) -> Vec<TextFault> {
    let mut faults = Vec::new();
    for (n, cell) in notebook
        .cells
        .iter_mut()
        .enumerate()
        .filter(|(_, cell)| cell.is_code())
    {
        let options = match CellOptions::of(cell, n + 1) {
            Ok(options) => options,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        let written: Vec<(String, Value)> = options
            .iter()
            .filter(|(key, _)| options.line(key) > 0)
            .map(|(key, value)| (key.to_owned(), value.clone()))
            .collect();
        let earlier = cell
            .metadata
            .get("holoscope")
            .and_then(|ours| ours.get("options"));
        let earlier = earlier
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        for key in earlier.iter().filter_map(Value::as_str) {
            if !written.iter().any(|(known, _)| known == key) {
                cell.metadata.shift_remove(key);
            }
        }
        let keys: Vec<&str> = written.iter().map(|(key, _)| key.as_str()).collect();
        let ours = cell
            .metadata
            .entry("holoscope")
            .or_insert_with(|| json!({}));
        if !ours.is_object() {
            *ours = json!({});
        }
        if let Some(ours) = ours.as_object_mut() {
            match keys.is_empty() {
                true => ours.shift_remove("options"),
                false => ours.insert("options".to_owned(), json!(keys)),
            };
            if ours.is_empty() {
                cell.metadata.shift_remove("holoscope");
            }
        }
        cell.metadata.extend(written);
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notebook::Cell;

    #[test]
    fn options_of_a_source_are_metadata_until_they_are_gone() {
        let mut notebook = Notebook::new();
        notebook.cells = vec![Cell::code("//| label: fig-a\n//| layout-ncol: 2\nplot()")];
        notebook.cells[0]
            .metadata
            .insert("tags".to_owned(), json!(["x"]));
        assert!(mirror_options(&mut notebook).is_empty());
        let metadata = &notebook.cells[0].metadata;
        assert_eq!(metadata["label"], "fig-a");
        assert_eq!(metadata["layout-ncol"], 2);

        notebook.cells[0].source = "#| label: fig-b\nplot()".to_owned();
        mirror_options(&mut notebook);
        let metadata = &notebook.cells[0].metadata;
        assert_eq!(metadata["label"], "fig-b");
        assert!(!metadata.contains_key("layout-ncol"));

        notebook.cells[0].source = "plot()".to_owned();
        mirror_options(&mut notebook);
        assert_eq!(
            Value::from(notebook.cells[0].metadata.clone()),
            json!({"tags": ["x"]})
        );
    }

    #[test]
    fn what_is_no_option_is_told_with_its_place() {
        let mut notebook = Notebook::new();
        notebook.cells = vec![Cell::code("1"), Cell::code("//| label: [\n2")];
        let faults = mirror_options(&mut notebook);
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].cell, 2);
    }
}
