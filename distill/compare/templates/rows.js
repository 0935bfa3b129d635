// The rows that filters kept and dropped, side by side; list.js stands before this.
const ROWS = JSON.parse($("data").textContent);
const fields = ["words", "show", "why", "method", "origin"].map($);
const [words, show, why, method, origin] = fields;
const sides = {};

// `SmolLM2-135M.gguf` of `package:llm/SmolLM2-135M.gguf@sha256:…`
function brief(origin) {
  return origin.split("/").pop().split("@")[0] || origin;
}

function evidence(row) {
  const text = row.evidence.startsWith(row.like) ? row.evidence.slice(row.like.length) : row.evidence;
  const line = make("p", "evidence");
  if (row.like && at.has(row.like)) {
    const link = make("a", "", `row ${row.like}`);
    link.href = `#${row.like}`;
    line.append(link);
  } else if (row.like) line.append(`row ${row.like}`);
  line.append(...marked(text));
  return line;
}

function card(row) {
  const article = make("article");
  article.id = `row-${row.id}`;
  article.tabIndex = -1;
  const about = make("p", "about");
  if (row.why) about.append(make("b", "", row.why));
  if (row.score !== null) about.append(make("span", "", `score ${number(row.score)}`));
  if (row.also.length) about.append(make("span", "", `also ${row.also.join(", ")}`));
  about.append(make("span", "", row.method), make("span", "", brief(row.origin)), make("code", "", row.id));
  about.title = row.origin;
  const said = make("dl", "answers");
  for (const [who, text] of row.said) said.append(make("dt", "", who), told(make("dd", ""), text));
  const scores = Object.entries(row.scores).map(([name, value]) => `${name} ${number(value)}`).join(" · ");
  article.append(about, ...(row.evidence ? [evidence(row)] : []), said);
  if (scores) article.append(make("p", "scores", scores));
  return article;
}

// Text of a row in lower case, made when it is first searched.
function text(row) {
  row.text ??= [row.id, row.why, row.evidence, ...row.said.map((one) => one[1])].join("\n").toLowerCase();
  return row.text;
}

function update() {
  const parts = seek(words.value);
  const fits = (row) =>
    (!method.value || row.method === method.value) && (!origin.value || row.origin === origin.value) &&
    (row.kept || !why.value || row.why === why.value || row.why.startsWith(`${why.value}.`)) &&
    parts.every((part) => text(row).includes(part));
  for (const [name, side] of Object.entries(sides)) {
    const all = ROWS.filter((row) => row.kept === (name === "kept"));
    side.set(all.filter(fits), all.length);
    side.box.hidden = Boolean(show.value) && show.value !== name;
  }
  document.querySelector(".sides").classList.toggle("one", Boolean(show.value));
  $("said").textContent = `${sides.kept.rows.length} kept and ${sides.dropped.rows.length} dropped rows fit`;
}

// To a row by its id, whatever was searched for.
function go(id) {
  const row = at.get(id);
  if (!row) return;
  const side = sides[row.kept ? "kept" : "dropped"];
  if (!side.rows.includes(row)) {
    for (const field of [words, why, method, origin]) field.value = "";
    update();
  }
  if (side.box.hidden) { show.value = ""; update(); }
  side.find(row, `row-${id}`);
}

function options(select, values) {
  const counts = new Map();
  for (const value of values) if (value) counts.set(value, (counts.get(value) || 0) + 1);
  for (const [value, count] of [...counts].sort((one, other) => other[1] - one[1])) {
    const option = make("option", "", `${brief(value)} (${count.toLocaleString("en")})`);
    option.value = value;
    select.append(option);
  }
}

// A copy has the id of what it copies: the id leads to the row that was kept.
const at = new Map();
for (const row of ROWS) if (!at.has(row.id) || (row.kept && !at.get(row.id).kept)) at.set(row.id, row);
sides.dropped = new List($("dropped"), "Dropped", card, "rows dropped");
sides.kept = new List($("kept"), "Kept", card, "rows kept");
options(why, ROWS.map((row) => row.why));
options(method, ROWS.map((row) => row.method));
options(origin, ROWS.map((row) => row.origin));
document.querySelector(".bar").hidden = false;
document.querySelector(".sides").hidden = false;
if (matchMedia("(max-width: 860px)").matches) show.value = ROWS.some((row) => !row.kept) ? "dropped" : "kept";

follow(document.querySelector(".bar"), update);
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (link) { event.preventDefault(); history.replaceState(null, "", link.hash); go(link.hash.slice(1)); }
});
const side = () => sides[document.activeElement.closest("section")?.id] || (sides.dropped.box.hidden ? sides.kept : sides.dropped);
listen({
  "/": () => words.focus(),
  j: () => step(side().box, 1),
  k: () => step(side().box, -1),
  n: () => side().turn(side().page + 1),
  p: () => side().turn(side().page - 1),
});
update();
if (location.hash) go(location.hash.slice(1));
