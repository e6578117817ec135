//! What an exported page computes in its reader's browser: the library's model, autoencoder and
//! tokenizer behind four functions that JavaScript calls.
//!
//! Bytes go both ways through the module's memory: `buffer` gives room for what is said, `load` and
//! `ask` read it, and what they answer is at `answer_at`. Everything is UTF-8 JSON but the model's file.

use holoscope::interp::neuroscope::NeuroscopeModel;
use serde_json::{Value, json};
use std::cell::RefCell;

/// The models of a page, and the bytes that go to and fro.
#[derive(Default)]
struct Page {
    models: Vec<NeuroscopeModel>,
    buffer: Vec<u8>,
    answer: Vec<u8>,
}

thread_local! {
    static PAGE: RefCell<Page> = RefCell::default();
}

fn with_page<T>(work: impl FnOnce(&mut Page) -> T) -> T {
    PAGE.with(|page| work(&mut page.borrow_mut()))
}

/// Makes room for `len` bytes and says where it is.
#[unsafe(no_mangle)]
pub extern "C" fn buffer(len: usize) -> *mut u8 {
    with_page(|page| {
        page.buffer = vec![0; len];
        page.buffer.as_mut_ptr()
    })
}

/// Reads the model file in the buffer; `{"model": number}` or `{"error": text}`.
/// Returns the answer's length.
#[unsafe(no_mangle)]
pub extern "C" fn load() -> usize {
    with_page(|page| {
        let bytes = std::mem::take(&mut page.buffer);
        let answer = match NeuroscopeModel::of_page(&bytes) {
            Ok(model) => {
                page.models.push(model);
                json!({"model": page.models.len() - 1})
            }
            Err(error) => json!({"error": error.to_string()}),
        };
        page.say(&answer)
    })
}

/// Answers the question in the buffer, a view's state, of one of the models.
/// Returns the answer's length.
#[unsafe(no_mangle)]
pub extern "C" fn ask(model: usize) -> usize {
    with_page(|page| {
        let question = std::mem::take(&mut page.buffer);
        let answer = match page.models.get_mut(model) {
            Some(model) => answered(model, &question),
            None => json!({"error": format!("there is no model {model}")}),
        };
        page.say(&answer)
    })
}

/// Where the last answer is.
#[unsafe(no_mangle)]
pub extern "C" fn answer_at() -> *const u8 {
    with_page(|page| page.answer.as_ptr())
}

fn answered(model: &mut NeuroscopeModel, question: &[u8]) -> Value {
    let state: Value = match serde_json::from_slice(question) {
        Ok(state) => state,
        Err(error) => return json!({"error": error.to_string()}),
    };
    let asked = model.asked(|key| state[key].clone());
    match model.answer(&asked) {
        Ok(answer) => json!(answer),
        Err(error) => json!({"error": error.to_string()}),
    }
}

impl Page {
    fn say(&mut self, answer: &Value) -> usize {
        self.answer = answer.to_string().into_bytes();
        self.answer.len()
    }
}
