// Items of several arms, two of them side by side; list.js stands before this.
const DATA = JSON.parse($("data").textContent);
const { arms, suites, metrics, texts, items } = DATA;
const NONE = -1;
const form = $("filters");
const fields = Object.fromEntries(["words", "metric", "first", "second", "show", "order"].map((id) => [id, $(id)]));
const SHOW = {
  all: ["all items", () => true],
  worse: ["regressions", (a, b, by) => by < 0],
  better: ["improvements", (a, b, by) => by > 0],
  other: ["answers differ", (a, b, by, item, x, y) => item.answers[x] !== item.answers[y]],
  wrong: ["both wrong", (a, b) => a === 0 && b === 0],
  right: ["both right", (a, b) => a === 1 && b === 1],
  lost: ["only the first right", (a, b) => a === 1 && b === 0],
  won: ["only the second right", (a, b) => a === 0 && b === 1],
  failed: ["not scored in one", (a, b) => a === null || b === null],
};
const ONLY_RIGHT = ["wrong", "right", "lost", "won"];
const ONLY_GRADED = ["worse", "better"];
const ORDER = {
  worst: ["worst regressions first", (a, b) => a.by - b.by],
  best: ["best improvements first", (a, b) => b.by - a.by],
  apart: ["farthest apart first", (a, b) => Math.abs(b.by) - Math.abs(a.by)],
  asked: ["as asked", () => 0],
};
let now;  // what is chosen: metric, its place among its suite's, and the two arms

// How much better the second arm is than the first; null where one of them has no score.
function change(item) {
  const values = item.values[now.place], a = values[now.x], b = values[now.y];
  return a === null || b === null ? null : now.metric.direction === "lower" ? a - b : b - a;
}

function score(value) {
  if (value === null) return "not scored";
  if (now.metric.right) return value === 1 ? "✓ right" : value === 0 ? "✗ wrong" : value.toFixed(3);
  return (now.metric.unit === "0-100" ? value.toFixed(1) : value.toFixed(3)).replace("-", "−");
}

function sign(arm) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg"), path = document.createElementNS(space, "path");
  svg.setAttribute("class", "plot mark");
  for (const [name, value] of [["width", 14], ["height", 14], ["viewBox", "-8 -8 16 16"], ["aria-hidden", "true"]]) svg.setAttribute(name, value);
  path.setAttribute("d", arm.shape);
  path.setAttribute("class", `marker ${arm.colour}`);
  svg.append(path);
  return svg;
}

function answer(item, place) {
  const arm = arms[place], box = make("div", "answer");
  const values = item.values[now.place];
  const head = make("p", "who", sign(arm), make("b", "", arm.label), make("span", "value", score(values[place])));
  const found = item.found[place] === NONE ? "" : texts[item.found[place]];
  const brief = found.length <= 60 && !found.includes("\n");
  if (found && brief) head.append(make("span", "read", "read as ", make("code", "", found)));
  if (item.more[place]) head.append(make("span", "", `first of ${item.more[place] + 1} answers`));
  box.append(head);
  if (item.errors[place] !== NONE) box.append(told(make("div", "said error"), texts[item.errors[place]]));
  if (item.answers[place] !== NONE) box.append(told(make("div", "said"), texts[item.answers[place]]));
  else if (item.errors[place] === NONE) box.append(make("p", "said soft", "scored, not generated"));
  if (!brief && found !== texts[item.answers[place]]) {
    box.append(make("details", "read", make("summary", "", "what was read out of it"), told(make("pre", "said"), found)));
  }
  if (item.whys[place] !== NONE) box.append(told(make("div", "said why"), texts[item.whys[place]]));
  return box;
}

function verdict(by) {
  if (by === null) return make("b", "", "not scored in one of the two");
  if (by === 0) return make("b", "", "= same");
  const size = now.metric.unit === "0-100" ? Math.abs(by).toFixed(1) : Math.abs(by).toFixed(3);
  const words = now.metric.right ? (by < 0 ? "▼ lost" : "▲ won") : `${by < 0 ? "▼" : "▲"} ${size} ${by < 0 ? "worse" : "better"}`;
  return make("b", by < 0 ? "worse" : "better", words);
}

function card(item) {
  const by = change(item), article = make("article", by === null || by === 0 ? "same" : by < 0 ? "lost" : "won");
  article.id = name(item);
  article.tabIndex = -1;
  const link = make("a", "", make("code", "", item.id));
  link.href = `#${hash(item)}`;
  link.title = "address of this item";
  const asked = make("dl", "answers", make("dt", "", "question"), told(make("dd", ""), texts[item.question]));
  asked.append(make("dt", "", "reference"), told(make("dd", "reference"), texts[item.reference]));
  const others = arms.map((_, place) => place).filter((place) => place !== now.x && place !== now.y && said(item, place));
  article.append(make("div", "about", verdict(by), link), asked, make("div", "two", answer(item, now.x), answer(item, now.y)));
  if (others.length) {
    const more = make("details", "others", make("summary", "", `${others.map((place) => arms[place].label).join(", ")}`));
    more.addEventListener("toggle", () => {
      if (more.open && more.children.length === 1) more.append(make("div", "two", ...others.map((place) => answer(item, place))));
    });
    article.append(more);
  }
  return article;
}

function said(item, place) {
  return item.answers[place] !== NONE || item.errors[place] !== NONE || item.values[now.place][place] !== null;
}

function name(item) {
  return `item-${suites[item.suite]}-${item.id}`;
}

// What is chosen, as the address says it: what is as at first is left out.
function hash(item) {
  const parts = new URLSearchParams();
  for (const [id, field] of Object.entries(fields)) if (field.value !== start[id]) parts.set(id, said_as(id, field.value));
  if (item) {
    parts.set("metric", said_as("metric", fields.metric.value));
    parts.set("first", said_as("first", fields.first.value));
    parts.set("second", said_as("second", fields.second.value));
    parts.set("item", item.id);
  }
  return parts.toString();
}

// Arms and metrics go by their names in an address, so that it holds when the page is made anew.
function said_as(id, value) {
  if (id === "first" || id === "second") return arms[value].label;
  return id === "metric" ? `${suites[metrics[value].suite]}.${metrics[value].name}` : value;
}

function read(id, text) {
  if (id === "first" || id === "second") return String(arms.findIndex((arm) => arm.label === text));
  if (id === "metric") return String(metrics.findIndex((one) => `${suites[one.suite]}.${one.name}` === text));
  return text;
}

// Which texts hold each word, found once for all items that share them.
let lower = null;
function holding(parts) {
  lower ??= texts.map((text) => text.toLowerCase());
  return parts.map((part) => lower.map((text) => text.includes(part)));
}

function matches(item, parts, holds) {
  const places = [item.question, item.reference, ...item.answers, ...item.errors];
  return parts.every((part, at) => item.id.includes(part) || places.some((place) => place !== NONE && holds[at][place]));
}

function choose() {
  const metric = metrics[fields.metric.value];
  const place = metrics.filter((one) => one.suite === metric.suite).indexOf(metric);
  now = { metric, place, x: Number(fields.first.value), y: Number(fields.second.value) };
  for (const option of fields.show.options) {
    option.hidden = option.disabled = metric.right ? ONLY_GRADED.includes(option.value) : ONLY_RIGHT.includes(option.value);
  }
  if (fields.show.selectedOptions[0]?.disabled) fields.show.value = "all";
}

function update(keep = false) {
  choose();
  const parts = seek(fields.words.value), holds = parts.length ? holding(parts) : [];
  const own = items.filter((item) => item.suite === now.metric.suite);
  const fits = SHOW[fields.show.value][1];
  const rows = [];
  const seen = { worse: 0, better: 0, same: 0, none: 0 };
  for (const item of own) {
    const values = item.values[now.place], by = change(item);
    if (!fits(values[now.x], values[now.y], by, item, now.x, now.y) || !matches(item, parts, holds)) continue;
    seen[by === null ? "none" : by < 0 ? "worse" : by > 0 ? "better" : "same"] += 1;
    rows.push({ item, by });
  }
  const order = ORDER[fields.order.value][1];
  const scored = rows.filter((row) => row.by !== null).sort(order);
  list.set([...scored, ...rows.filter((row) => row.by === null)].map((row) => row.item), own.length);
  $("said").textContent = `${count(rows.length)} of ${count(own.length)} items: ${arms[now.y].label} is worse than ${arms[now.x].label} in ` +
    `${count(seen.worse)}, better in ${count(seen.better)}, the same in ${count(seen.same)}${seen.none ? `, not scored in ${count(seen.none)}` : ""}.`;
  if (!keep) history.replaceState(null, "", `#${hash()}`);
}

// To what an address says: its filters, and its item whatever they are.
function go() {
  const parts = new URLSearchParams(location.hash.slice(1));
  if (![...Object.keys(fields), "item"].some((id) => parts.has(id))) return false;
  for (const [id, field] of Object.entries(fields)) {
    field.value = parts.has(id) ? read(id, parts.get(id)) : start[id];
    if (!field.value && id !== "words") field.value = start[id];
  }
  update(true);
  const item = items.find((one) => one.id === parts.get("item") && one.suite === now.metric.suite);
  if (parts.has("item") && !item) $("said").textContent = `There is no item ${parts.get("item")} in ${suites[now.metric.suite]} here. ${$("said").textContent}`;
  if (item && !list.rows.includes(item)) {
    fields.words.value = "";
    fields.show.value = "all";
    update(true);
  }
  if (item) list.find(item, name(item));
  return true;
}

function option(text, value, selected = false) {
  return new Option(text, value, selected, selected);
}

function fill() {
  suites.forEach((suite, index) => {
    const group = make("optgroup");
    group.label = suite;
    metrics.forEach((one, place) => { if (one.suite === index) group.append(option(`${suite}.${one.name}`, place, !place)); });
    fields.metric.append(group);
  });
  const chosen = arms.map((arm, place) => (arm.role === "chosen" ? place : NONE)).filter((place) => place !== NONE);
  const before = ["base", "teacher"].map((role) => arms.findIndex((arm) => arm.role === role)).find((place) => place !== NONE);
  const first = chosen.length > 1 ? chosen[0] : before ?? chosen[0], second = chosen[1] ?? chosen[0];
  arms.forEach((arm, place) => {
    fields.first.append(option(arm.label, place, place === first));
    fields.second.append(option(arm.label, place, place === second));
  });
  for (const [value, [text]] of Object.entries(SHOW)) fields.show.append(option(text, value));
  for (const [value, [text]] of Object.entries(ORDER)) fields.order.append(option(text, value));
}

const list = new List($("items"), "Item by item", card, "items");
fill();
const start = Object.fromEntries(Object.entries(fields).map(([id, field]) => [id, field.value]));
form.hidden = $("items").hidden = false;
$("swap").onclick = () => {
  [fields.first.value, fields.second.value] = [fields.second.value, fields.first.value];
  update();
};
follow(form, update);
listen({
  "/": () => fields.words.focus(),
  j: () => step($("items"), 1),
  k: () => step($("items"), -1),
  n: () => list.turn(list.page + 1),
  p: () => list.turn(list.page - 1),
  x: () => $("swap").click(),
});
addEventListener("hashchange", go);
if (!go()) update(true);
