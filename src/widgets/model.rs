//! Widget models: state, its observers, and the registry by which frontends reach them.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, TryLockError};

use super::callback::{self, CallbackResult};
use super::field::Field;
use super::wire::{self, Patch};
use crate::error::Result;
use crate::show::{MimeBundle, Show, escape, shows_itself, under_holoscope};

/// Set by the kernel: what this process' model ids begin with, so that they are unique.
const PREFIX: &str = "HOLOSCOPE_WIDGETS";

/// Where a model's classes are: the module's name, its protocol version, the model's name and its
/// view's (the views of styles are in the base module).
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub module: &'static str,
    pub version: &'static str,
    pub model: &'static str,
    pub view_module: &'static str,
    pub view: Option<&'static str>,
}

/// Looks at a value that a frontend sent for a key: the value to take, or `None` for none.
pub(super) type Check = fn(key: &str, value: &Value, state: &Map<String, Value>) -> Option<Value>;

type Observer = Box<dyn FnMut(&Value) -> Option<String> + Send>;
/// A callback, which may run while others are added.
type Shared<T> = Arc<Mutex<T>>;
type Listener = Box<dyn FnMut(&Value, &[Vec<u8>]) -> Option<String> + Send>;

/// A widget: a model that frontends show. Clones are the same widget.
#[derive(Clone)]
pub struct Widget(Arc<Entry>);

struct Entry {
    id: String,
    name: &'static str,
    inner: Mutex<Inner>,
    observers: Mutex<Vec<(String, Shared<Observer>)>>,
    listeners: Mutex<Vec<Shared<Listener>>>,
}

struct Inner {
    now: Patch,
    life: Life,
    /// Models that the state names: they are opened before this one.
    parts: Vec<Widget>,
    check: Option<Check>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    New,
    Open,
    Closed,
}

/// The models that are open.
static OPEN: LazyLock<Mutex<BTreeMap<String, Widget>>> = LazyLock::new(Mutex::default);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Holds stdout, which messages are written to, before a model's state is locked: who prints a widget
/// takes the two in this order.
fn before_inner() -> std::io::StdoutLock<'static> {
    std::io::stdout().lock()
}

/// How often the state from before a cell has come back: its ids must not be given again.
static EPOCH: AtomicU64 = AtomicU64::new(0);

fn new_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let prefix = std::env::var(PREFIX).unwrap_or_default();
    format!("{prefix}{:04x}{count:08x}", EPOCH.load(Ordering::Relaxed))
}

/// The open model of an id.
pub(super) fn find(id: &str) -> Option<Widget> {
    lock(&OPEN).get(id).cloned()
}

/// Keeps a model that a frontend has made, so that other frontends can ask for it.
pub(super) fn adopt(id: &str, patch: Patch) {
    let widget = Widget::with_state(id.to_owned(), "Widget", patch, Life::Open);
    lock(&OPEN).entry(id.to_owned()).or_insert(widget);
}

/// Returns once no parked cell holds a model's lock.
pub(crate) fn probe() {
    let open: Vec<Widget> = lock(&OPEN).values().cloned().collect();
    for widget in open {
        drop(lock(&widget.0.inner));
    }
}

/// This process goes on from the state before a cell that killed another: says which models it has.
pub(crate) fn restored() {
    EPOCH.fetch_add(1, Ordering::Relaxed);
    let open: Vec<Widget> = lock(&OPEN).values().cloned().collect();
    let ids: Vec<String> = open.iter().map(|widget| widget.0.id.clone()).collect();
    wire::known(&ids);
    // The frontends may have values that this process has not.
    for widget in open {
        widget.send_state();
    }
}

impl Widget {
    /// A model of this kind; `name` is what Rust calls it.
    pub(super) fn new(name: &'static str, kind: Kind, state: Value) -> Self {
        let mut all = Map::from_iter([
            ("_model_module".to_owned(), kind.module.into()),
            ("_model_module_version".to_owned(), kind.version.into()),
            ("_model_name".to_owned(), kind.model.into()),
            ("_view_count".to_owned(), Value::Null),
            ("_view_module".to_owned(), kind.view_module.into()),
            ("_view_module_version".to_owned(), kind.version.into()),
            ("_view_name".to_owned(), kind.view.into()),
        ]);
        if let Value::Object(state) = state {
            all.extend(state);
        }
        let now = Patch {
            state: all,
            ..Patch::default()
        };
        Self::with_state(new_id(), name, now, Life::New)
    }

    fn with_state(id: String, name: &'static str, now: Patch, life: Life) -> Self {
        Self(Arc::new(Entry {
            id,
            name,
            inner: Mutex::new(Inner {
                now,
                life,
                parts: Vec::new(),
                check: None,
            }),
            observers: Mutex::default(),
            listeners: Mutex::default(),
        }))
    }

    /// Looks at what frontends send with `check`.
    pub(super) fn checked(self, check: Check) -> Self {
        lock(&self.0.inner).check = Some(check);
        self
    }

    /// Sets a key to another model, or to several.
    pub(super) fn set_parts(&self, key: &str, parts: &[Widget], many: bool) {
        lock(&self.0.inner).parts.extend_from_slice(parts);
        if lock(&self.0.inner).life == Life::Open {
            parts.iter().for_each(Widget::open);
        }
        let names: Vec<Value> = parts.iter().map(|p| p.reference().into()).collect();
        match (many, names.first()) {
            (false, Some(first)) => self.set(key, first.clone()),
            _ => self.set(key, Value::Array(names)),
        }
    }

    /// The model's id, which is its comm's, too.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// How other models name this one.
    pub(super) fn reference(&self) -> String {
        format!("IPY_MODEL_{}", self.0.id)
    }

    /// What Rust calls this kind of widget.
    pub(super) fn name(&self) -> &'static str {
        self.0.name
    }

    /// A value of the state as JSON; null where there is none.
    pub fn get(&self, key: &str) -> Value {
        let inner = lock(&self.0.inner);
        inner.now.state.get(key).cloned().unwrap_or_default()
    }

    /// The bytes of a value of the state; empty where there are none.
    pub fn bytes(&self, key: &str) -> Vec<u8> {
        let inner = lock(&self.0.inner);
        inner.now.buffers.get(key).cloned().unwrap_or_default()
    }

    /// Sets a value of the state, in every view. Observers hear of it where it is another than before.
    pub fn set(&self, key: &str, value: impl Into<Field>) {
        self.set_all([(key, value.into())]);
    }

    /// Sets several values in one message.
    pub fn set_all<'a>(&self, fields: impl IntoIterator<Item = (&'a str, Field)>) {
        let mut changed = Patch::default();
        {
            let _out = before_inner();
            let mut inner = lock(&self.0.inner);
            for (key, field) in fields {
                inner.now.put(key, field, &mut changed);
            }
            if inner.life == Life::Open && !changed.is_empty() {
                wire::update(&self.0.id, "update", &changed);
            }
        }
        self.tell_observers(&changed);
    }

    /// Sets a value, and sends it also where it is the same as before: the frontends may have another.
    pub(super) fn replace(&self, key: &str, value: Value) {
        let changed = Patch {
            state: Map::from_iter([(key.to_owned(), value)]),
            ..Patch::default()
        };
        let _out = before_inner();
        let mut inner = lock(&self.0.inner);
        inner.now.state.extend(changed.state.clone());
        if inner.life == Life::Open {
            wire::update(&self.0.id, "update", &changed);
        }
    }

    /// Sets a value as if a frontend had: one that the control cannot have becomes one that it can, or
    /// changes nothing.
    pub(super) fn set_checked(&self, key: &str, value: Value) {
        let checked = {
            let inner = lock(&self.0.inner);
            match inner.check {
                Some(check) => check(key, &value, &inner.now.state),
                None => Some(value),
            }
        };
        if let Some(value) = checked {
            self.set(key, value);
        }
    }

    /// Sets a CSS property of the widget's layout.
    pub(super) fn set_layout(&self, property: &str, css: &str) {
        let parts = lock(&self.0.inner).parts.clone();
        if let Some(layout) = parts.iter().find(|part| part.name() == "Layout") {
            layout.set(property, css);
        }
    }

    /// Calls `callback` with the new value whenever the value of `key` changes, by a reader's hand or
    /// by [`Widget::set`]. An error or a panic of it is shown under the widget.
    pub fn observe_key<R: CallbackResult>(
        &self,
        key: &str,
        mut callback: impl FnMut(&Value) -> R + Send + 'static,
    ) {
        let observer: Observer = Box::new(move |value| callback(value).error());
        let observer = Arc::new(Mutex::new(observer));
        lock(&self.0.observers).push((key.to_owned(), observer));
    }

    /// Calls `callback` with the content and the buffers of messages that the views send.
    pub fn on_message<R: CallbackResult>(
        &self,
        mut callback: impl FnMut(&Value, &[Vec<u8>]) -> R + Send + 'static,
    ) {
        let listener: Listener = Box::new(move |content, bytes| callback(content, bytes).error());
        lock(&self.0.listeners).push(Arc::new(Mutex::new(listener)));
    }

    /// Sends the views a message of their own kind.
    pub fn send(&self, content: &Value, buffers: &[Vec<u8>]) {
        self.open();
        wire::custom(&self.0.id, content, buffers);
    }

    /// Ends the widget: its views go away.
    pub fn close(&self) {
        let _out = before_inner();
        let mut inner = lock(&self.0.inner);
        if inner.life == Life::Open {
            wire::close(&self.0.id);
        }
        inner.life = Life::Closed;
        drop(inner);
        lock(&OPEN).remove(&self.0.id);
        // They may hold this widget, and with it all that they have taken.
        lock(&self.0.observers).clear();
        lock(&self.0.listeners).clear();
    }

    /// Opens the comm, those of the parts first.
    pub(super) fn open(&self) {
        let parts = {
            let inner = lock(&self.0.inner);
            if inner.life != Life::New {
                return;
            }
            inner.parts.clone()
        };
        parts.iter().for_each(Widget::open);
        let _out = before_inner();
        let mut inner = lock(&self.0.inner);
        if inner.life == Life::New {
            inner.life = Life::Open;
            lock(&OPEN).insert(self.0.id.clone(), self.clone());
            wire::open(&self.0.id, &inner.now);
        }
    }

    /// Takes what a frontend says the state is; tells the frontends what was not taken. The part that
    /// has changed.
    pub(super) fn take(&self, sent: &Patch) -> Patch {
        let _out = before_inner();
        let mut inner = lock(&self.0.inner);
        let (mut changed, mut corrected) = (Patch::default(), Patch::default());
        for (key, value) in &sent.state {
            let checked = match inner.check {
                Some(check) => check(key, value, &inner.now.state),
                None => Some(value.clone()),
            };
            let kept = checked.or_else(|| inner.now.state.get(key).cloned());
            let Some(kept) = kept else { continue };
            if !is_same(&kept, value) {
                corrected.state.insert(key.clone(), kept.clone());
            }
            inner.now.put(key, Field::Json(kept), &mut changed);
        }
        for (key, bytes) in &sent.buffers {
            if !is_fixed(key) {
                inner
                    .now
                    .put(key, Field::Bytes(bytes.clone()), &mut changed);
            }
        }
        if !corrected.is_empty() {
            wire::update(&self.0.id, "update", &corrected);
        }
        changed
    }

    /// Sends the whole state, but for what an output area has captured, which is not here.
    fn send_state(&self) {
        let _out = before_inner();
        let mut now = lock(&self.0.inner).now.clone();
        now.state.remove("outputs");
        now.state.retain(|key, _| !is_fixed(key));
        wire::update(&self.0.id, "update", &now);
    }

    /// Calls the observers of what has changed, each with the value of now.
    pub(super) fn tell_observers(&self, changed: &Patch) {
        let keys = changed.state.keys().chain(changed.buffers.keys());
        for key in keys {
            let value = self.get(key);
            let observers = lock(&self.0.observers).clone();
            for (of, observer) in observers {
                if of == *key {
                    self.call(&observer, |observer| observer(&value));
                }
            }
        }
    }

    /// Calls those who listen for messages of the views.
    pub(super) fn tell_listeners(&self, content: &Value, buffers: &[Vec<u8>]) {
        let listeners = lock(&self.0.listeners).clone();
        for listener in listeners {
            self.call(&listener, |listener| listener(content, buffers));
        }
    }

    /// Calls a callback, but not in the middle of itself.
    fn call<T>(&self, one: &Mutex<T>, call: impl FnOnce(&mut T) -> Option<String>) {
        let mut one = match one.try_lock() {
            Ok(one) => one,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let mut call = Some(call);
        let failed = callback::run(&mut || call.take().and_then(|call| call(&mut one)));
        drop(one);
        if let Some(error) = failed {
            self.show_error(&error);
        }
    }

    /// Shows a callback's error: in the view where it has a place for one, else below the widget.
    fn show_error(&self, error: &str) {
        if lock(&self.0.inner).now.state.contains_key("error") {
            return self.set("error", error);
        }
        let description = self.get("description");
        let title = match description.as_str().unwrap_or_default() {
            "" => self.0.name.to_owned(),
            description => format!("{} {description:?}", self.0.name),
        };
        eprintln!("a callback of {title} failed: {error}");
    }
}

/// Whether two values are the same to JavaScript, which writes 3.0 as 3.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(x, y)| is_same(x, y))
        }
        _ => a == b,
    }
}

/// Keys that say what a model is, and which no frontend may change.
pub(super) fn is_fixed(key: &str) -> bool {
    // A choice's values are here, and only their names there.
    key == "_options_labels"
        || key.starts_with("_model_")
        || (key.starts_with("_view_") && key != "_view_count")
}

impl Patch {
    /// Sets a value here, and in `changed` where it is another than before.
    fn put(&mut self, key: &str, field: Field, changed: &mut Patch) {
        match field {
            Field::Json(value) => {
                let was_bytes = self.buffers.remove(key).is_some();
                if was_bytes || self.state.get(key) != Some(&value) {
                    changed.buffers.remove(key);
                    changed.state.insert(key.to_owned(), value.clone());
                    self.state.insert(key.to_owned(), value);
                }
            }
            Field::Bytes(bytes) => {
                self.state.remove(key);
                if self.buffers.get(key) != Some(&bytes) {
                    changed.state.remove(key);
                    changed.buffers.insert(key.to_owned(), bytes.clone());
                    self.buffers.insert(key.to_owned(), bytes);
                }
            }
        }
    }
}

impl fmt::Display for Widget {
    /// `IntSlider(value=5)`, `VBox(Label(value="n"), Button())`.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let inner = lock(&self.0.inner);
        let children: Vec<String> = match inner.now.state.contains_key("children") {
            true => inner
                .parts
                .iter()
                .filter(|part| part.name() != "Layout")
                .map(Widget::to_string)
                .collect(),
            false => Vec::new(),
        };
        let value = inner.now.state.get("value").map(|v| format!("value={v}"));
        let said = value.unwrap_or_else(|| children.join(", "));
        write!(f, "{}({said})", self.0.name)
    }
}

impl fmt::Debug for Widget {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{self} {}", self.0.id)
    }
}

impl Show for Widget {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let text = self.to_string();
        if !under_holoscope() {
            let note = "an interactive widget, which only Holoscope's kernel can show";
            let html = format!("<code>{}</code>: {note}", escape(&text));
            return Ok(MimeBundle::html(html, format!("{text}: {note}")));
        }
        self.open();
        let view = json!({"model_id": self.0.id, "version_major": 2, "version_minor": 0});
        Ok(MimeBundle::default()
            .with("application/vnd.jupyter.widget-view+json", view.to_string())
            .with("text/plain", text))
    }
}

shows_itself!(Widget);
