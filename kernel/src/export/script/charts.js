"use strict";
// Charts that answer. A chart carries its data as JSON in <metadata>; src/show/chart/data.rs says how.
// Over each drawing area this script lays a box that hears pointer and keys, over each entry of a legend
// a button, and below the chart a button for its table. Places are in the picture's units.
const said = (v) => String(v).replaceAll("-", "\u2212");
const short = (v) => said(+v.toPrecision(6));
const safe = (text) => String(text).replace(/[&<"]/g, (c) => `&#${c.charCodeAt()};`);
const held = ({ ctrlKey, altKey, metaKey }) => ctrlKey || altKey || metaKey;
const add = (to, html) => (to.insertAdjacentHTML("beforeend", html), to.lastElementChild);
let clips = 0;

// What can be pointed at: its row (series), place and name, and labels with texts.
function pointsOf({ series, cells, bins, area: [l, t, r, b], x: X, y: Y }) {
  const place = ({ lo, hi, log }, v) => ((log ? Math.log10(v) : v) - lo) / (hi - lo);
  const at = (row, x, y) => ({ row, x: l + place(X, x) * (r - l), y: b + place(Y, y) * (t - b) });
  if (cells) return cells.values.flatMap((v, i) => {
    const [rows, columns] = cells.shape, [row, column] = [Math.floor(i / columns), i % columns];
    const told = [[Y.label || "row", cells.y[row] ?? row], [X.label || "column", cells.x[column] ?? column], [cells.z || "value", said(v)]];
    return v === null ? [] : [{ ...at(row, column + 0.5, row + 0.5), wide: (r - l) / columns, high: (b - t) / rows, told }];
  });
  return series.flatMap(({ name, x, y = [], low, high, text }, row) => y.map((v, i) => {
    const edge = (n) => short(bins[0] + (i + n) * bins[1]);
    const u = bins ? bins[0] + (i + 0.5) * bins[1] : x[i] ?? +(x.from + i * x.by).toPrecision(9);
    const about = low?.[i] != null ? ` (${said(low[i])} to ${said(high[i])})` : "";
    const told = [[X, "x", bins ? `${edge(0)} to ${edge(1)}` : Number.isInteger(u) ? said(u) : said(+u.toPrecision(5))], [Y, "y", said(v) + about]];
    return { ...at(row, u, v), name: [name, text?.[i]].filter(Boolean).join(": "), called: text?.[i], told: told.flatMap(([{ label }, or, text]) => (label == null ? [] : [[label || or, text]])) };
  }));
}

// About five round numbers between two places of an axis, with their places.
function ticks(lo, hi, log) {
  if (log && hi - lo < 1) return ticks(10 ** lo, 10 ** hi).map(([at, text]) => [Math.log10(at), text]);
  const power = 10 ** Math.floor(Math.log10((hi - lo) / 5));
  const fine = power * [1, 2, 5, 10].find((n) => (hi - lo) / (power * n) <= 6), by = log ? Math.ceil(fine) : fine;
  const all = Array.from({ length: Math.floor(hi / by) - Math.ceil(lo / by) + 1 }, (_, i) => (Math.ceil(lo / by) + i) * by);
  return all.map((at) => [at, short(log ? 10 ** at : at)]);
}

class Panel {
  constructor(layer, tip, svg, data, title) {
    Object.assign(this, { layer, tip, svg, data, points: pointsOf(data), area: data.area, view: data.area, off: new Set(), id: "chart-clip-" + clips++ });
    this.zooms = !data.cells && data.x.label != null && data.y.label != null;
    const [l, t, r, b] = this.area, keys = this.zooms ? "; plus and minus zoom, Escape shows all" : "";
    this.plot = add(layer, `<div class="chart-plot" tabindex="0" role="application" aria-roledescription="chart" aria-label="${safe(title)}: arrow keys move along the data${keys}"></div>`);
    this.put(this.plot, l, t, r - l, b - t);
    this.ring = add(layer, '<div class="chart-ring" hidden></div>');
    this.frame = add(layer, '<div class="chart-frame" hidden></div>');
    this.marks = [...svg.querySelectorAll("[data-s], [data-m]")];
    this.pointer();
    this.keys();
    svg.querySelectorAll(':scope > rect[width="140"][height="100"] + text').forEach((name, row) => this.legend(name, row));
  }
  put(node, x, y, w, h) {
    const { width, height } = this.svg.viewBox.baseVal;
    node.style.cssText = `left:${100 * x / width}%;top:${100 * y / height}%;width:${100 * w / width}%;height:${100 * h / height}%`;
  }
  // From a place in the whole picture to that in what is shown of it.
  to(x, y) {
    const [l, t, r, b] = this.area, [x0, y0, x1, y1] = this.view;
    return [l + (x - x0) / (x1 - x0) * (r - l), t + (y - y0) / (y1 - y0) * (b - t)];
  }
  seen() {
    const [x0, y0, x1, y1] = this.view;
    return this.points.filter(({ row, x, y }) => !this.off.has(row) && x > x0 - 2 && x < x1 + 2 && y > y0 - 2 && y < y1 + 2);
  }
  nearest(x, y, among = this.seen()) {
    const far = (p) => Math.hypot((this.to(p.x, p.y)[0] - x) / (p.wide ?? 1), (this.to(p.x, p.y)[1] - y) / (p.high ?? 1));
    return among.reduce((best, p) => (best && far(best) <= far(p) ? best : p), null);
  }
  show(point, live = "off") {
    const { tip, ring, layer } = this;
    this.now = point;
    tip.hidden = ring.hidden = !point;
    if (!point) return;
    const { wide = 110, high = 110, name, told } = point, [x, y] = this.to(point.x, point.y);
    this.put(ring, x - wide / 2, y - high / 2, wide, high);
    ring.classList.toggle("cell", !!point.wide);
    tip.ariaLive = live;
    tip.innerHTML = (name ? `<strong>${safe(name)}</strong>` : "") + told.map(([label, text]) => `<div>${safe(label)}: <b>${safe(text)}</b></div>`).join("");
    // Above the point, on the side that has room.
    const left = ring.offsetLeft + ring.offsetWidth / 2, fits = left + 12 + tip.offsetWidth < layer.clientWidth;
    tip.style.left = Math.max(0, fits ? left + 12 : left - 12 - tip.offsetWidth) + "px";
    tip.style.top = Math.max(0, layer.offsetTop + ring.offsetTop - tip.offsetHeight) + "px";
  }
  // Shows a part of the drawing area. Of a mark absolute coordinates move and relative ones stay.
  look(next) {
    const all = next[2] - next[0] >= this.area[2] - this.area[0];
    this.view = all ? this.area : next;
    this.show();
    this.svg.classList.toggle("chart-zoomed", !all);
    for (const mark of this.marks) {
      mark.setAttribute("clip-path", all ? "none" : `url(#${this.id})`);
      for (const node of [mark, ...mark.querySelectorAll("*")]) this.move(node, mark.dataset.m, all);
    }
    this.ticks?.remove();
    if (!all) this.ticks = this.scale();
  }
  move(node, only, all) {
    const up = node.tagName === "text" ? 60 : 0;
    const x = (v) => (only === "y" ? +v : Math.round(this.to(v, 0)[0])), y = (v) => (only === "x" ? +v : Math.round(this.to(0, +v + up)[1]) - up);
    const was = (node.was ??= Object.fromEntries([...node.attributes].map(({ name, value }) => [name, value])));
    const moved = {
      x, y, cx: x, cy: y, width: (v) => x(+was.x + +v) - x(was.x), height: (v) => y(+was.y + +v) - y(was.y),
      points: (v) => v.replace(/([\d.-]+),([\d.-]+)/g, (_, u, w) => `${x(u)},${y(w)}`),
      d: (v) => v.replace(/([MLHV])([\d.-]+)(?: ([\d.-]+))?/g, (_, c, u, w) => c + (c === "V" ? y(u) : w ? `${x(u)} ${y(w)}` : x(u))),
    };
    for (const key in moved) if (key in was) node.setAttribute(key, all ? was[key] : moved[key](was[key]));
  }
  scale() {
    const { area: [l, t, r, b], view: [x0, y0, x1, y1], data, svg } = this;
    const along = ({ lo, hi, log }, from, to, at) => ticks(lo + from * (hi - lo), lo + to * (hi - lo), log).map(([v, text]) => [at((v - lo) / (hi - lo)), text]);
    const up = along(data.y, (b - y1) / (b - t), (b - y0) / (b - t), (v) => this.to(0, b - v * (b - t))[1]);
    const across = along(data.x, (x0 - l) / (r - l), (x1 - l) / (r - l), (v) => this.to(l + v * (r - l), 0)[0]);
    const lines = `<path stroke="#e7e7e4" d="${up.map(([y]) => `M${l} ${y}H${r}`).join("")}"/><path stroke="#9aa0a6" d="M${l} ${t}V${b}H${r}${across.map(([x]) => `M${x} ${b}v35`).join("")}"/>`;
    // Numbers of the vertical axis stand within the area: beside it there may be no room for them.
    const texts = up.map(([y, text]) => `<text x="${l + 40}" y="${y - 25}" stroke="#fdfdfc" stroke-width="30" paint-order="stroke">${text}</text>`).concat(across.map(([x, text]) => `<text x="${x}" y="${b + 70}" dy="0.76em" text-anchor="middle">${text}</text>`));
    const group = document.createElementNS(svg.namespaceURI, "g");
    group.innerHTML = `<clipPath id="${this.id}"><rect x="${l}" y="${t}" width="${r - l}" height="${b - t}"/></clipPath><g fill="none" stroke-width="10">${lines}</g><g font-size="115" fill="#57606a">${texts.join("")}</g>`;
    return svg.insertBefore(group, this.marks[0]);
  }
  // Of what is shown, the part between these places; more of it where they lie outside.
  zoom(...part) {
    const [l, t, r, b] = this.area, [x0, y0, x1, y1] = this.view;
    if (this.zooms) this.look(part.map((v, i) => (i % 2 ? y0 + (v - t) / (b - t) * (y1 - y0) : x0 + (v - l) / (r - l) * (x1 - x0))));
  }
  zoomAt([x, y], by) {
    const [l, t, r, b] = this.area;
    this.zoom(x - (x - l) * by, y - (y - t) * by, x + (r - x) * by, y + (b - y) * by);
  }
  pointer() {
    const { plot, frame, area: [l, t, r, b] } = this, on = (name, does) => plot.addEventListener(name, does, { passive: false });
    const where = ({ clientX, clientY }) => {
      const box = plot.getBoundingClientRect();
      return [l + (clientX - box.left) / box.width * (r - l), t + (clientY - box.top) / box.height * (b - t)];
    };
    let from = null;
    const dragged = (event) => {
      const [x, y] = where(event), [u, v] = from;
      return [Math.max(l, Math.min(x, u)), Math.max(t, Math.min(y, v)), Math.min(r, Math.max(x, u)), Math.min(b, Math.max(y, v))];
    };
    on("pointerdown", (event) => {
      if (event.pointerType !== "mouse" || event.button || !this.zooms) return;
      from = where(event);
      plot.setPointerCapture(event.pointerId);
    });
    on("pointermove", (event) => {
      if (event.pointerType !== "mouse") return;
      this.show(from ? null : this.nearest(...where(event)));
      frame.hidden = !from;
      if (!from) return;
      const [x0, y0, x1, y1] = dragged(event);
      this.put(frame, x0, y0, x1 - x0, y1 - y0);
    });
    // Nothing is selected or dragged away while a rectangle is drawn.
    on("mousedown", (event) => {
      event.preventDefault();
      plot.focus({ preventScroll: true });
    });
    for (const end of ["pointerup", "pointercancel"]) on(end, (event) => {
      const part = from && end === "pointerup" && dragged(event);
      from = null;
      frame.hidden = true;
      if (part && part[2] - part[0] > 80 && part[3] - part[1] > 80) this.zoom(...part);
    });
    on("click", (event) => this.show(this.nearest(...where(event))));
    on("pointerleave", ({ pointerType }) => pointerType === "mouse" && this.show());
    on("dblclick", () => this.look(this.area));
    on("wheel", (event) => {
      if (!this.zooms || !held(event)) return;
      event.preventDefault();
      this.zoomAt(where(event), event.deltaY < 0 ? 0.8 : 1.25);
    });
  }
  keys() {
    const steps = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1], Home: [-1e9, 0], End: [1e9, 0] };
    this.plot.addEventListener("blur", () => this.show());
    this.plot.addEventListener("keydown", (event) => {
      const list = this.seen(), rows = [...new Set(list.map((p) => p.row))], at = this.now ?? list[0], step = steps[event.key];
      const [l, t, r, b] = this.area, place = this.now ? this.to(at.x, at.y) : [(l + r) / 2, (t + b) / 2];
      if (held(event)) return;
      if (event.key === "Escape") this.look(this.area);
      else if ("+=-".includes(event.key)) {
        const { now } = this;
        this.zoomAt(place, event.key === "-" ? 1.5 : 2 / 3);
        if (now) this.show(now, "polite");
      }
      else if (step && at) {
        // Along the series; up and down lead to the next one where there are several.
        const same = list.filter((p) => p.row === at.row), by = rows.length > 1 ? step[0] : step[0] + step[1];
        const other = list.filter((p) => p.row === rows[rows.indexOf(at.row) + step[1]]);
        const next = by ? same[Math.max(0, Math.min(same.length - 1, same.indexOf(at) + by))] : this.nearest(...place, other) ?? at;
        this.show(this.now ? next : at, "polite");
      } else return;
      event.preventDefault();
    });
  }
  legend(name, row) {
    const mark = name.previousElementSibling, wide = name.getBBox().width || 62 * name.textContent.length;
    const key = add(this.layer, `<button type="button" class="chart-key" aria-pressed="true" aria-label="${safe(name.textContent)}"></button>`);
    this.put(key, mark.getAttribute("x") - 30, mark.getAttribute("y") - 40, 250 + wide, 180);
    key.addEventListener("click", () => {
      const hide = !this.off.delete(row);
      if (hide) this.off.add(row);
      key.ariaPressed = !hide;
      for (const node of this.marks) if (node.dataset.s === String(row)) node.style.display = hide ? "none" : "";
      mark.style.opacity = name.style.opacity = hide ? 0.35 : "";
      this.show();
    });
  }
}

// One column a series (or of a heat map) where no two points have one place there, else one row a point.
function table(data, points, title) {
  const series = (p) => data.series[p.row].name, several = new Set(points.map((p) => p.row)).size > 1;
  const labels = points[0].told.map(([label]) => label), texts = (p) => p.told.map(([, text]) => text);
  const keys = (p) => (data.cells ? texts(p) : [texts(p)[0], several ? series(p) : labels[1], texts(p)[1]]);
  const columns = [...new Set(points.map((p) => keys(p)[1]))], rows = new Map();
  let head = [data.cells ? labels[0] + " \\ " + labels[1] : labels[0], ...columns];
  for (const [row, column, text] of (data.cells ? points : [...points].sort((p, q) => p.x - q.x)).map(keys)) {
    if (!rows.has(row)) rows.set(row, [row, ...columns.map(() => "")]);
    rows.get(row)[1 + columns.indexOf(column)] += text;
  }
  let body = [...rows.values()];
  if (!data.cells && (data.series.some((one) => one.text) || new Set(points.map((p) => p.row + " " + p.x)).size < points.length)) {
    const named = data.series.some((one) => one.text), first = (list) => list.filter((one) => one !== false);
    head = first([several && "series", named && "name", ...labels]);
    body = points.map((p) => first([several && series(p), named && p.called, ...texts(p)]));
  }
  const cells = (row, to, rest) => row.map((text, i) => (i && rest ? `<td>${safe(text)}</td>` : `<th scope="${to}">${safe(text)}</th>`)).join("");
  return `<table><caption>${safe(title)}</caption><thead><tr>${cells(head, "col")}</tr></thead><tbody>${body.map((row) => `<tr>${cells(row, "row", true)}</tr>`).join("")}</tbody></table>`;
}

function chart(root) {
  const chart = document.createElement("div"), { width, height } = root.viewBox.baseVal;
  chart.className = "chart";
  root.replaceWith(chart);
  chart.append(root);
  const tip = add(chart, '<div class="chart-tip" aria-atomic="true" hidden></div>'), tables = [];
  let title = "Chart";
  for (const node of root.querySelectorAll("metadata.chart")) {
    const svg = node.closest("svg"), data = JSON.parse(node.textContent);
    title = [...svg.querySelectorAll(':scope > text[font-weight="bold"]')].map((line) => line.textContent).join(" ") || title;
    const layer = add(chart, '<div class="chart-panel"></div>');
    if (svg !== root) layer.style.cssText = `top:${100 * svg.y.baseVal.value / height}%;width:${100 * svg.width.baseVal.value / width}%;height:${100 * svg.height.baseVal.value / height}%`;
    const { points } = new Panel(layer, tip, svg, data, title);
    const of = data.cells?.z || data.y.label || data.x.label;
    if (points.length) tables.push(() => table(data, points, of ? `${title}: ${of}` : title));
  }
  chart.append(tip);
  if (!tables.length) return;
  chart.insertAdjacentHTML("afterend", `<div class="chart-tools"><button type="button" aria-expanded="false">Show the table</button></div><div class="chart-data" role="region" tabindex="0" aria-label="${safe(title)}, data" hidden></div>`);
  const tools = chart.nextElementSibling, [button, box] = [tools.firstChild, tools.nextElementSibling];
  button.addEventListener("click", () => {
    if (!box.firstChild) box.innerHTML = tables.map((one) => one()).join("");
    box.hidden = !box.hidden;
    button.ariaExpanded = !box.hidden;
    button.textContent = box.hidden ? "Show the table" : "Hide the table";
  });
}
for (const root of document.querySelectorAll("svg:not(svg svg):has(metadata.chart)")) {
  // What is no chart of ours stays as it is.
  try { chart(root); } catch { continue; }
}
