const LINK = "#neuroscope=";
const CONTROL_KEYS = ["directions", "direction", "index"];
const RESULT_KEYS = ["tokens", "values", "maximum", "density", "selected", "answered", ...CONTROL_KEYS];
/** Whether the page's fragment has been used: only the first neuroscope of a page takes it. */
let fragmentUsed = false;

/** The direction that is chosen, with everything that its state may leave out. */
function chosenDirection(view, value = view.requests.value) {
  const all = list(view.model.get("directions"));
  const at = clampInteger(value("direction"), 0, Math.max(0, all.length - 1));
  const { name = "", unit = "feature", count = 0, labels = null } = all[at] ?? {};
  const last = Math.max(0, count - 1);
  return { at, name, unit, last, labels, index: clampInteger(value("index"), 0, last) };
}

/** The direction to which the results that are shown belong. */
function shownDirection(view) {
  return chosenDirection(view, view.requests.shown);
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The row of controls that choose the direction and the feature. */
function controls(view) {
  const { requests } = view;
  const go = (index) => {
    const { last } = chosenDirection(view);
    requests.send({ index: clampInteger(index, 0, last) });
    draw();
  };
  const step = (by) => go(chosenDirection(view).index + by);
  const select = make("select", {
    onchange: () => {
      const direction = select.selectedIndex;
      const count = list(view.model.get("directions"))[direction]?.count ?? 1;
      requests.send({ direction, index: clampInteger(requests.value("index"), 0, Math.max(0, count - 1)) });
      draw();
    },
  });
  const number = make("input", {
    type: "number",
    min: "0",
    step: "1",
    // While a number is typed it may be empty or too large; leaving the field corrects it.
    oninput: () => {
      const value = number.valueAsNumber;
      if (Number.isInteger(value) && value >= 0 && value <= chosenDirection(view).last) go(value);
    },
    onblur: () => draw(),
  });
  const slider = make("input", { type: "range", min: "0", step: "1", oninput: () => go(slider.value) });
  const before = make("button", { type: "button", text: "‹", onclick: () => step(-1) });
  const after = make("button", { type: "button", text: "›", onclick: () => step(1) });
  const numberField = field("", number, "hs-number");
  let names = "";
  const draw = () => {
    const directions = list(view.model.get("directions")).map((d) => String(d?.name ?? ""));
    if (JSON.stringify(directions) !== names) {
      names = JSON.stringify(directions);
      select.replaceChildren(...directions.map((text) => make("option", { text })));
    }
    const { at, unit, last, index } = chosenDirection(view);
    select.selectedIndex = directions.length > 0 ? at : -1;
    numberField.firstChild.textContent = `${capital(unit)} (0 to ${last})`;
    number.max = slider.max = String(last);
    slider.value = String(index);
    if (number.getRootNode().activeElement !== number) number.value = String(index);
    slider.setAttribute("aria-label", capital(unit));
    before.setAttribute("aria-label", `Previous ${unit}`);
    after.setAttribute("aria-label", `Next ${unit}`);
    before.disabled = index === 0;
    after.disabled = index === last;
  };
  view.watch(CONTROL_KEYS, draw);
  return [
    field("Direction", select, "hs-direction"),
    make("div", { class: "hs-index" }, before, numberField, after, slider),
  ];
}

/** Search by top token, and the list of what was found. */
function search(view) {
  const { requests } = view;
  let typed = false;
  const send = debounce(() => {
    typed = false;
    requests.send({ query: input.value });
  }, 250);
  const input = make("input", {
    type: "search",
    autocomplete: "off",
    oninput: () => {
      typed = true;
      send();
    },
  });
  view.undo.push(send.cancel);
  let found = [];
  const results = make("div", { class: "hs-matches", role: "listbox", "aria-label": "Found", hidden: true });
  const note = make("p", { class: "hs-note", role: "status", hidden: true });
  roving(results, (at) => requests.send({ index: clampInteger(found[at]?.index, 0, Infinity) }));
  view.watch(["matches", "query", "index", "answered"], () => {
    const query = String(requests.value("query") ?? "");
    if (!typed && input.value !== query) input.value = query;
    found = query === "" ? [] : list(view.model.get("matches"));
    const chosen = requests.value("index");
    const option = (match, i) =>
      make(
        "div",
        { role: "option", "data-key": match.index, tabindex: i === 0 ? "0" : "-1", "aria-selected": String(match.index === chosen) },
        make("span", { class: "hs-num", text: match.index ?? "" }),
        make("span", { class: "hs-label", text: visibleLabel(match.label) }),
        make("span", { class: "hs-num", text: typeof match.value === "number" ? short(match.value) : "" }),
      );
    results.hidden = found.length === 0;
    refill(results, ...found.map((match, i) => option(match ?? {}, i)));
    note.hidden = query === "" || found.length > 0;
    note.textContent = note.hidden ? "" : "Nothing found.";
  });
  return make("div", { class: "hs-search" }, field("Search by top token", input), results, note);
}

/** The coloured tokens, what full colour is, and the line of figures. */
function activations(view) {
  const { model, requests } = view;
  const tokens = tokenList(view, "Tokens, coloured by activation", {
    choose: (i) => requests.send({ selected: i === requests.value("selected") ? -1 : i }),
  });
  const [low, middle, high] = [make("span"), make("span", { class: "hs-gradient" }), make("span")];
  const scale = make("div", { class: "hs-scale" }, low, middle, high);
  const figures = make("p", { class: "hs-note" });
  view.watch(RESULT_KEYS, () => {
    const texts = list(model.get("tokens"));
    const values = floats(model.get("values"));
    const full = fullColour(model.get("maximum"), values);
    const selected = requests.value("selected");
    tokens.draw(texts, (i) => {
      const value = values[i] ?? NaN;
      return {
        share: Number.isFinite(value) ? (full > 0 ? value / full : 0) : NaN,
        note: `${i} ${visibleToken(texts[i])}: ${short(value)}`,
        selected: i === selected,
      };
    });
    const negative = values.some((value) => value < 0);
    scale.hidden = texts.length === 0;
    scale.classList.toggle("hs-two-sided", negative);
    low.textContent = negative ? short(-full) : "0";
    high.textContent = short(full);
    figures.textContent = figureLine(shownDirection(view), model, values, texts.length);
  });
  return [figures, tokens.box, scale];
}

function fullColour(maximum, values) {
  if (typeof maximum === "number" && maximum > 0) return maximum;
  return values.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most), 0);
}

function figureLine({ unit, index, labels }, model, values, n) {
  const label = labels?.[index];
  const parts = [`${capital(unit)} ${index}${label ? `: ${label}` : ""}`];
  const [maximum, density] = [model.get("maximum"), model.get("density")];
  if (typeof maximum === "number") parts.push(`largest activation on the corpus ${short(maximum)}`);
  if (typeof density === "number") parts.push(`active on ${percent(density)} of tokens`);
  const missing = values.subarray(0, n).filter((value) => !Number.isFinite(value)).length;
  if (missing > 0) parts.push(`NaN or infinite: ${missing} of ${n} tokens (dashed)`);
  return parts.join(" · ");
}

/** One of the two lists of tokens with bars. */
function logitList(view, key, title) {
  const body = make("ol", { class: "hs-bars", "aria-label": title });
  const box = make("div", {}, make("p", { class: "hs-h", "aria-hidden": "true", text: title }), body);
  view.watch([key], () => {
    const rows = list(view.model.get(key)).filter((row) => typeof row?.value === "number");
    const most = Math.max(...rows.map((row) => Math.abs(row.value)), Number.MIN_VALUE);
    box.hidden = rows.length === 0;
    body.replaceChildren(...rows.map(({ token, value }) => bar(visibleToken(token), value, most)));
  });
  return box;
}

function bar(text, value, most) {
  const fill = make("span", { class: value < 0 ? "hs-fill hs-negative" : "hs-fill" });
  fill.style.width = `${(100 * Math.abs(value)) / most}%`;
  return make(
    "li",
    {},
    make("span", { class: "hs-label", text }),
    make("span", { class: "hs-track" }, fill),
    make("span", { class: "hs-num", text: short(value) }),
  );
}

/** The selected token's top features; a row leads to its feature. */
function breakdown(view) {
  const { model, requests } = view;
  const caption = make("caption", { class: "hs-h" });
  const names = ["", "Activation", "Label", "Contribution to logits"].map((text) => make("th", { scope: "col", text }));
  const body = make("tbody");
  const table = make("table", { class: "hs-breakdown", hidden: true }, caption, make("thead", {}, make("tr", {}, ...names)), body);
  view.watch(["breakdown", "tokens", "answered", ...CONTROL_KEYS], () => {
    const rows = list(model.get("breakdown"));
    const selected = Number(requests.shown("selected") ?? -1);
    const { unit, index } = shownDirection(view);
    table.hidden = rows.length === 0 || selected < 0;
    if (table.hidden) return;
    names[0].textContent = capital(unit);
    caption.textContent = `Largest ${unit} activations at token ${selected} ${visibleToken(list(model.get("tokens"))[selected])}`;
    refill(body, ...rows.map((row) => breakdownRow(row ?? {}, unit, index, requests)));
  });
  return table;
}

function breakdownRow(row, unit, index, requests) {
  const chips = list(row.logits).map(({ token, contribution }) => {
    const sign = contribution > 0 ? "+" : "";
    return make("span", { class: "hs-chip" }, make("b", { text: visibleToken(token) }), ` ${sign}${short(contribution)}`);
  });
  const button = make("button", {
    type: "button",
    text: row.index,
    "data-key": row.index,
    "aria-label": `Show ${unit} ${row.index}`,
    "aria-current": row.index === index ? "true" : null,
  });
  const go = () => requests.send({ index: clampInteger(row.index, 0, Infinity) });
  return make(
    "tr",
    { onclick: go },
    make("td", {}, button),
    make("td", { class: "hs-num", text: short(row.value) }),
    make("td", { text: visibleLabel(row.label) }),
    make("td", {}, ...chips),
  );
}

/** A button that puts a link to the present state on the clipboard, or else into a text field. */
function copyLink(view) {
  const { requests } = view;
  const text = make("input", { type: "text", readonly: true, "aria-label": "Link to this state", hidden: true });
  const copy = async () => {
    const state = Object.fromEntries(["text", "direction", "index", "selected"].map((key) => [key, requests.value(key)]));
    const url = location.href.split("#")[0] + LINK + encodeURIComponent(JSON.stringify(state));
    try {
      await navigator.clipboard.writeText(url);
      text.hidden = true;
      note.textContent = "Link copied.";
      setTimeout(() => (note.textContent = ""), 3000);
    } catch {
      // No permission, or a page without TLS.
      text.hidden = false;
      text.value = url;
      text.select();
    }
  };
  const button = make("button", { type: "button", text: "Copy link", onclick: copy });
  const note = make("span", { class: "hs-note", role: "status" });
  return make("div", { class: "hs-link" }, button, note, text);
}

/** Asks for the state that the page's fragment names. */
function restore({ requests }) {
  if (fragmentUsed || !location.hash.startsWith(LINK)) return;
  fragmentUsed = true;
  let state;
  try {
    state = JSON.parse(decodeURIComponent(location.hash.slice(LINK.length)));
  } catch {
    return;
  }
  const changes = {};
  if (typeof state?.text === "string") changes.text = state.text;
  const lowest = { direction: 0, index: 0, selected: -1 };
  for (const [key, low] of Object.entries(lowest)) {
    if (Number.isInteger(state?.[key]) && state[key] >= low) changes[key] = state[key];
  }
  if (Object.keys(changes).length > 0) requests.send(changes);
}

function render({ model, el }) {
  const view = openView(model, el, "neuroscope");
  createRequests(view, ["direction", "index", "selected"]);
  const area = textArea(view, () => ({ selected: -1 }));
  const promoted = logitList(view, "top_tokens", "Promoted tokens (logits)");
  const suppressed = logitList(view, "bottom_tokens", "Suppressed tokens (logits)");
  view.root.append(
    make("fieldset", {}, field("Text", area, "hs-text"), make("div", { class: "hs-row" }, ...controls(view), search(view))),
    ...activations(view),
    make("div", { class: "hs-two" }, promoted, suppressed),
    make("fieldset", {}, breakdown(view), copyLink(view)),
  );
  watchLife(view);
  restore(view);
  return view.close;
}

export default { render };
