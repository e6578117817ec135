const KEYS = ["label", "done", "total", "unit", "elapsed", "running", "stop"];
const HEIGHT = 190;
const MARGIN = { left: 56, right: 10, top: 8, bottom: 36 };

/** Seconds as people read them, as in the library's progress line. */
function duration(seconds) {
  if (!(seconds >= 0)) return "";
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : seconds.toFixed(0)} s`;
  const whole = Math.floor(seconds);
  const two = (n) => String(n).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor(whole / 60) % 60)} min`;
}

/** `120/600 steps (20 %), 14 s, 56 s left`. */
function progressLine(model, ended) {
  const [done, total, elapsed] = ["done", "total", "elapsed"].map((key) => Number(model.get(key)) || 0);
  const parts = [`${done}${total > 0 ? `/${total}` : ""} ${model.get("unit") ?? ""}`.trim()];
  if (total > 0) parts[0] += ` (${Math.floor((100 * done) / total)} %)`;
  if (elapsed > 0) parts.push(duration(elapsed));
  if (!ended && done > 0 && total > done && elapsed > 0) parts.push(`${duration((elapsed * (total - done)) / done)} left`);
  return parts.join(", ");
}

/** The curves with finite points, by unit, in the order in which the units come. */
function readPanels(model) {
  const panels = new Map();
  list(model.get("figures")).forEach((figure) => {
    const [steps, values] = [floats(figure?.steps), floats(figure?.values)];
    const unit = String(figure?.unit ?? "");
    const points = [];
    for (let i = 0; i < Math.min(steps.length, values.length); i++) points.push([steps[i], values[i]]);
    if (!panels.has(unit)) panels.set(unit, []);
    const curves = panels.get(unit);
    curves.push({ name: String(figure?.name ?? ""), points, place: curves.length });
  });
  return panels;
}

/** Ticks at multiples of 1, 2 or 5 times a power of ten (Heckbert 1990). */
function ticks(low, high, target) {
  const rough = (high - low) / target;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5].find((f) => rough / power < 1.5 * f) ?? 10;
  const step = factor * power;
  const first = Math.ceil(low / step - 1e-6);
  const count = Math.floor(high / step + 1e-6) - first + 1;
  if (!(count > 0 && count < 100)) return [];
  const decimals = Math.max(0, -Math.floor(Math.log10(step * 1.000001)));
  const text = (at) => (decimals > 5 || Math.abs(at) >= 1e7 ? short(at) : at.toFixed(decimals).replace("-", "−"));
  return Array.from({ length: count }, (_, i) => (first + i) * step).map((at) => ({ at, text: text(at) }));
}

/** The smallest interval around the numbers, never empty. */
function range(numbers) {
  let [low, high] = [Infinity, -Infinity];
  for (const x of numbers) {
    if (!Number.isFinite(x)) continue;
    low = Math.min(low, x);
    high = Math.max(high, x);
  }
  if (low > high) return [0, 1];
  const room = high > low ? 0 : Math.abs(high) / 2 || 1;
  return [low - room, high + room];
}

/** A curve as an SVG path: of the points on one pixel across, the lowest and the highest are kept. */
function path(points, x, y) {
  let out = "";
  let up = true;
  for (let i = 0; i < points.length; ) {
    const column = Math.round(x(points[i][0]));
    let [least, most] = [null, null];
    for (; i < points.length && Math.round(x(points[i][0])) === column; i++) {
      const value = points[i][1];
      if (!Number.isFinite(value)) continue;
      if (least === null || value < points[least][1]) least = i;
      if (most === null || value > points[most][1]) most = i;
    }
    // A step without a value interrupts the curve.
    if (least === null) up = true;
    for (const j of least === null ? [] : [...new Set([Math.min(least, most), Math.max(least, most)])]) {
      out += `${up ? "M" : "L"}${x(points[j][0]).toFixed(1)} ${y(points[j][1]).toFixed(1)}`;
      up = false;
    }
  }
  return out;
}

function axes(svg, { x, y, xs, ys, width, unit }) {
  const base = HEIGHT - MARGIN.bottom;
  for (const { at, text } of ticks(...ys, 4)) {
    svg.append(svgNode("path", { class: "hs-rule", d: `M${MARGIN.left} ${y(at).toFixed(1)}H${width - MARGIN.right}` }));
    svg.append(svgNode("text", { x: MARGIN.left - 6, y: y(at) + 4, "text-anchor": "end" }, text));
  }
  for (const { at, text } of ticks(...xs, width / 90)) {
    svg.append(svgNode("text", { x: x(at), y: base + 16, "text-anchor": "middle" }, text));
  }
  svg.append(svgNode("path", { class: "hs-axis", d: `M${MARGIN.left} ${base}H${width - MARGIN.right}` }));
  svg.append(svgNode("text", { x: (MARGIN.left + width - MARGIN.right) / 2, y: HEIGHT - 4, "text-anchor": "middle" }, unit));
}

/** The last point with a value, or the one nearest to `step`. */
function pointAt(points, step) {
  const finite = points.filter((point) => Number.isFinite(point[1]));
  if (step === null) return finite.at(-1);
  return finite.reduce((best, point) => (best && Math.abs(best[0] - step) <= Math.abs(point[0] - step) ? best : point), undefined);
}

/** One panel: the curves of one unit, with a legend that gives their last values or those under the pointer. */
function panel(unit, redraw) {
  const svg = svgNode("svg", { role: "img" });
  const legend = make("ul", { class: "hs-legend" });
  const caption = make("figcaption", { class: "hs-h" });
  const box = make("figure", { class: "hs-panel" }, caption, legend, svg);
  let step = null;
  let scale = null;
  svg.addEventListener("pointermove", (event) => {
    step = scale && scale.back(event.offsetX);
    redraw();
  });
  svg.addEventListener("pointerleave", () => {
    step = null;
    redraw();
  });
  const draw = (curves, xUnit) => {
    const width = Math.max(200, box.clientWidth || 360);
    const all = curves.flatMap((curve) => curve.points.filter((point) => Number.isFinite(point[1])));
    const [xs, ys] = [range(all.map((point) => point[0])), range(all.map((point) => point[1]))];
    const x = (at) => MARGIN.left + ((at - xs[0]) / (xs[1] - xs[0])) * (width - MARGIN.left - MARGIN.right);
    const y = (at) => HEIGHT - MARGIN.bottom - ((at - ys[0]) / (ys[1] - ys[0])) * (HEIGHT - MARGIN.top - MARGIN.bottom);
    const back = (px) => xs[0] + ((px - MARGIN.left) / (width - MARGIN.left - MARGIN.right)) * (xs[1] - xs[0]);
    scale = { back };
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    caption.textContent = unit || curves.map((curve) => curve.name).join(", ");
    svg.replaceChildren();
    svg.toggleAttribute("hidden", all.length === 0);
    axes(svg, { x, y, xs, ys, width, unit: xUnit });
    const notes = curves.map((curve) => {
      const at = pointAt(curve.points, step);
      const look = `hs-curve hs-c${curve.place % 7}`;
      svg.append(svgNode("path", { class: look, d: path(curve.points, x, y) }));
      if (at && (step !== null || curve.points.length === 1)) {
        svg.append(svgNode("circle", { class: look, cx: x(at[0]), cy: y(at[1]), r: 3 }));
      }
      return { curve, text: at ? `${curve.name} ${short(at[1])}${step === null ? "" : ` at ${at[0]}`}` : `${curve.name}: no value yet` };
    });
    legend.replaceChildren(...notes.map(({ curve, text }) => make("li", { class: `hs-c${curve.place % 7}` }, make("span", { text }))));
    svg.setAttribute("aria-label", `${unit} over ${xUnit}: ${notes.map((note) => note.text).join(", ")}`);
  };
  return { box, draw };
}

/** The panels, one for each unit. */
function charts(view) {
  const box = make("div", { class: "hs-panels" });
  const panels = new Map();
  const draw = () => {
    const found = readPanels(view.model);
    const xUnit = String(view.model.get("unit") ?? "");
    for (const unit of found.keys()) {
      if (!panels.has(unit)) panels.set(unit, panel(unit, () => later()));
    }
    const boxes = [...found.keys()].map((unit) => panels.get(unit).box);
    if (boxes.length !== box.children.length || boxes.some((node, i) => node !== box.children[i])) box.replaceChildren(...boxes);
    for (const [unit, curves] of found) panels.get(unit).draw(curves, xUnit);
  };
  view.root.append(box);
  const later = view.watch(["figures", "unit"], draw);
  const observer = new ResizeObserver(() => later());
  observer.observe(box);
  view.undo.push(() => observer.disconnect());
}

function render({ model, el }) {
  const view = openView(model, el, "training");
  const title = make("span", { class: "hs-title" });
  const line = make("span", { class: "hs-note hs-line" });
  const progress = make("progress", { "aria-label": "Progress" });
  const stop = make("button", {
    type: "button",
    text: "Stop",
    onclick: () => {
      model.set("stop", true);
      model.save_changes();
      draw();
    },
  });
  const draw = () => {
    const running = model.get("running") === true && !view.dead;
    const stopping = running && model.get("stop") === true;
    const [done, total] = ["done", "total"].map((key) => Number(model.get(key)) || 0);
    const finished = total > 0 && done >= total;
    title.textContent = String(model.get("label") ?? "");
    line.textContent = progressLine(model, !running);
    // Without a total there is no share to show.
    progress.hidden = total === 0;
    progress.max = Math.max(1, total);
    progress.value = Math.min(done, total);
    stop.hidden = !running;
    stop.disabled = stopping;
    const ended = finished ? "finished" : done > 0 ? "stopped" : "";
    view.say("state", stopping ? "stopping after this step" : running || view.dead ? "" : ended);
  };
  view.root.append(make("fieldset", { class: "hs-top" }, title, line, stop), progress);
  view.onLife = view.watch(KEYS, draw);
  watchLife(view);
  charts(view);
  return view.close;
}

export default { render };
