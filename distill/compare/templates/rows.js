"use strict";
// Rows come as data and go to the page as text nodes: there is no innerHTML here.
const ROWS = JSON.parse(document.getElementById("data").textContent);
const PAGE = 20;
const $ = (id) => document.getElementById(id);
const fields = ["words", "show", "why", "method", "origin"].map($);
const [words, show, why, method, origin] = fields;
const sides = {};
let sought = null;

function make(tag, name, ...inside) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.append(...inside.filter((one) => one !== null));
  return element;
}

function marked(text) {
  if (!sought) return [text];
  return text.split(sought).map((part, place) => (place % 2 ? make("mark", "", part) : part));
}

function number(value) {
  return Number.isInteger(value) ? String(value) : value.toPrecision(4).replace(/\.?0+$/, "");
}

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
  for (const [who, text] of row.said) {
    const told = make("dd", "", ...(text ? marked(text) : [make("span", "soft", "(empty)")]));
    said.append(make("dt", "", who), told);
    if (text.length > 700 || text.split("\n").length > 9) {
      told.className = "long";
      const more = make("button", "more", "show all");
      more.type = "button";
      more.onclick = () => { more.textContent = told.classList.toggle("long") ? "show all" : "show less"; };
      said.append(more);
    }
  }
  const scores = Object.entries(row.scores).map(([name, value]) => `${name} ${number(value)}`).join(" · ");
  article.append(about, ...(row.evidence ? [evidence(row)] : []), said);
  if (scores) article.append(make("p", "scores", scores));
  return article;
}

class Side {
  constructor(name, title) {
    this.box = $(name);
    this.rows = [];
    this.page = 0;
    this.count = make("small", "");
    const head = make("h2", "", title, this.count);
    head.id = `${name}-title`;
    this.where = make("span", "");
    this.back = make("button", "", "‹");
    this.on = make("button", "", "›");
    this.back.setAttribute("aria-label", `previous page of rows ${name}`);
    this.on.setAttribute("aria-label", `next page of rows ${name}`);
    this.back.onclick = () => this.turn(this.page - 1);
    this.on.onclick = () => this.turn(this.page + 1);
    this.list = make("div", "");
    this.box.append(make("div", "side-head", head, make("div", "pager", this.back, this.where, this.on)), this.list);
  }
  set(rows, total) {
    this.rows = rows;
    this.count.textContent = rows.length === total ? total.toLocaleString("en") : `${rows.length.toLocaleString("en")} of ${total.toLocaleString("en")}`;
    this.turn(0, false);
  }
  get pages() { return Math.max(1, Math.ceil(this.rows.length / PAGE)); }
  turn(page, scroll = true) {
    this.page = Math.min(Math.max(page, 0), this.pages - 1);
    const start = this.page * PAGE;
    const shown = this.rows.slice(start, start + PAGE).map(card);
    this.list.replaceChildren(...(shown.length ? shown : [make("p", "empty", "no such row")]));
    this.where.textContent = this.rows.length ? `${start + 1}–${start + shown.length}` : "";
    this.back.disabled = this.page === 0;
    this.on.disabled = this.page === this.pages - 1;
    if (scroll && this.box.getBoundingClientRect().top < 0) this.box.scrollIntoView();
  }
}

// Text of a row in lower case, made when it is first searched.
function text(row) {
  row.text ??= [row.id, row.why, row.evidence, ...row.said.map((one) => one[1])].join("\n").toLowerCase();
  return row.text;
}

function update() {
  const parts = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  sought = parts.length ? new RegExp(`(${parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "giu") : null;
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
  side.turn(Math.floor(side.rows.indexOf(row) / PAGE), false);
  const article = side.list.querySelector(`#row-${id}`);
  document.querySelectorAll(".found").forEach((one) => one.classList.remove("found"));
  article.classList.add("found");
  article.focus({ preventScroll: true });
  article.scrollIntoView({ block: "center" });
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

function step(by) {
  const here = document.activeElement.closest("article");
  const side = here ? here.closest("section") : (sides.dropped.box.hidden ? sides.kept : sides.dropped).box;
  const all = [...side.querySelectorAll("article")];
  const next = here ? all[all.indexOf(here) + by] : all[0];
  if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
}

// A copy has the id of what it copies: the id leads to the row that was kept.
const at = new Map();
for (const row of ROWS) if (!at.has(row.id) || (row.kept && !at.get(row.id).kept)) at.set(row.id, row);
sides.dropped = new Side("dropped", "Dropped");
sides.kept = new Side("kept", "Kept");
options(why, ROWS.map((row) => row.why));
options(method, ROWS.map((row) => row.method));
options(origin, ROWS.map((row) => row.origin));
document.querySelector(".bar").hidden = false;
document.querySelector(".sides").hidden = false;
if (matchMedia("(max-width: 860px)").matches) show.value = ROWS.some((row) => !row.kept) ? "dropped" : "kept";

let waiting;
words.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(update, 120); });
for (const field of [show, why, method, origin]) field.addEventListener("change", update);
document.querySelector(".bar").addEventListener("submit", (event) => event.preventDefault());
document.querySelector(".bar").addEventListener("reset", () => setTimeout(update));
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (link) { event.preventDefault(); history.replaceState(null, "", link.hash); go(link.hash.slice(1)); }
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, select")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const side = sides[document.activeElement.closest("section")?.id] || (sides.dropped.box.hidden ? sides.kept : sides.dropped);
  const keys = { "/": () => words.focus(), j: () => step(1), k: () => step(-1), n: () => side.turn(side.page + 1), p: () => side.turn(side.page - 1) };
  if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
});
update();
if (location.hash) go(location.hash.slice(1));
