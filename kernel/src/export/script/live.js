// Views that answer on the page: the WebAssembly module stands in for the kernel.

/** Bytes of text with 7 bits a character; what HTML does not keep is a letter from À on. */
function bytesOf(text) {
  const bytes = new Uint8Array(Math.floor((text.length * 7) / 8));
  const changed = [0, 13, 60];
  let [held, n, at] = [0, 0, 0];
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    held = (held << 7) | (code < 128 ? code : changed[code - 192]);
    n += 7;
    if (n < 8) continue;
    n -= 8;
    bytes[at] = held >> n;
    at += 1;
    held &= (1 << n) - 1;
  }
  return bytes;
}

/** The bytes of a data element, which is gzip. */
async function unpacked(id) {
  const packed = bytesOf(document.getElementById(id).textContent);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** The module's functions; it is compiled once, when the first view needs it. */
let module = null;
function engine() {
  module ??= unpacked("live-module").then(async (bytes) => {
    const compiled = await WebAssembly.compile(bytes);
    // Of random numbers and JavaScript's objects, which a page asks for nowhere.
    const imports = {};
    for (const { module: of, name } of WebAssembly.Module.imports(compiled)) {
      imports[of] ??= {};
      imports[of][name] = () => {
        throw new Error(`${name} is not there`);
      };
    }
    const { exports } = await WebAssembly.instantiate(compiled, imports);
    const put = (data) => {
      // First the room, for which the memory may grow: that detaches its old buffer.
      const at = exports.buffer(data.length) >>> 0;
      new Uint8Array(exports.memory.buffer, at, data.length).set(data);
    };
    const answer = (length) => {
      const at = exports.answer_at() >>> 0;
      const bytes = new Uint8Array(exports.memory.buffer, at, length);
      return JSON.parse(new TextDecoder().decode(bytes));
    };
    return {
      load: (data) => (put(data), answer(exports.load())),
      ask: (model, state) => (put(new TextEncoder().encode(JSON.stringify(state))), answer(exports.ask(model))),
    };
  });
  return module;
}

/** Models that are loaded, by their digests. */
const models = new Map();
function load(digest) {
  if (!models.has(digest)) {
    const loaded = Promise.all([engine(), unpacked(`live-model-${digest}`)]).then(([{ load, ask }, bytes]) => {
      const { model, error } = load(bytes);
      if (error) throw new Error(error);
      return (state) => ask(model, state);
    });
    models.set(digest, loaded);
  }
  return models.get(digest);
}

/** Characters of a text: the activations of a long one would not fit into the module's memory. */
const LONGEST = 20_000;

/** What a question is made of; the rest of the state are answers. */
const ASKED = ["text", "direction", "index", "selected", "query"];

/** A widget's model as views use it, whose requests are answered here. */
class PageModel {
  constructor(state, ask, digest) {
    this.digest = digest;
    this.state = { dead: false, error: null, request: 0, answered: 0, ...state };
    this.ask = ask;
    this.listeners = new Map();
    this.changed = new Set();
    this.comm_live = true;
  }
  /** Loads the model into a new module: after a fault nothing in the old one answers any more. */
  begin() {
    module = null;
    models.clear();
    this.ask = () => ({ error: "The page's module is loading." });
    load(this.digest).then((ask) => {
      this.ask = ask;
    });
  }
  get(key) {
    return this.state[key];
  }
  set(key, value) {
    this.state[key] = value;
    this.changed.add(key);
  }
  on(event, f) {
    this.listeners.set(event, [...(this.listeners.get(event) ?? []), f]);
  }
  off(event, f) {
    this.listeners.set(event, (this.listeners.get(event) ?? []).filter((g) => g !== f));
  }
  emit() {
    const keys = [...this.changed];
    this.changed.clear();
    for (const key of keys) for (const f of this.listeners.get(`change:${key}`) ?? []) f();
  }
  save_changes() {
    const asks = this.changed.has("request");
    this.emit();
    // Behind the key that was pressed, which is drawn first.
    if (asks && this.ask) setTimeout(() => this.answer());
  }
  answer() {
    const began = performance.now();
    let answer;
    try {
      const long = this.state.text.length > LONGEST;
      const question = Object.fromEntries(ASKED.map((key) => [key, this.state[key]]));
      answer = long ? { error: `A page reads texts of at most ${LONGEST} characters.` } : this.ask(question);
    } catch (error) {
      answer = { error: `The page's module has failed, and begins anew: ${error.message}` };
      this.begin();
    }
    for (const [key, value] of Object.entries({ error: null, ...answer })) this.set(key, value);
    this.set("answered", this.state.request);
    this.took = performance.now() - began;
    this.emit();
  }
}

async function begin(place) {
  const { view, model, state, note } = place.dataset;
  const still = document.createElement("div");
  still.className = "live-static";
  still.append(...place.childNodes);
  const el = document.createElement("div");
  el.className = "live-view";
  const said = document.createElement("p");
  said.className = "live-note";
  place.append(still, el, said);
  try {
    const own = new PageModel(JSON.parse(state), model && (await load(model)), model);
    if (model) own.answer();
    globalThis.holoscopeViews[view].render({ model: own, el });
    still.hidden = true;
    said.textContent = note ?? "";
    place.liveModel = own;
  } catch (error) {
    el.remove();
    said.setAttribute("role", "alert");
    said.textContent = `This view stays as it was in the notebook: ${error.message}`;
  }
  place.dataset.ready = String(Math.round(performance.now()));
}

// Not before a reader comes near: the models are megabytes.
const near = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      begin(target);
    }
  },
  { rootMargin: "1000px" },
);
for (const place of document.querySelectorAll(".live[data-view]")) {
  // Without its model a view stays as it is.
  const { model } = place.dataset;
  if (!model || document.getElementById(`live-model-${model}`)) near.observe(place);
}
