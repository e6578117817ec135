// The formulas of an exported page beside what KaTeX makes of them, as one page
// to look at. Needs `npm install katex` in this folder.
//
//     node compare.mjs page.html compare.html
//     chromium --headless --screenshot=compare.png --window-size=1180,6000 compare.html
import fs from "node:fs";
import { createRequire } from "node:module";

const katex = createRequire(import.meta.url)("katex");
const [, , from, to] = process.argv;
const page = fs.readFileSync(from, "utf8");
const style = page.match(/<style>[^]*?<\/style>/)[0];
const escape = (text) => text.replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);
const unescape = (text) =>
  text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name) => ({ amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" })[name]);

const formulas = page.matchAll(/<math[^]*?<\/math>|<span class="math-error"[^]*?<\/span>/g);
const macros = {};
const rows = [...formulas].map(([ours]) => {
  const source = ours.match(/x-tex">([^]*?)<\/annotation>|<code>\$*([^]*?)\$*<\/code>/);
  const latex = unescape(source ? (source[1] ?? source[2]) : "");
  const displayMode = ours.startsWith('<math display="block"');
  let theirs;
  try {
    theirs = katex.renderToString(latex, { displayMode, macros, globalGroup: true, output: "html", strict: false });
  } catch (error) {
    theirs = `<small>${escape(error.message)}</small>`;
  }
  return `<div class="row"><code>${escape(latex)}</code><div>${displayMode ? `<span class="math-display">${ours}</span>` : ours}</div><div>${theirs}</div></div>`;
});
const css = new URL("node_modules/katex/dist/katex.min.css", import.meta.url);
fs.writeFileSync(
  to,
  `<!DOCTYPE html><meta charset="utf-8"><link rel="stylesheet" href="${css}">${style}
<style>body { display: block } .row { display: grid; grid-template-columns: 20rem 1fr 1fr; gap: 1rem; align-items: center; border-bottom: 1px solid #ccc; padding: 2px }
.row > * { min-width: 0; overflow-wrap: anywhere }</style>${rows.join("\n")}`,
);
