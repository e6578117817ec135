// Helpers of all views. The kernel puts this text in front of a view's text, so that
// both are one module: only function declarations, no export.

/** An element. `props`: `text`, `on<event>` handlers, otherwise attributes; null and false are left out. */
function make(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "text") node.textContent = value;
    else if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  // JupyterLab would take arrow keys and letters here as commands of the notebook. It looks for the
  // attribute on the focused element; in text fields it leaves keys alone, and Ctrl+S has to work.
  if ("tabindex" in props || ["button", "select"].includes(tag) || ["range", "radio"].includes(props.type)) {
    node.setAttribute("data-lm-suppress-shortcuts", "true");
  }
  node.append(...children);
  return node;
}

/** A control under its name. */
function field(name, control, className = "") {
  return make("label", { class: `hs-field ${className}` }, make("span", { text: name }), control);
}

function list(value) {
  return Array.isArray(value) ? value : [];
}

/** `value` as an integer in `low..=high`; `low` where it is no number. */
function clampInteger(value, low, high) {
  const number = Math.round(Number(value));
  return Number.isFinite(number) ? Math.max(low, Math.min(high, number)) : low;
}

/** The f32 values of a buffer. The copy is aligned; every browser's host is little-endian. */
function floats(data) {
  if (data instanceof ArrayBuffer) return new Float32Array(data.slice(0, data.byteLength & ~3));
  if (ArrayBuffer.isView(data)) {
    const end = data.byteOffset + (data.byteLength & ~3);
    return new Float32Array(data.buffer.slice(data.byteOffset, end));
  }
  return Float32Array.from(list(data), (value) => (value === null ? NaN : value));
}

/** Spaces, newlines and tabs as visible characters, as in the library's `visible_token`. */
function visibleToken(token) {
  const marks = { " ": "·", "\n": "↩", "\r": "␍", "\t": "→" };
  return String(token ?? "").replace(/[ \n\r\t]/g, (c) => marks[c]);
}

/** A label: white space at its ends and line breaks visible, spaces inside as they are. */
function visibleLabel(label) {
  return String(label ?? "").replace(/^\s+|\s+$|[\n\r\t]/g, visibleToken);
}

/** Three significant digits and a real minus sign, as in dashboards. */
function short(value) {
  if (typeof value !== "number" || Number.isNaN(value)) return "NaN";
  const size = Math.abs(value);
  if (size === 0) return "0";
  let text;
  if (size === Infinity) text = "∞";
  else if (size < 1e-3 || size >= 1e6) text = size.toExponential(1).replace("e+", "e");
  else text = size.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
  return (value < 0 ? "−" : "") + text.replace("e-", "e−");
}

function percent(share) {
  return `${short(100 * share)} %`;
}

/** A function that calls `f` after `wait` ms without another call; `cancel` drops the call. */
function debounce(f, wait) {
  let timer = 0;
  const later = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => f(...values), wait);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}

/** What a custom property of `root` is at present, as [red, green, blue] for a canvas. */
function colour(root, name) {
  const probe = make("span");
  probe.style.color = `var(${name})`;
  root.append(probe);
  const parts = getComputedStyle(probe).color.match(/[\d.]+/g) ?? [0, 0, 0];
  probe.remove();
  return parts.slice(0, 3).map(Number);
}

/** Replaces what is in `box`; the focus stays on the part with the same `data-key`. */
function refill(box, ...children) {
  const key = box.contains(box.getRootNode().activeElement)
    ? box.getRootNode().activeElement.dataset.key
    : undefined;
  box.replaceChildren(...children);
  if (key === undefined) return;
  const same = [...box.querySelectorAll("[data-key]")].find((node) => node.dataset.key === key);
  (same ?? box.querySelector('[tabindex="0"], button'))?.focus({ preventScroll: true });
}

/** The root element of one view, its messages, and everything that has to end with it. */
function openView(model, el, name) {
  const undo = [];
  const messages = new Map();
  const status = make("div", { class: "hs-status", role: "status" });
  const tip = make("div", { class: "hs-tip", "aria-hidden": "true", hidden: true });
  const root = make("div", { class: `holoscope-view holoscope-${name}` });
  const working = make("span", { class: "hs-working", "aria-hidden": "true", text: "working…", hidden: true });
  root.append(working, status, tip);
  el.append(root);
  const view = { model, root, undo, dead: false, requests: null };
  view.onModel = (event, f) => {
    model.on(event, f);
    undo.push(() => model.off(event, f));
  };
  /** Draws now, and once a frame after changes of any of the keys. Returns what asks for a drawing. */
  view.watch = (keys, draw) => {
    let frame = 0;
    const later = () => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        draw();
      });
    };
    for (const key of keys) view.onModel(`change:${key}`, later);
    undo.push(() => cancelAnimationFrame(frame));
    draw();
    return later;
  };
  view.busy = (on) => {
    working.hidden = !on;
  };
  /** Shows a message; an empty text removes the one with the same key. */
  view.say = (key, text, ...extra) => {
    if ((messages.get(key)?.text ?? "") === text) return;
    if (text === "") messages.delete(key);
    else messages.set(key, { text, node: make("p", { class: `hs-say hs-say-${key}`, text }, ...extra) });
    status.replaceChildren(...[...messages.values()].map((message) => message.node));
  };
  view.tip = (target, text, x, y) => showTip(root, tip, target, text, x, y);
  view.close = () => {
    while (undo.length > 0) undo.pop()();
    root.remove();
  };
  view.watch(["error"], () => view.say("error", String(model.get("error") ?? "")));
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape") tip.hidden = true;
  });
  return view;
}

/** Puts the tip above `target`, or at (`x`, `y`) of it; a `target` of null hides it. */
function showTip(root, tip, target, text, x, y) {
  tip.hidden = target === null;
  if (target === null) return;
  tip.textContent = text;
  const [outer, inner] = [root.getBoundingClientRect(), target.getBoundingClientRect()];
  const middle = inner.left - outer.left + (x ?? inner.width / 2);
  const left = Math.max(0, Math.min(middle - tip.offsetWidth / 2, outer.width - tip.offsetWidth));
  const top = inner.top - outer.top + (y ?? 0) - tip.offsetHeight - 4;
  tip.style.left = `${left}px`;
  tip.style.top = `${top}px`;
}

/** Keeps `view.dead` true while there is no kernel behind the model, with every fieldset disabled. */
function watchLife(view) {
  let closed = false;
  const check = () => {
    view.dead = closed || view.model.get("dead") === true || view.model.comm_live === false;
    view.root.classList.toggle("hs-dead", view.dead);
    for (const set of view.root.querySelectorAll("fieldset")) set.disabled = view.dead;
    view.say("dead", view.dead ? "This view belongs to a session that has ended. Run its cell again." : "");
    view.requests?.track();
    view.onLife?.();
  };
  const close = () => {
    closed = true;
    check();
  };
  for (const event of ["comm:close", "destroy"]) view.onModel(event, close);
  view.onModel("change:dead", check);
  // anywidget passes on ipywidgets' event but not `comm_live`; after a view is made, the event comes only
  // when the kernel has gone.
  view.onModel("comm_live_update", () => {
    if (view.model.comm_live === undefined) closed = true;
    check();
  });
  check();
}

/**
 * Calls `f` when the page changes between light and dark, and once when a view that was made outside of
 * the page is put into it: only there its colours are known.
 */
function onTheme(view, f) {
  const media = matchMedia("(prefers-color-scheme: dark)");
  const observer = new MutationObserver(f);
  const attributeFilter = ["data-jp-theme-light", "data-vscode-theme-kind", "class"];
  media.addEventListener("change", f);
  observer.observe(document.body, { attributes: true, attributeFilter });
  const attached = new ResizeObserver(() => {
    if (!view.root.isConnected) return;
    attached.disconnect();
    f();
  });
  if (!view.root.isConnected) attached.observe(view.root);
  view.undo.push(() => {
    media.removeEventListener("change", f);
    observer.disconnect();
    attached.disconnect();
  });
}

/**
 * Requests to the kernel: `send` sets keys and the next number in `request`; the kernel answers with the
 * same number in `answered`. One request is open at a time; later input waits, the newest of each key.
 * The open request is read from the model, so that several views of one model share it. `asked` names keys
 * that a view sets: `shown` gives what they were when the results that are shown were asked for.
 */
function createRequests(view, asked = []) {
  const { model } = view;
  let shown = {};
  let pending = null;
  let lost = false;
  let timers = [];
  const number = (key) => Number(model.get(key)) || 0;
  const isOpen = () => number("request") > number("answered");
  const stop = () => timers.splice(0).forEach(clearTimeout);
  const flush = () => {
    if (pending === null || view.dead || (isOpen() && !lost)) return;
    const changes = pending;
    pending = null;
    for (const [key, value] of Object.entries(changes)) model.set(key, value);
    model.set("request", number("request") + 1);
    model.save_changes();
  };
  const giveUp = () => {
    // A lost answer must not block the view: from here on, new input is sent again.
    lost = true;
    view.busy(false);
    const again = make("button", { type: "button", text: "Try again", onclick: () => send({}) });
    view.say("silent", "No answer from the kernel.", again);
  };
  const track = () => {
    stop();
    lost = false;
    view.busy(false);
    view.say("silent", "");
    if (!isOpen()) shown = Object.fromEntries(asked.map((key) => [key, model.get(key)]));
    if (view.dead) return;
    if (!isOpen()) return flush();
    timers = [setTimeout(() => view.busy(true), 200), setTimeout(giveUp, 10_000)];
  };
  const send = (changes) => {
    if (view.dead) return;
    pending = { ...pending, ...changes };
    flush();
  };
  for (const key of ["request", "answered"]) view.onModel(`change:${key}`, track);
  view.undo.push(stop);
  /** What a key is going to be: input that still waits counts. */
  const value = (key) => (pending !== null && key in pending ? pending[key] : model.get(key));
  view.requests = { send, value, track, shown: (key) => shown[key] ?? model.get(key) };
  return view.requests;
}

/** A text area for the state `text`, sent shortly after the last key: requests are joined while one is open. */
function textArea(view, other = () => ({})) {
  let typed = false;
  const send = debounce(() => {
    typed = false;
    view.requests.send({ text: area.value, ...other() });
  }, 30);
  const area = make("textarea", {
    rows: "3",
    spellcheck: "false",
    oninput: () => {
      typed = true;
      send();
    },
  });
  view.undo.push(send.cancel);
  view.watch(["text"], () => {
    const text = String(view.requests.value("text") ?? "");
    if (!typed && area.value !== text) area.value = text;
  });
  return area;
}

/** Arrow keys, Home and End move the one tab stop among the options of `box`; Enter and space choose. */
function roving(box, choose) {
  const options = () => [...box.querySelectorAll('[role="option"]')];
  const reach = (from, to) => {
    if (to === undefined) return;
    from.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
  };
  box.addEventListener("focusin", (event) => {
    const stop = box.querySelector('[role="option"][tabindex="0"]');
    if (stop !== null && stop !== event.target) stop.tabIndex = -1;
    event.target.tabIndex = 0;
  });
  box.addEventListener("click", (event) => {
    const option = event.target.closest('[role="option"]');
    if (option === null) return;
    option.focus();
    choose(options().indexOf(option));
  });
  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const all = options();
    const at = all.indexOf(event.target);
    if (at < 0) return;
    const to = keyTarget(all, at, event.key);
    if (to !== null) reach(all[at], all[to]);
    else if (event.key === "Enter" || event.key === " ") choose(at);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

/** Where a key leads from option `at`; null for other keys. Up and down go to the nearest on the next line. */
function keyTarget(all, at, key) {
  if (key === "Home") return 0;
  if (key === "End") return all.length - 1;
  if (key === "ArrowRight") return Math.min(at + 1, all.length - 1);
  if (key === "ArrowLeft") return Math.max(at - 1, 0);
  if (key !== "ArrowDown" && key !== "ArrowUp") return null;
  const step = key === "ArrowDown" ? 1 : -1;
  const middle = (node) => node.offsetLeft + node.offsetWidth / 2;
  const far = (i) => Math.abs(middle(all[i]) - middle(all[at]));
  let i = at + step;
  while (i in all && Math.abs(all[i].offsetTop - all[at].offsetTop) < 4) i += step;
  if (!(i in all)) return at;
  let best = i;
  for (const line = all[i].offsetTop; i in all && Math.abs(all[i].offsetTop - line) < 4; i += step) {
    if (far(i) < far(best)) best = i;
  }
  return best;
}

/**
 * Tokens as the options of a list box. `draw(tokens, look)`: `look(i)` gives `share` of full colour
 * (NaN: dashed), the `note` to be read on hover and focus, and whether it is `selected`.
 */
function tokenList(view, name, { choose, enter = () => {}, leave = () => {} }) {
  const box = make("div", { class: "hs-tokens", role: "listbox", "aria-label": name, "aria-orientation": "horizontal" });
  let nodes = [];
  let shown = "";
  let notes = [];
  const over = (event) => {
    const at = nodes.indexOf(event.target);
    if (at < 0) return;
    enter(at);
    view.tip(nodes[at], notes[at]);
  };
  const out = () => {
    view.tip(null);
    leave();
  };
  box.addEventListener("pointerover", over);
  box.addEventListener("focusin", over);
  box.addEventListener("pointerleave", out);
  box.addEventListener("focusout", out);
  roving(box, choose);
  const fill = (tokens) => {
    const stop = clampInteger(nodes.findIndex((node) => node.tabIndex === 0), 0, tokens.length - 1);
    nodes = tokens.map((token, i) =>
      make("span", { class: "hs-token", role: "option", tabindex: i === stop ? "0" : "-1", text: visibleToken(token), "data-key": i }),
    );
    const parts = nodes.flatMap((node, i) => {
      const token = String(tokens[i]);
      // The space is drawn as a dot, at which a line would not break.
      const before = /^[ \n\t]/.test(token) ? [make("wbr")] : [];
      return [...before, node, ...[...token].filter((c) => c === "\n").map(() => make("br"))];
    });
    refill(box, ...parts);
  };
  const draw = (tokens, look) => {
    const key = JSON.stringify(tokens);
    if (key !== shown) fill(tokens);
    shown = key;
    box.hidden = tokens.length === 0;
    notes = nodes.map((node, i) => {
      const { share, note, selected } = look(i);
      node.style.setProperty("--a", `${(100 * Math.min(1, Math.abs(share || 0))).toFixed(1)}%`);
      node.classList.toggle("hs-negative", share < 0);
      node.classList.toggle("hs-missing", Number.isNaN(share));
      node.setAttribute("aria-selected", String(selected));
      node.setAttribute("aria-label", note);
      return note;
    });
  };
  return { box, draw };
}

/** A node of a drawing. */
function svgNode(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
