(() => {
  "use strict";
  const plain = (text) => text.trim().toLowerCase();
  const one = (id) => document.getElementById(id);
  const items = JSON.parse(one("data").textContent).features.map((item, place) => ({
    ...item,
    place,
    node: one("c" + place),
    active: item.active.map(plain),
    promoted: item.promoted.map(plain),
    heading: plain(item.heading),
  }));
  const [form, list, found] = [one("controls"), one("list"), one("found")];
  const { query, where, order, reversed } = form.elements;
  const holds = (item, text) =>
    text === "" ||
    (where.value !== "promoted" && item.active.some((token) => token.includes(text))) ||
    (where.value !== "active" && item.promoted.some((token) => token.includes(text))) ||
    (where.value === "anywhere" && (item.heading.includes(text) || String(item.id) === text));
  // The first in each order; what has no figure comes last.
  const orders = {
    id: (a, b) => a.id - b.id,
    density: (a, b) => b.density - a.density,
    max: (a, b) => b.max - a.max,
    label: (a, b) => a.heading.localeCompare(b.heading),
    loss: (a, b) => b.loss - a.loss,
  };
  const update = () => {
    const text = plain(query.value);
    const sign = reversed.getAttribute("aria-pressed") === "true" ? -1 : 1;
    const missing = (item) => order.value === "loss" && item.loss === null;
    const sorted = [...items].sort(
      (a, b) =>
        missing(a) - missing(b) || sign * orders[order.value](a, b) || a.place - b.place,
    );
    let n = 0;
    for (const item of sorted) {
      const shown = holds(item, text);
      item.node.hidden = !shown;
      n += shown;
    }
    list.append(...sorted.map((item) => item.node));
    found.textContent = `${n} of ${items.length} features`;
  };
  const open = () => {
    const body = one(location.hash.slice(1));
    const feature = body && body.closest("details.feature");
    if (!feature) return;
    if (feature.hidden) {
      query.value = "";
      update();
    }
    feature.open = true;
    body.scrollIntoView();
  };
  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  reversed.addEventListener("click", () => {
    const pressed = reversed.getAttribute("aria-pressed") !== "true";
    reversed.setAttribute("aria-pressed", String(pressed));
    update();
  });
  // As on many pages: "/" goes to the search, j and k to the next and the previous feature.
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, select, textarea");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      event.preventDefault();
      query.focus();
    } else if (event.key === "j" || event.key === "k") {
      const shown = [...list.querySelectorAll("details.feature:not([hidden]) > summary")];
      const at = shown.findIndex((node) => node.parentNode.contains(document.activeElement));
      const next = shown[event.key === "j" ? at + 1 : Math.max(0, at - 1)];
      if (next) next.focus();
    }
  });
  addEventListener("hashchange", open);
  form.hidden = false;
  update();
  open();
})();
