/** Columns: key in `rows`, heading, class of the cells. */
const COLUMNS = [
  ["index", "Feature", "hs-num hs-c-index"],
  ["label", "Label", "hs-c-label"],
  ["top", "Top tokens", "hs-c-top"],
  ["density", "Density", "hs-num hs-c-density"],
  ["maximum", "Maximum", "hs-num hs-c-maximum"],
];
const NUMBERS = ["index", "density", "maximum"];
/** Rows that are made above and below the visible ones. */
const SPARE = 6;
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/** The columns as arrays of one length, with the text that the filter looks at. */
function readRows(model) {
  const rows = model.get("rows") ?? {};
  const numbers = (key) => list(rows[key]).map((value) => (typeof value === "number" ? value : NaN));
  const index = numbers("index");
  const label = index.map((_, i) => String(list(rows.label)[i] ?? ""));
  const top = index.map((_, i) => topText(list(rows.top)[i]));
  const text = index.map((id, i) => `${id} ${label[i]} ${top[i]}`.toLowerCase());
  return { index, label, top, text, density: numbers("density"), maximum: numbers("maximum") };
}

function topText(top) {
  return Array.isArray(top) ? top.map((token) => visibleToken(token?.token ?? token)).join("  ") : visibleToken(top);
}

/** The rows that pass the filter, in the order of `sort`; what has no value comes last. */
function arrange(rows, { text, low, high }, { key, down }) {
  const wanted = text.trim().toLowerCase();
  const within = (value) => (low === null || value >= low) && (high === null || value <= high);
  const found = [];
  for (let i = 0; i < rows.index.length; i++) {
    if (rows.text[i].includes(wanted) && within(rows.density[i])) found.push(i);
  }
  const column = rows[key];
  const sign = down ? -1 : 1;
  const missing = (i) => (NUMBERS.includes(key) ? Number.isNaN(column[i]) : column[i] === "");
  const collator = new Intl.Collator();
  const compare = NUMBERS.includes(key) ? (a, b) => column[a] - column[b] : (a, b) => collator.compare(column[a], column[b]);
  return found.sort((a, b) => missing(a) - missing(b) || sign * (missing(a) ? 0 : compare(a, b)) || a - b);
}

function cellText(rows, key, row) {
  const value = rows[key][row];
  if (key === "density") return Number.isNaN(value) ? "" : percent(value);
  if (key === "maximum") return Number.isNaN(value) ? "" : short(value);
  return String(value);
}

/** The row of filters. `changed` is called after the last key. */
function filters(view, changed) {
  const later = debounce(changed, 120);
  view.undo.push(later.cancel);
  const text = make("input", { type: "search", autocomplete: "off", oninput: later });
  const share = (name) => make("input", { type: "number", min: "0", max: "100", step: "any", placeholder: name, oninput: later });
  const [low, high] = [share("any"), share("any")];
  const read = (input) => (Number.isNaN(input.valueAsNumber) ? null : input.valueAsNumber / 100);
  const box = make(
    "div",
    { class: "hs-row" },
    field("Search in labels and top tokens", text, "hs-grow"),
    field("Density from (%)", low, "hs-share"),
    field("to (%)", high, "hs-share"),
  );
  return { box, read: () => ({ text: text.value, low: read(low), high: read(high) }) };
}

/** The header row, whose buttons sort. */
function header(sort, sorted) {
  const cells = COLUMNS.map(([key, text, className]) => {
    const press = () => {
      // Numbers other than the index start with the largest.
      sort.down = sort.key === key ? !sort.down : key === "density" || key === "maximum";
      sort.key = key;
      mark();
      sorted();
    };
    const button = make("button", { type: "button", text, onclick: press });
    return make("div", { role: "columnheader", class: className }, button);
  });
  const mark = () =>
    cells.forEach((cell, i) => {
      const here = COLUMNS[i][0] === sort.key;
      cell.setAttribute("aria-sort", here ? (sort.down ? "descending" : "ascending") : "none");
    });
  mark();
  return make("div", { role: "row", class: "hs-tr hs-head", "aria-rowindex": "1" }, ...cells);
}

/** A table of which only the rows in sight exist. */
function virtualTable(view, sort, sorted, choose) {
  const id = `hs-row-${Math.random().toString(36).slice(2)}-`;
  const body = make("div", { role: "rowgroup", class: "hs-body" });
  const grid = make("div", { role: "grid", class: "hs-grid", tabindex: "0", "aria-label": "Features" }, header(sort, sorted), body);
  const state = { rows: readRows(view.model), order: [], active: 0 };
  const rowHeight = () => parseFloat(getComputedStyle(body).getPropertyValue("--row")) || 32;
  const rowNode = (place, height) => {
    const row = state.order[place];
    const cells = COLUMNS.map(([key, , className]) => make("div", { role: "gridcell", class: className, text: cellText(state.rows, key, row) }));
    const node = make("div", { role: "row", class: "hs-tr", id: id + place, "aria-rowindex": place + 2, "data-place": place }, ...cells);
    node.setAttribute("aria-selected", String(state.rows.index[row] === view.requests.value("index")));
    node.classList.toggle("hs-active", place === state.active);
    node.style.top = `${place * height}px`;
    return node;
  };
  const draw = () => {
    const height = rowHeight();
    const n = state.order.length;
    const first = Math.max(0, Math.floor(grid.scrollTop / height) - SPARE);
    const last = Math.min(n, Math.ceil((grid.scrollTop + grid.clientHeight) / height) + SPARE);
    body.style.height = `${n * height}px`;
    grid.setAttribute("aria-rowcount", n + 1);
    body.replaceChildren(...Array.from({ length: Math.max(0, last - first) }, (_, i) => rowNode(first + i, height)));
    if (state.active >= first && state.active < last) grid.setAttribute("aria-activedescendant", id + state.active);
    else grid.removeAttribute("aria-activedescendant");
  };
  const move = (place) => {
    const height = rowHeight();
    state.active = Math.max(0, Math.min(state.order.length - 1, place));
    const [top, room] = [state.active * height, grid.clientHeight - grid.firstChild.offsetHeight];
    if (top < grid.scrollTop) grid.scrollTop = top;
    else if (top + height > grid.scrollTop + room) grid.scrollTop = top + height - room;
    draw();
  };
  const pick = (place) => {
    const row = state.order[place];
    if (row !== undefined) choose(state.rows.index[row]);
  };
  grid.addEventListener("keydown", (event) => {
    if (event.target !== grid || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(grid.clientHeight / rowHeight()) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in steps) move(state.active + steps[event.key]);
    else if (event.key === "Enter" || event.key === " ") pick(state.active);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  body.addEventListener("click", (event) => {
    const node = event.target.closest("[data-place]");
    if (node === null) return;
    move(Number(node.dataset.place));
    pick(state.active);
  });
  return { grid, state, draw, move };
}

/** The dashboard that the kernel made, without scripts and without the network. */
function dashboardFrame(view) {
  const frame = make("iframe", { sandbox: "", title: "Dashboard of the feature" });
  const box = make("div", { class: "hs-frame" }, frame);
  const hint = make("p", { class: "hs-note", text: "Choose a feature to see its dashboard." });
  let shown = "";
  view.watch(["dashboard"], () => {
    const html = String(view.model.get("dashboard") ?? "");
    box.hidden = html === "";
    hint.hidden = !box.hidden;
    if (html === shown) return;
    shown = html;
    const head = `<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${POLICY}">`;
    frame.srcdoc = `${head}<meta name="color-scheme" content="light dark"><title>Dashboard</title>${html}`;
  });
  return [hint, box];
}

function render({ model, el }) {
  const view = openView(model, el, "features");
  const { send } = createRequests(view);
  const sort = { key: "index", down: false };
  const count = make("p", { class: "hs-note", role: "status" });
  const choose = (index) => {
    send({ index });
    table.draw();
  };
  const rearrange = () => {
    const { state, grid } = table;
    state.order = arrange(state.rows, filter.read(), sort);
    const at = state.order.findIndex((row) => state.rows.index[row] === view.requests.value("index"));
    state.active = Math.max(0, at);
    grid.scrollTop = 0;
    count.textContent = `${state.order.length} of ${state.rows.index.length} features`;
    table.draw();
  };
  const table = virtualTable(view, sort, rearrange, choose);
  const filter = filters(view, rearrange);
  view.root.append(filter.box, count, table.grid, ...dashboardFrame(view));
  view.watch(["rows"], () => {
    table.state.rows = readRows(model);
    rearrange();
  });
  const redraw = view.watch(["index", "answered"], table.draw);
  table.grid.addEventListener("scroll", redraw, { passive: true });
  const observer = new ResizeObserver(redraw);
  observer.observe(table.grid);
  view.undo.push(() => observer.disconnect());
  watchLife(view);
  return view.close;
}

export default { render };
