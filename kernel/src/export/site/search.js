const box = document.getElementById("search");
const query = document.getElementById("query");
const found = document.getElementById("found");
const results = document.getElementById("results");
const list = document.getElementById("pages");
const MOST = 30;
const plain = (text) => text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
const entries = PAGES.flatMap((page) => page.sections.map((section) => ({
  page, section, heading: plain(section.title), text: plain(section.text), of: plain(page.title),
})));

// How well a section answers: 0 where a word is nowhere in it.
function score(entry, words) {
  let sum = 0;
  for (const word of words) {
    const parts = [[entry.heading, 8], [entry.of, 4], [entry.text, 1]];
    const best = Math.max(...parts.map(([text, weight]) => {
      const at = text.indexOf(word);
      if (at < 0) return 0;
      return at === 0 || !/[\p{L}\p{N}]/u.test(text[at - 1]) ? 2 * weight : weight;
    }));
    if (best === 0) return 0;
    sum += best;
  }
  return sum;
}

// Some words around the first that was found, with those marked that were looked for.
function excerpt(section, words) {
  const lower = section.text.toLowerCase();
  const places = words.map((word) => lower.indexOf(word)).filter((at) => at >= 0);
  const first = (places.length ? Math.min(...places) : 0) - 60;
  // Whole words only.
  const from = first <= 0 ? 0 : section.text.indexOf(" ", first) + 1;
  const most = section.text.slice(from, from + 200);
  const goesOn = from + 200 < section.text.length;
  const piece = goesOn ? most.slice(0, Math.max(most.lastIndexOf(" "), 0)) : most;
  const line = document.createElement("p");
  let rest = (from > 0 ? "\u2026 " : "") + piece + (goesOn ? " \u2026" : "");
  while (rest) {
    const low = rest.toLowerCase();
    const next = words.map((word) => [low.indexOf(word), word.length]).filter(([at]) => at >= 0).sort((a, b) => a[0] - b[0])[0];
    if (!next) break;
    line.append(rest.slice(0, next[0]));
    const mark = document.createElement("mark");
    mark.textContent = rest.slice(next[0], next[0] + next[1]);
    line.append(mark);
    rest = rest.slice(next[0] + next[1]);
  }
  line.append(rest);
  return line;
}

function search() {
  const words = plain(query.value).split(/\s+/).filter(Boolean);
  results.replaceChildren();
  list.hidden = words.length > 0;
  if (words.length === 0) { found.textContent = ""; return; }
  const hits = entries.map((entry) => [score(entry, words), entry]).filter(([points]) => points > 0);
  hits.sort((a, b) => b[0] - a[0]);
  found.textContent = hits.length === 0 ? "Nothing found." : hits.length === 1 ? "1 section" : hits.length + " sections" + (hits.length > MOST ? ", the first " + MOST + " of them:" : "");
  for (const [, { page, section }] of hits.slice(0, MOST)) {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = page.link + (section.id ? "#" + encodeURIComponent(section.id) : "");
    link.textContent = section.title && section.title !== page.title ? page.title + " \u203a " + section.title : page.title;
    item.append(link, excerpt(section, words));
    results.append(item);
  }
}

box.hidden = false;
query.addEventListener("input", search);
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== query) { event.preventDefault(); query.focus(); }
});
// A page that is come back to has its query still.
search();
