/** Nodes in a cell's line; pixels from node to node, between columns, for rows' names and tokens, of half a logit's box, box to box. */
const SIZE = { perLine: 6, step: 24, between: 22, names: 50, tokens: 32, logit: 11, logits: 28 };
/** At most: edges that are drawn, nodes in a list of the panel, and rows or columns, lest a wrong number fill the memory. */
const MOST = { edges: 300, listed: 10, cells: 1000 };

/** The text up to so many letters. */
function cut(text, most) {
  const letters = [...text];
  return letters.length <= most ? text : `${letters.slice(0, most - 1).join("")}…`;
}

/** A number as text; nothing where it is not known. */
function known(value, format = short) {
  return Number.isFinite(value) ? format(value) : "";
}

/** The graph with everything that its state may leave out. */
function readGraph(model) {
  const { prompt, nodes, n_layers, edges, scores } = model.get("graph") ?? {};
  const tokens = list(prompt).slice(0, MOST.cells).map(visibleToken);
  const all = list(nodes).map((node, index) => readNode(node ?? {}, index, tokens));
  const layers = all.reduce((most, node) => Math.max(most, node.row), clampInteger(n_layers, 0, MOST.cells));
  const columns = all.reduce((most, node) => Math.max(most, node.column + 1), tokens.length);
  return { tokens, nodes: all, layers, columns, edges: readEdges(edges, all), scores: scores ?? {} };
}

function readNode(given, index, tokens) {
  const node = { index, sum: 0, kind: String(given.kind ?? "unknown"), label: visibleLabel(given.label) || `node ${index}` };
  for (const key of ["layer", "pos", "value", "influence", "share", "probability"]) {
    node[key] = Number.isFinite(given[key]) ? given[key] : null;
  }
  node.stays = node.kind === "token" || node.kind === "logit";
  node.inBlock = !node.stays && node.kind !== "position";
  node.row = node.inBlock ? clampInteger(node.layer, 0, MOST.cells - 1) + 1 : 0;
  node.column = clampInteger(node.pos, 0, MOST.cells - 1);
  node.at = known(node.pos, (pos) => `${pos} ${tokens[pos] ?? ""}`);
  const chance = known(node.probability, percent);
  node.note = [node.label, chance, node.kind, node.at && `position ${node.at}`].filter(Boolean).join(" · ");
  // The text in a logit's box, whose shape says what it is. Letters beyond the Latin ones are wider.
  node.text = [cut(node.label.replace(/^logit /, ""), 16), chance].filter(Boolean).join(" · ");
  node.width = node.kind === "logit" ? [...node.text].reduce((sum, c) => sum + (c > "\u2e7f" ? 12 : 7), 20) : 0;
  return node;
}

/** The edges that carry something, with their shares of all that goes into the target; the most influential come first. */
function readEdges(given, nodes) {
  const isNode = (i) => Number.isInteger(i) && i in nodes;
  const joins = ([source, target]) => isNode(source) && isNode(target) && source !== target;
  const edges = list(given).filter((edge) => Array.isArray(edge) && joins(edge) && Number.isFinite(edge[2]) && edge[2] !== 0);
  for (const [, target, weight] of edges) nodes[target].sum += Math.abs(weight);
  const all = edges.map(([source, target, weight]) => ({ source, target, weight, share: Math.abs(weight) / nodes[target].sum }));
  const strength = ({ target, share }) => share * (nodes[target].probability ?? nodes[target].influence ?? 1);
  return all.sort((a, b) => strength(b) - strength(a));
}

/** Gives each node its size and place, from 0 upwards. Hidden ones have places, too, so that the slider moves nothing. */
function arrange({ nodes, layers, columns }) {
  const cells = Array.from({ length: layers + 1 }, () => Array.from({ length: columns }, () => []));
  const most = nodes.reduce((sum, node) => Math.max(sum, node.influence), Number.MIN_VALUE);
  for (const node of nodes) {
    if (node.kind !== "logit") cells[node.row][node.column].push(node);
    const size = Math.sqrt(Math.max(0, node.influence) / most);
    node.radius = node.kind === "logit" ? SIZE.logit : node.kind === "feature" ? 4 + 4.5 * size : 5.5;
  }
  const rank = (node) => (node.stays ? -1 : (node.share ?? 1));
  for (const cell of cells.flat()) cell.sort((a, b) => rank(a) - rank(b));
  let right = 0;
  const bands = Array.from({ length: columns }, (_, p) => {
    const left = right;
    const widest = Math.min(SIZE.perLine, Math.max(...cells.map((row) => row[p].length)));
    // In a long prompt a column has room for less of its token.
    right += Math.max(40, Math.min(64, 900 / columns), widest * SIZE.step) + SIZE.between;
    return { left, width: right - left, middle: (left + right) / 2 };
  });
  const gap = Math.max(12, Math.min(34, 420 / (layers + 2)));
  let y = 0;
  const rows = cells.map((row, at) => {
    const from = y;
    const put = (node, i, cell) => {
      node.x = bands[node.column].middle + ((i % SIZE.perLine) - (Math.min(SIZE.perLine, cell.length) - 1) / 2) * SIZE.step;
      node.y = from - (Math.floor(i / SIZE.perLine) + 0.5) * SIZE.step;
    };
    for (const cell of row) cell.forEach(put);
    y -= gap + SIZE.step * Math.ceil(Math.max(1, ...row.map((cell) => cell.length)) / SIZE.perLine);
    return { name: at === 0 ? "emb" : String(at - 1), y: from - SIZE.step / 2 };
  });
  rows.push({ name: "logits", y: y - SIZE.logits / 2 });
  // From the lower right corner, so that the first logit is the leftmost of the upper line.
  let x = right - 4;
  for (const node of nodes.filter((node) => node.kind === "logit").reverse()) {
    if (x < node.width && x < right - 4) [x, y] = [right - 4, y - SIZE.logits];
    [node.x, node.y] = [x - node.width / 2, y - SIZE.logits / 2];
    x -= node.width + 8;
  }
  return { bands, rows, width: right, top: y - SIZE.logits - 14 };
}

/** The outline of a kind's mark around 0, as a path. */
function outline({ kind, width }, r) {
  if (kind === "error") return `M0 ${-1.25 * r}L${1.25 * r} 0L0 ${1.25 * r}L${-1.25 * r} 0Z`;
  if (kind === "token") return `M${-r} ${-r}H${r}V${r}H${-r}Z`;
  if (kind === "position") return `M0 ${-1.2 * r}L${1.2 * r} ${r}H${-1.2 * r}Z`;
  const half = Math.max(0, width / 2 - SIZE.logit);
  return `M${-half} ${-r}H${half}a${r} ${r} 0 0 1 0 ${2 * r}H${-half}a${r} ${r} 0 0 1 0 ${-2 * r}Z`;
}

function nodeMark(node) {
  const place = { transform: `translate(${node.x.toFixed(1)} ${node.y.toFixed(1)})`, "data-key": node.index };
  // As in `make`: arrow keys and letters are not the notebook's.
  return svgNode(
    "g",
    { class: `hs-node hs-kind-${node.kind}`, role: "option", tabindex: "-1", "data-lm-suppress-shortcuts": "true", ...place },
    svgNode("path", { class: "hs-ring", d: outline({ width: node.width }, Math.max(SIZE.step / 2, node.radius + 3)) }),
    svgNode("path", { class: "hs-mark", d: outline(node, node.radius) }),
    ...(node.kind === "logit" ? [svgNode("text", { y: 4 }, node.text)] : []),
  );
}

function edgeLine({ source, target, weight, share }, nodes) {
  const [from, to] = [nodes[source], nodes[target]];
  const [y0, y1] = [from.y - from.radius, to.y + to.radius];
  const bend = 0.45 * (y0 - y1);
  const d = `M${from.x} ${y0}C${from.x} ${y0 - bend} ${to.x} ${y1 + bend} ${to.x} ${y1}`;
  return svgNode("path", { class: weight < 0 ? "hs-edge hs-negative" : "hs-edge", d, "stroke-width": 0.7 + 6 * share });
}

/** Names above marks, higher where one would cover another. */
function nodeNames(nodes) {
  const names = nodes.map((node) => ({ x: node.x, y: node.y - 14, text: cut(node.label, 24) }));
  const covers = (a, b) => Math.abs(a.y - b.y) < 12 && Math.abs(a.x - b.x) < 3.6 * (a.text.length + b.text.length);
  names.forEach((name, i) => {
    while (names.slice(0, i).some((other) => covers(name, other))) name.y -= 12;
  });
  return names.map(({ x, y, text }) => svgNode("text", { x, y }, text));
}

/** What is chosen and what is to be seen. It needs no kernel: the view goes on without one. */
function graphState({ model }) {
  const isNode = (i) => Number.isInteger(i) && i in state.graph.nodes;
  const state = {
    graph: null,
    set: (key, value) => {
      model.set(key, value);
      model.save_changes();
    },
    selected: () => (isNode(model.get("selected")) ? model.get("selected") : -1),
    pinned: () => list(model.get("pinned")).filter(isNode),
    threshold: () => (Number.isFinite(model.get("threshold")) ? model.get("threshold") : 1),
    /** Choosing the chosen node lets it go. */
    choose: (i) => state.set("selected", i === state.selected() ? -1 : i),
    /** The indices of the nodes to show; what a reader has chosen or pinned is among them. */
    visible: () => {
      const [most, kept] = [state.threshold(), [state.selected(), ...state.pinned()]];
      const shown = state.graph.nodes.filter((node) => node.stays || most >= 1 || !(node.share > most) || kept.includes(node.index));
      return new Set(shown.map((node) => node.index));
    },
  };
  return state;
}

/** Where a key leads: up and down stay in the column, left and right in the line, while there is a node; null for other keys. */
function neighbour(nodes, from, key) {
  if (key === "Home") return nodes[0];
  if (key === "End") return nodes.at(-1);
  if (!key.startsWith("Arrow")) return null;
  const sideways = key === "ArrowLeft" || key === "ArrowRight";
  const sign = key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1;
  const far = (node) => {
    const [along, across] = sideways ? [node.x - from.x, node.y - from.y] : [node.y - from.y, node.x - from.x];
    const within = sideways ? Math.abs(across) < 1 : node.column === from.column;
    return sign * along < 1 ? Infinity : (within ? 10 : 1e6) * Math.abs(along) + Math.abs(across);
  };
  return nodes.reduce((best, node) => (far(node) < far(best) ? node : best), from);
}

/** The drawing: edges below nodes, and names of the rows that stay while the rest is scrolled. */
function graphMap(view, state) {
  const rowNames = svgNode("svg", { class: "hs-rows", "aria-hidden": "true" });
  const [grid, edges, names] = ["hs-columns", "hs-edges", "hs-names"].map((name) => svgNode("g", { class: name, "aria-hidden": "true" }));
  const box = svgNode("g", { role: "listbox", "aria-label": "Nodes of the graph" });
  const svg = svgNode("svg", {}, grid, edges, box, names);
  const scroll = make("div", { class: "hs-scroll" }, rowNames, svg);
  const note = make("p", { class: "hs-note" });
  let [marks, order, visible, stop, seen] = [[], [], new Set(), 0, -1];
  const indexOf = (target) => Number(target?.closest("[data-key]")?.dataset.key ?? -1);
  const setStop = (i) => {
    marks[stop]?.setAttribute("tabindex", "-1");
    marks[i]?.setAttribute("tabindex", "0");
    stop = i;
  };
  const fill = () => {
    const { tokens, nodes } = state.graph;
    const { bands, rows, width, top } = arrange(state.graph);
    for (const [node, across] of [[svg, width], [rowNames, SIZE.names]]) {
      node.setAttribute("viewBox", `0 ${top} ${across} ${SIZE.tokens - top}`);
      [node.style.width, node.style.height] = [`${across}px`, `${SIZE.tokens - top}px`];
    }
    rowNames.replaceChildren(...rows.map(({ name, y }) => svgNode("text", { x: SIZE.names - 8, y: y + 4 }, name)));
    const columns = bands.flatMap(({ left, width, middle }, p) => [
      svgNode("rect", { x: left + 2, y: top + 4, width: width - 4, height: 2 - top }),
      svgNode("text", { x: middle, y: 22 }, cut(tokens[p] ?? "", Math.floor(width / 8))),
    ]);
    grid.replaceChildren(...columns, ...rows.map(({ y }) => svgNode("path", { d: `M0 ${y}H${width}` })));
    marks = nodes.map(nodeMark);
    order = [...nodes].sort((a, b) => a.y - b.y || a.x - b.x);
    setStop(clampInteger(stop, 0, nodes.length - 1));
    refill(box, ...order.map((node) => marks[node.index]));
  };
  const draw = () => {
    const [selected, pinned, graph] = [state.selected(), state.pinned(), state.graph];
    visible = state.visible();
    const ends = ({ source, target }) => [source, target];
    const isShown = (edge) => ends(edge).every((i) => visible.has(i)) && (selected < 0 || ends(edge).includes(selected));
    const shown = graph.edges.filter(isShown).slice(0, MOST.edges);
    const near = new Set([selected, ...shown.flatMap(ends)]);
    note.textContent = `Drawn: ${shown.length} of ${graph.edges.length} edges, by influence; width: share of all that goes into a node.`;
    edges.classList.toggle("hs-faint", selected < 0);
    // The most influential on top.
    edges.replaceChildren(...shown.reverse().map((edge) => edgeLine(edge, graph.nodes)));
    marks.forEach((mark, i) => {
      mark.toggleAttribute("hidden", !visible.has(i));
      mark.classList.toggle("hs-pinned", pinned.includes(i));
      mark.classList.toggle("hs-far", selected >= 0 && !near.has(i));
      mark.setAttribute("aria-selected", String(i === selected));
      mark.setAttribute("aria-label", graph.nodes[i].note + (pinned.includes(i) ? " · pinned" : ""));
    });
    names.replaceChildren(...nodeNames(graph.nodes.filter((node) => node.kind !== "logit" && [selected, ...pinned].includes(node.index))));
    keepStop(selected);
  };
  /** The tab stop follows the choice, in sight, and is never hidden; a focus on a node that is hidden now goes along. */
  const keepStop = (selected) => {
    const focused = indexOf(box.querySelector(":focus"));
    if (selected >= 0 && selected !== seen) {
      const [{ x }, room] = [state.graph.nodes[selected], scroll.clientWidth - SIZE.names];
      setStop(selected);
      if (x - SIZE.step < scroll.scrollLeft || x + SIZE.step > scroll.scrollLeft + room) scroll.scrollLeft = x - room / 2;
    } else if (!visible.has(stop)) setStop(order.find((node) => visible.has(node.index))?.index ?? 0);
    seen = selected;
    if (focused >= 0 && !visible.has(focused)) marks[stop].focus();
  };
  const hover = (event) => {
    const mark = marks[indexOf(event.target)];
    if (mark !== undefined) view.tip(mark, mark.getAttribute("aria-label"));
  };
  for (const event of ["pointerover", "focusin"]) box.addEventListener(event, hover);
  for (const event of ["pointerleave", "focusout"]) box.addEventListener(event, () => view.tip(null));
  scroll.addEventListener("scroll", () => view.tip(null), { passive: true });
  box.addEventListener("focusin", (event) => setStop(indexOf(event.target)));
  box.addEventListener("click", (event) => state.choose(indexOf(event.target)));
  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const to = neighbour(order.filter((node) => visible.has(node.index)), state.graph.nodes[stop], event.key);
    if (to !== null) marks[to.index].focus();
    else if (event.key === "Enter" || event.key === " ") state.choose(stop);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return { box: make("div", {}, scroll, note), fill, draw, focus: () => marks[stop]?.focus() };
}

/** The nodes at the other ends of a node's edges, the largest weights first. */
function linkList(title, edges, end, state) {
  const [nodes, visible] = [state.graph.nodes, state.visible()];
  const sorted = edges.sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight)).slice(0, MOST.listed);
  const rows = sorted.map(({ [end]: index, weight }) => {
    const fill = make("span", { class: weight < 0 ? "hs-fill hs-negative" : "hs-fill" });
    fill.style.width = `${(100 * Math.abs(weight)) / Math.abs(sorted[0].weight)}%`;
    const label = make("span", { class: "hs-label", text: nodes[index].label + (visible.has(index) ? "" : " (hidden)") });
    const value = make("span", { class: "hs-num", text: (weight > 0 ? "+" : "") + short(weight) });
    const button = { type: "button", "data-key": title + index, onclick: () => state.choose(index) };
    return make("li", {}, make("button", button, label, make("span", { class: "hs-track" }, fill), value));
  });
  const heading = `${title} (${rows.length < edges.length ? `${rows.length} largest of ` : ""}${edges.length})`;
  return [make("p", { class: "hs-h", "aria-hidden": "true", text: heading }), make("ol", { class: "hs-bars", "aria-label": heading }, ...rows)];
}

/** The panel with what is known of the chosen node. */
function details(state, leave) {
  const box = make("div", { class: "hs-panel", role: "region", "aria-label": "Chosen node" });
  const draw = () => {
    const node = state.graph.nodes[state.selected()];
    if (node === undefined) return refill(box, make("p", { class: "hs-note", text: "Choose a node to see what goes into it and comes out of it." }));
    const facts = [
      ["kind", node.kind],
      ["layer", node.inBlock ? known(node.layer, String) : node.kind === "logit" ? "logits" : "embedding"],
      ["position", node.at],
      ["probability", known(node.probability, percent)],
      [node.kind === "feature" ? "activation" : "value", known(node.value)],
      ["influence", known(node.influence)],
      ["cumulative", known(node.share, percent)],
    ].filter(([, text]) => text !== "");
    const edges = (end) => state.graph.edges.filter((edge) => edge[end] === node.index);
    const others = state.pinned().filter((i) => i !== node.index);
    const isPinned = others.length < state.pinned().length;
    const pin = { "aria-pressed": String(isPinned), onclick: () => state.set("pinned", isPinned ? others : [...others, node.index]) };
    const button = (text, props) => make("button", { type: "button", text, "data-key": text, ...props });
    refill(
      box,
      make("p", { class: "hs-h", text: node.label }),
      make("div", { class: "hs-row" }, button("Pin", pin), button("Close", { onclick: leave })),
      make("dl", {}, ...facts.flatMap(([name, text]) => [make("dt", { text: name }), make("dd", { text })])),
      ...linkList("Inputs", edges("target"), "source", state),
      ...linkList("Outputs", edges("source"), "target", state),
    );
  };
  return { box, draw };
}

/** The slider that hides nodes of little influence, at whose end none is hidden, and the figures of the graph. */
function influenceSlider(state) {
  const slider = make("input", { type: "range", min: "0", step: "1", oninput: () => state.set("threshold", slider.value / 100) });
  const figures = make("span", { class: "hs-note" });
  const name = field("Share of influence shown", slider);
  const draw = () => {
    const { nodes, scores } = state.graph;
    const most = nodes.reduce((sum, node) => Math.max(sum, node.stays ? 0 : node.share), 0);
    name.hidden = most === 0;
    slider.max = Math.ceil(100 * most);
    slider.value = 100 * state.threshold();
    const count = `${name.hidden ? "" : `${slider.value} % · `}${state.visible().size} of ${nodes.length} nodes`;
    slider.setAttribute("aria-valuetext", count);
    const scored = { "replacement score": scores.replacement, completeness: scores.completeness };
    const parts = Object.entries(scored).map(([of, score]) => known(score, () => `${of} ${short(score)}`));
    figures.textContent = [count, ...parts].filter(Boolean).join(" · ");
  };
  return { parts: [name, figures], draw };
}

/** What shapes, colours and dashes mean. */
function legend(nodes) {
  const item = (text, attributes) =>
    make("li", {}, svgNode("svg", { width: 26, height: 18, viewBox: "-13 -9 26 18", "aria-hidden": "true" }, svgNode("path", attributes)), text);
  const kinds = ["feature", "error", "token", "position", "logit"].filter((kind) => nodes.some((node) => node.kind === kind));
  return [
    ...kinds.map((kind) => item(kind, { class: `hs-mark hs-kind-${kind}`, d: outline({ kind, width: kind === "logit" ? 34 : 0 }, 5.5) })),
    item("pinned", { class: "hs-ring hs-pinned", d: outline({ width: 0 }, 8) }),
    item("adds", { class: "hs-edge", d: "M-12 0H12", "stroke-width": 3 }),
    item("takes away", { class: "hs-edge hs-negative", d: "M-12 0H12", "stroke-width": 3 }),
  ];
}

function render({ model, el }) {
  const view = openView(model, el, "graph");
  const state = graphState(view);
  const leave = () => {
    // The panel's buttons go away.
    if (panel.box.querySelector(":focus")) map.focus();
    state.choose(-1);
  };
  const [map, panel, slider] = [graphMap(view, state), details(state, leave), influenceSlider(state)];
  const shapes = make("ul", { class: "hs-legend", "aria-label": "Legend" });
  view.root.append(make("div", { class: "hs-row" }, ...slider.parts), shapes, make("div", { class: "hs-maps" }, map.box, panel.box));
  let shown = {};
  view.watch(["graph", "selected", "pinned", "threshold"], () => {
    if (shown !== model.get("graph")) {
      shown = model.get("graph");
      state.graph = readGraph(model);
      map.fill();
      shapes.replaceChildren(...legend(state.graph.nodes));
    }
    for (const part of [map, panel, slider]) part.draw();
  });
  view.root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || state.selected() < 0) return;
    leave();
    event.stopPropagation();
  });
  return view.close;
}

export default { render };
