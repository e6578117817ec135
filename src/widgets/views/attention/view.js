const PATTERN_KEYS = ["tokens", "n_layers", "n_heads", "patterns"];
/** Cells smaller than this, in pixels, have no token beside them. */
const LABEL_CELL = 10;
const LABEL_SPACE = 78;

/** The patterns, with shapes that do not fit each other taken as no pattern at all. */
function readPatterns(model) {
  const tokens = list(model.get("tokens"));
  const n = tokens.length;
  const values = floats(model.get("patterns"));
  const [layers, heads] = ["n_layers", "n_heads"].map((key) => clampInteger(model.get(key), 0, 1e4));
  const count = n > 0 && values.length === layers * heads * n * n ? layers * heads : 0;
  const weight = (head, destination, source) => values[(head * n + destination) * n + source];
  return { tokens, n, heads, count, weight, name: (head) => `L${Math.floor(head / heads)}H${head % heads}` };
}

/** A head's pattern as a picture of one pixel a weight; colour follows the square root, as most weights are small. */
function picture({ n, weight }, head, [none, all, missing]) {
  const canvas = make("canvas", { width: n, height: n });
  const context = canvas.getContext("2d");
  const image = context.createImageData(n, n);
  for (let cell = 0; cell < n * n; cell++) {
    const value = weight(head, Math.floor(cell / n), cell % n);
    const share = Math.sqrt(Math.max(0, Math.min(1, value)));
    for (let i = 0; i < 3; i++) {
      image.data[4 * cell + i] = Number.isFinite(value) ? none[i] + (all[i] - none[i]) * share : missing[i];
    }
    image.data[4 * cell + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

function colours(view) {
  return ["--none", "--all", "--missing"].map((name) => colour(view.root, name));
}

/** Sizes a canvas for the screen's pixels; its context draws in CSS pixels. */
function sized(canvas, width, height) {
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  return context;
}

/** Small multiples: one thumbnail a head. */
function headGrid(view, state) {
  const box = make("div", { class: "hs-heads", role: "listbox", "aria-label": "Heads", "aria-orientation": "horizontal" });
  const choose = (head) => {
    view.model.set("head", head);
    view.model.save_changes();
  };
  roving(box, choose);
  // Moving to a head with the keyboard enlarges it.
  box.addEventListener("focusin", (event) => {
    const at = [...box.children].indexOf(event.target);
    if (at >= 0 && at !== state.head()) choose(at);
  });
  let side = 0;
  /** A layer is a row where its heads fit; whether the thumbnails have to be drawn again. */
  const layout = () => {
    const [room, heads, before] = [box.parentNode?.clientWidth ?? 0, Math.max(1, state.shown.heads), side];
    // Besides the thumbnail a cell has 10 px of padding and gap; 19 px are the box's padding and scroll bar.
    side = Math.max(34, Math.min(64, Math.floor((room - 19) / heads) - 10));
    const fits = heads * (side + 10) <= room - 2;
    box.style.gridTemplateColumns = fits ? `repeat(${heads}, max-content)` : "";
    box.style.setProperty("--side", `${side}px`);
    return side !== before;
  };
  const fill = () => {
    layout();
    const option = (_, head) => {
      const canvas = make("canvas", { "aria-hidden": "true" });
      sized(canvas, side, side).drawImage(state.picture(head), 0, 0, side, side);
      return make("div", { role: "option", "data-key": head, tabindex: "-1" }, canvas, make("span", { text: state.shown.name(head) }));
    };
    refill(box, ...Array.from({ length: state.shown.count }, option));
    mark();
  };
  const mark = () => {
    [...box.children].forEach((node, head) => {
      node.setAttribute("aria-selected", String(head === state.head()));
      node.tabIndex = head === state.head() ? 0 : -1;
    });
  };
  const observer = new ResizeObserver(() => layout() && fill());
  observer.observe(view.root);
  view.undo.push(() => observer.disconnect());
  return { box, fill, mark };
}

/** The enlarged head: sources across, destinations down. */
function enlarged(view, state, hover) {
  const canvas = make("canvas", { role: "img" });
  const box = make("div", { class: "hs-large" }, canvas);
  const geometry = { left: 0, cell: 1 };
  const draw = () => {
    const { n, count } = state.shown;
    box.hidden = count === 0;
    if (box.hidden) return;
    const width = Math.max(120, Math.min(box.clientWidth || 480, 560));
    const named = (width - LABEL_SPACE) / n >= LABEL_CELL;
    const left = named ? LABEL_SPACE : 0;
    Object.assign(geometry, { left, cell: (width - left) / n });
    canvas.setAttribute("aria-label", `Attention pattern of head ${state.shown.name(state.head())}: destinations down, sources across`);
    const context = sized(canvas, width, width);
    context.imageSmoothingEnabled = false;
    context.drawImage(state.picture(state.head()), left, 0, width - left, width - left);
    if (named) labels(context, width);
    outline(context, width);
  };
  const labels = (context, width) => {
    context.fillStyle = `rgb(${colour(view.root, "--ink")})`;
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "right";
    context.textBaseline = "middle";
    state.shown.tokens.forEach((token, i) => {
      const text = fit(context, visibleToken(token), LABEL_SPACE - 8);
      const middle = geometry.cell * (i + 0.5);
      context.fillText(text, geometry.left - 5, middle);
      context.save();
      context.translate(geometry.left + middle, width - geometry.left + 5);
      context.rotate(-Math.PI / 2);
      context.fillText(text, 0, 0);
      context.restore();
    });
  };
  const outline = (context, width) => {
    const { at, outgoing } = state.focus();
    const { left, cell } = geometry;
    context.lineWidth = 1;
    context.strokeStyle = `rgb(${colour(view.root, "--faint")})`;
    context.strokeRect(left + 0.5, 0.5, width - left - 1, width - left - 1);
    context.lineWidth = 2;
    context.strokeStyle = `rgb(${colour(view.root, "--neg-line")})`;
    const wide = width - left;
    if (outgoing) context.strokeRect(left + at * cell, 1, cell, wide - 2);
    else context.strokeRect(left + 1, at * cell, wide - 2, cell);
  };
  canvas.addEventListener("pointermove", (event) => {
    const { n, tokens, weight } = state.shown;
    const [x, y] = [event.offsetX, event.offsetY];
    const [source, destination] = [(x - geometry.left) / geometry.cell, y / geometry.cell].map(Math.floor);
    if (source < 0 || source >= n || destination < 0 || destination >= n) return leave();
    hover({ destination, source });
    const value = short(weight(state.head(), destination, source));
    view.tip(canvas, `${visibleToken(tokens[destination])} ← ${visibleToken(tokens[source])}: ${value}`, x, y);
  });
  const leave = () => {
    view.tip(null);
    hover(null);
  };
  canvas.addEventListener("pointerleave", leave);
  const observer = new ResizeObserver(() => draw());
  observer.observe(box);
  view.undo.push(() => observer.disconnect());
  return { box, draw };
}

/** The text up to `width` pixels. */
function fit(context, text, width) {
  const letters = [...text];
  if (context.measureText(text).width <= width) return text;
  while (letters.length > 1 && context.measureText(`${letters.join("")}…`).width > width) letters.pop();
  return `${letters.join("")}…`;
}

/** Whether tokens are coloured as sources of a destination or as destinations of a source. */
function wayChoice(view, set) {
  const name = `way${Math.random()}`;
  const radio = (text, outgoing) =>
    make("label", { class: "hs-radio" }, make("input", { type: "radio", name, checked: !outgoing, onchange: () => set(outgoing) }), text);
  return make(
    "div",
    { class: "hs-ways", role: "radiogroup", "aria-label": "What the colours of the tokens show" },
    radio("sources of the chosen token", false),
    radio("destinations of the chosen token", true),
  );
}

/** What is shown and which token is in focus: the hovered one, else the chosen one. */
function attentionState(view) {
  const state = { shown: readPatterns(view.model), chosen: null, hovered: null, outgoing: false };
  let pictures = [];
  /** Reads the patterns again; also after a change of the theme, whose colours the pictures have. */
  state.read = () => {
    state.shown = readPatterns(view.model);
    pictures = [];
    palette = colours(view);
  };
  let palette = colours(view);
  state.picture = (head) => (pictures[head] ??= picture(state.shown, head, palette));
  state.head = () => clampInteger(view.model.get("head"), 0, Math.max(0, state.shown.count - 1));
  state.focus = () => {
    const last = Math.max(0, state.shown.n - 1);
    const at = clampInteger(state.hovered ?? state.chosen ?? last, 0, last);
    return { at, outgoing: state.outgoing };
  };
  return state;
}

function drawTokens(tokens, title, state) {
  const { at, outgoing } = state.focus();
  const { tokens: texts, count, weight, name } = state.shown;
  const head = state.head();
  const value = (i) => (outgoing ? weight(head, i, at) : weight(head, at, i));
  const [to, from] = outgoing ? ["destinations", "source"] : ["sources", "destination"];
  title.textContent = count === 0 ? "" : `Head ${name(head)}: the ${to} of the ${from} ${at} ${visibleToken(texts[at])}`;
  tokens.draw(texts, (i) => ({
    share: count === 0 ? 0 : Math.sqrt(Math.max(0, value(i))),
    note: `${i} ${visibleToken(texts[i])}${count === 0 ? "" : `: ${short(value(i))}`}`,
    selected: i === at,
  }));
}

function render({ model, el }) {
  const view = openView(model, el, "attention");
  createRequests(view);
  const state = attentionState(view);
  const hoverToken = (at) => {
    state.hovered = at;
    redraw();
  };
  const grid = headGrid(view, state);
  const large = enlarged(view, state, (cell) => hoverToken(cell && (state.outgoing ? cell.source : cell.destination)));
  const tokens = tokenList(view, "Tokens, coloured by attention weight", {
    choose: (i) => {
      state.chosen = i;
      redraw();
    },
    enter: hoverToken,
    leave: () => hoverToken(null),
  });
  const title = make("p", { class: "hs-note" });
  const ways = wayChoice(view, (outgoing) => {
    state.outgoing = outgoing;
    redraw();
  });
  const scale = make(
    "div",
    { class: "hs-scale" },
    make("span", { text: "weight 0" }),
    make("span", { class: "hs-gradient hs-heat" }),
    make("span", { text: "1 (square-root scale)" }),
  );
  const drawFocus = () => {
    large.draw();
    drawTokens(tokens, title, state);
  };
  const drawAll = () => {
    state.read();
    scale.hidden = grid.box.hidden = ways.hidden = state.shown.count === 0;
    grid.fill();
    drawFocus();
  };
  view.root.append(
    make("fieldset", {}, field("Text", textArea(view), "hs-text")),
    make(
      "div",
      { class: "hs-maps" },
      make("div", { class: "hs-left" }, make("div", {}, grid.box, scale), make("div", { class: "hs-after" }, ways, title, tokens.box)),
      large.box,
    ),
  );
  const all = view.watch(PATTERN_KEYS, drawAll);
  const redraw = view.watch([], drawFocus);
  view.watch(["head"], () => {
    grid.mark();
    redraw();
  });
  onTheme(view, all);
  watchLife(view);
  return view.close;
}

export default { render };
