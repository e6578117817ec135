const LENS_KEYS = ["tokens", "layers", "top", "probabilities", "next", "next_probabilities"];
/** What the cells say: value of `mode`, name of the choice, what the colours are then. */
const MODES = [
  ["top", "most likely token", "probability of the most likely token:"],
  ["next", "probability of the next token", "probability of the token that follows:"],
];

/** The lens, with shapes that do not fit each other taken as no lens at all. */
function readLens(model) {
  const [tokens, next, layers, top] = ["tokens", "next", "layers", "top"].map((key) => list(model.get(key)));
  const [shares, nextShares] = ["probabilities", "next_probabilities"].map((key) => floats(model.get(key)));
  const n = tokens.length;
  const fits = n > 0 && shares.length === layers.length * n && nextShares.length === shares.length;
  const count = fits ? layers.length : 0;
  const cell = (layer, at) => {
    const [best, follows, i] = [list(top[layer])[at], next[at] ?? null, layer * n + at];
    return { top: best, share: shares[i], next: follows, nextShare: nextShares[i], hit: follows !== null && best === follows };
  };
  const name = (layer) => (layer === count - 1 ? "output" : layerName(layers[layer]));
  const place = (layer, at) => `${name(layer)} at ${at} ${visibleToken(tokens[at])}`;
  /** A cell of the state, brought into the grid. */
  const inside = (selected) => {
    const [layer, at] = list(selected);
    return [clampInteger(layer, 0, count - 1), clampInteger(at, 0, n - 1)];
  };
  return { tokens, layers, n, count, cell, name, place, inside };
}

/** `resid_post L0` for `blocks.0.hook_resid_post`, as in the library's heat maps. */
function layerName(hook) {
  const [, block, point] = /^blocks\.(\d+)\.hook_(.+)$/.exec(String(hook)) ?? [];
  return point === undefined ? String(hook) : `${point} L${block}`;
}

/** All of a cell in one line, to be read on hover and focus. */
function cellNote(lens, layer, at) {
  const { top, share, next, nextShare, hit } = lens.cell(layer, at);
  const best = `${lens.place(layer, at)}: ${visibleToken(top)} ${percent(share)}`;
  if (next === null) return best;
  return hit ? `${best}, the token that follows` : `${best}; next ${visibleToken(next)} ${percent(nextShare)}`;
}

/** What a cell shows. The last token has nothing behind it, which is not a missing value. */
function cellLook(lens, mode, layer, at) {
  const { top, share, next, nextShare, hit } = lens.cell(layer, at);
  if (mode !== "next") return { text: visibleToken(top), share, hit, missing: Number.isNaN(share) };
  if (next === null) return { text: "–", share: 0, hit, missing: false };
  return { text: percent(nextShare), share: nextShare, hit, missing: Number.isNaN(nextShare) };
}

function readMode(view) {
  return view.model.get("mode") === "next" ? "next" : "top";
}

/** Whether the cells show the most likely token or how likely the next one is. */
function modeChoice(view) {
  const name = `mode${Math.random()}`;
  const choose = (mode) => {
    view.model.set("mode", mode);
    view.model.save_changes();
  };
  const inputs = MODES.map(([mode]) => make("input", { type: "radio", name, onchange: () => choose(mode) }));
  view.watch(["mode"], () => {
    MODES.forEach(([mode], i) => (inputs[i].checked = mode === readMode(view)));
  });
  const labels = MODES.map(([, text], i) => make("label", { class: "hs-radio" }, inputs[i], text));
  return make("div", { class: "hs-ways", role: "radiogroup", "aria-label": "What the cells show" }, ...labels);
}

/** The cells of a new table, `nodes[layer][at]`, its headers, and its parts with the last layer first. */
function gridNodes(lens) {
  const heads = lens.tokens.map((token, at) => {
    const text = visibleToken(token);
    return make("th", { scope: "col", role: "columnheader", title: `${at} ${text}` }, make("span", { text }));
  });
  const cell = (layer, at) =>
    make("td", { role: "gridcell", tabindex: "-1", "data-key": `${layer},${at}`, "aria-selected": "false" }, make("span"));
  const nodes = Array.from({ length: lens.count }, (_, layer) => lens.tokens.map((_, at) => cell(layer, at)));
  const sides = nodes.map((_, layer) =>
    make("th", { scope: "row", role: "rowheader", title: String(lens.layers[layer]) }, make("span", { text: lens.name(layer) })),
  );
  const rows = nodes.map((row, layer) => make("tr", { role: "row" }, sides[layer], ...row)).reverse();
  const corner = make("th", { class: "hs-corner", scope: "col", role: "columnheader" }, make("span", { text: "layer" }));
  const parts = [
    make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, corner, ...heads)),
    make("tbody", { role: "rowgroup" }, ...rows),
  ];
  return { nodes, heads, sides, parts, painted: new Map() };
}

function paintCell(grid, lens, mode, layer, at) {
  const { text, share, hit, missing } = cellLook(lens, mode, layer, at);
  const note = cellNote(lens, layer, at);
  const node = grid.nodes[layer][at];
  // Each selection is answered with all of the lens; a cell that stays the same costs little.
  const key = `${mode} ${share} ${note}`;
  if (grid.painted.get(node) === key) return;
  grid.painted.set(node, key);
  node.setAttribute("aria-label", note);
  const shown = node.firstChild;
  shown.textContent = text;
  shown.style.setProperty("--a", `${(100 * Math.min(1, Math.max(0, share || 0))).toFixed(1)}%`);
  shown.classList.toggle("hs-hit", hit);
  shown.classList.toggle("hs-missing", missing);
}

/** Which cell is the tab stop, and which one is selected, with its two headers. */
function gridMarks() {
  let [stop, here] = [undefined, []];
  const reach = (node) => {
    if (stop !== undefined) stop.tabIndex = -1;
    stop = node;
    if (stop !== undefined) stop.tabIndex = 0;
  };
  const set = (on) => {
    for (const node of here) node.classList.toggle("hs-here", on);
    here[0]?.setAttribute("aria-selected", String(on));
  };
  const select = (nodes) => {
    if (nodes[0] === here[0]) return;
    set(false);
    here = nodes;
    set(true);
    reach(nodes[0]);
  };
  return { reach, select };
}

/** The grid: positions across, layers up. One cell is selected, and moving with the keyboard selects. */
function lensGrid(view, state) {
  const table = make("table", { role: "grid", "aria-label": "Logit lens: layers up, positions across" });
  const box = make("div", { class: "hs-lens" }, table);
  const marks = gridMarks();
  let grid = gridNodes({ tokens: [], count: 0 });
  let shown = "";
  const selected = () => state.lens.inside(view.requests.value("selected"));
  const mark = () => {
    const [layer, at] = selected();
    const node = grid.nodes[layer]?.[at];
    marks.select(node === undefined ? [] : [node, grid.sides[layer], grid.heads[at]]);
  };
  /** Cells of the same text and layers stay, so that the focus and a screen reader stay, too. */
  const draw = () => {
    const { lens } = state;
    const key = JSON.stringify([lens.count, lens.layers, lens.tokens]);
    const fresh = key !== shown;
    shown = key;
    if (fresh) grid = gridNodes(lens);
    grid.nodes.forEach((row, layer) => row.forEach((_, at) => paintCell(grid, lens, readMode(view), layer, at)));
    mark();
    box.hidden = lens.count === 0;
    if (!fresh) return;
    view.tip(null);
    refill(table, ...grid.parts);
  };
  const go = (layer, at) => {
    const node = grid.nodes[layer]?.[at];
    if (node === undefined) return;
    // The browser's own scrolling to the focus leaves cells below the sticky headers.
    node.scrollIntoView({ block: "nearest", inline: "nearest" });
    node.focus({ preventScroll: true });
    if (String(selected()) === String([layer, at])) return;
    view.requests.send({ selected: [layer, at] });
    mark();
  };
  onCells(table, state, go);
  showNotes(view, box, marks.reach);
  return { box, draw, mark };
}

/** Calls `go` with the cell that a click or a key leads to, which may be outside of the grid. */
function onCells(table, state, go) {
  const place = (event) => event.target.closest("[data-key]")?.dataset.key.split(",").map(Number) ?? [];
  table.addEventListener("click", (event) => go(...place(event)));
  table.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const [layer, at] = place(event);
    const to = {
      ArrowUp: [layer + 1, at],
      ArrowDown: [layer - 1, at],
      ArrowLeft: [layer, at - 1],
      ArrowRight: [layer, at + 1],
      Home: [layer, 0],
      End: [layer, state.lens.n - 1],
    }[event.key];
    if (to === undefined) return;
    go(...to);
    event.preventDefault();
    event.stopPropagation();
  });
}

/** The note of the cell under the pointer, or of the one that the keyboard has reached. */
function showNotes(view, box, reached) {
  let told = null;
  let from = "";
  const scrolled = () => `${box.scrollLeft} ${box.scrollTop}`;
  const tell = (node) => {
    told = node;
    from = scrolled();
    view.tip(node, node === null ? "" : node.getAttribute("aria-label"));
  };
  // Not pointerover, which comes also when the grid moves below a pointer at rest.
  box.addEventListener("pointermove", (event) => {
    const node = event.target.closest("[data-key]");
    if (node !== told) tell(node);
  });
  box.addEventListener("pointerleave", () => tell(null));
  box.addEventListener("focusin", ({ target }) => {
    // After a click the tip would stay and cover the cell above.
    if (target.dataset.key === undefined) return;
    reached(target);
    if (target.matches(":focus-visible")) tell(target);
  });
  box.addEventListener("focusout", () => tell(null));
  // The scrolling that led to the cell of the tip is reported after it.
  box.addEventListener("scroll", () => scrolled() !== from && tell(null), { passive: true });
}

/** What the colours and the outline say. */
function legend(view, state) {
  const what = make("span");
  const missing = make("span", { class: "hs-key" }, make("span", { class: "hs-sample hs-missing" }), "NaN");
  const box = make(
    "div",
    { class: "hs-legend" },
    what,
    make("div", { class: "hs-scale" }, make("span", { text: "0 %" }), make("span", { class: "hs-gradient" }), make("span", { text: "100 %" })),
    make("span", { class: "hs-key" }, make("span", { class: "hs-sample hs-hit" }), "the most likely token is the one that follows"),
    missing,
  );
  const draw = (grid) => {
    const [, , text] = MODES.find(([mode]) => mode === readMode(view));
    what.textContent = text;
    box.hidden = state.lens.count === 0;
    missing.hidden = grid.querySelector(".hs-missing") === null;
  };
  return { box, draw };
}

/** The list of the cell that the kernel has answered for. */
function likelyTokens(view, state) {
  const title = make("p", { class: "hs-h", "aria-hidden": "true" });
  const body = make("ol", { class: "hs-bars" });
  const note = make("p", { class: "hs-note" });
  const box = make("div", { class: "hs-likely" }, title, body, note);
  const draw = () => {
    const { lens } = state;
    const rows = list(view.model.get("list"));
    box.hidden = lens.count === 0 || rows.length === 0;
    if (box.hidden) return;
    const [layer, at] = lens.inside(view.requests.shown("selected"));
    const { next, nextShare } = lens.cell(layer, at);
    title.textContent = `Most likely: ${lens.place(layer, at)}`;
    body.setAttribute("aria-label", title.textContent);
    body.replaceChildren(...rows.map((row) => bar(row?.token, row?.probability, next)));
    note.textContent = next === null ? "No token follows." : `Next is ${visibleToken(next)} with ${percent(nextShare)}.`;
  };
  return { box, draw };
}

/** A token with its probability; the whole track is 100 %. JSON has null for NaN. */
function bar(token, probability, next) {
  const fill = make("span", { class: "hs-fill" });
  fill.style.width = `${100 * (probability || 0)}%`;
  const text = visibleToken(token);
  const label = make("span", { class: token === next ? "hs-label hs-hit" : "hs-label", text, title: text });
  return make("li", {}, label, make("span", { class: "hs-track" }, fill), make("span", { class: "hs-num", text: percent(probability ?? NaN) }));
}

function render({ model, el }) {
  const view = openView(model, el, "lens");
  createRequests(view, ["selected"]);
  const state = { lens: readLens(model) };
  const grid = lensGrid(view, state);
  const key = legend(view, state);
  const likely = likelyTokens(view, state);
  const modes = modeChoice(view);
  view.root.append(
    make("fieldset", {}, field("Text", textArea(view), "hs-text")),
    modes,
    make("div", { class: "hs-maps" }, make("div", { class: "hs-left" }, grid.box, key.box), likely.box),
  );
  view.watch([...LENS_KEYS, "mode"], () => {
    state.lens = readLens(model);
    modes.hidden = state.lens.count === 0;
    grid.draw();
    key.draw(grid.box);
    likely.draw();
  });
  view.watch(["selected", "list", "answered"], () => {
    grid.mark();
    likely.draw();
  });
  watchLife(view);
  return view.close;
}

export default { render };
