"use strict";
// What pages of many texts share: they come as data and go to the page as text nodes. There is no innerHTML here.
const PAGE = 20;
const CUT = 1500;  // characters of a text that are shown until more is asked for
const $ = (id) => document.getElementById(id);
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

// What is searched for, as words of which all must be there.
function seek(value) {
  const parts = value.toLowerCase().split(/\s+/).filter(Boolean);
  sought = parts.length ? new RegExp(`(${parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "giu") : null;
  return parts;
}

function number(value) {
  return Number.isInteger(value) ? String(value) : value.toPrecision(4).replace(/\.?0+$/, "");
}

function count(value) {
  return value.toLocaleString("en");
}

// A text in an element: of a long one the beginning, or its piece around what is searched for, with a button for all of it.
function told(element, text) {
  element.dir = "auto";
  if (text.length <= 700 && text.split("\n", 10).length <= 9) {
    element.append(...(text ? marked(text) : [make("span", "soft", "(empty)")]));
    return element;
  }
  const found = sought ? text.search(sought) : -1;
  const start = found > CUT - 200 ? found - 200 : 0;
  const end = start + CUT;
  const piece = text.length > CUT ? `${start ? "… " : ""}${text.slice(start, end)}${end < text.length ? " …" : ""}` : text;
  const all = text.length > CUT ? `show all ${count(text.length)} characters` : "show all";
  const said = make("div", ""), more = make("button", "more");
  more.type = "button";
  const show = (whole) => {
    said.replaceChildren(...marked(whole ? text : piece));
    said.className = whole ? "" : "long";
    more.textContent = whole ? "show less" : all;
    more.setAttribute("aria-expanded", String(whole));
  };
  more.onclick = () => show(said.className === "long");
  show(false);
  element.append(said, more);
  return element;
}

// A list of which one page is shown, with its number of rows and ways to turn pages above and below.
class List {
  constructor(box, title, card, what) {
    this.box = box;
    this.card = card;
    this.rows = [];
    this.page = 0;
    this.count = make("small", "");
    const head = make("h2", "", title, this.count);
    head.id = `${box.id}-title`;
    this.list = make("div", "cards");
    this.pagers = [this.pager(what), this.pager(what)];
    this.box.append(make("div", "side-head", head, this.pagers[0].box), this.list, make("div", "side-foot", this.pagers[1].box));
  }
  pager(what) {
    const where = make("span", ""), back = make("button", "", "‹"), on = make("button", "", "›");
    for (const [button, by, words] of [[back, -1, "previous"], [on, 1, "next"]]) {
      button.type = "button";
      button.setAttribute("aria-label", `${words} page of ${what}`);
      button.onclick = () => this.turn(this.page + by);
    }
    return { box: make("div", "pager", back, where, on), where, back, on };
  }
  set(rows, total) {
    this.rows = rows;
    this.count.textContent = rows.length === total ? count(total) : `${count(rows.length)} of ${count(total)}`;
    this.turn(0, false);
  }
  get pages() { return Math.max(1, Math.ceil(this.rows.length / PAGE)); }
  turn(page, scroll = true) {
    this.page = Math.min(Math.max(page, 0), this.pages - 1);
    const start = this.page * PAGE;
    const shown = this.rows.slice(start, start + PAGE).map(this.card);
    this.list.replaceChildren(...(shown.length ? shown : [make("p", "empty", "nothing fits")]));
    for (const pager of this.pagers) {
      pager.where.textContent = this.rows.length ? `${count(start + 1)}–${count(start + shown.length)}` : "";
      pager.back.disabled = this.page === 0;
      pager.on.disabled = this.page === this.pages - 1;
    }
    this.pagers[1].box.hidden = this.pages === 1;
    if (scroll && this.box.getBoundingClientRect().top < 0) this.box.scrollIntoView();
  }
  // To a row that is in the list: its page, its card in the middle of the view.
  find(row, id) {
    this.turn(Math.floor(this.rows.indexOf(row) / PAGE), false);
    const article = document.getElementById(id);
    document.querySelectorAll(".found").forEach((one) => one.classList.remove("found"));
    article.classList.add("found");
    article.focus({ preventScroll: true });
    article.scrollIntoView({ block: article.offsetHeight > innerHeight ? "start" : "center" });
  }
}

// One further or back among the cards of a box.
function step(box, by) {
  const all = [...box.querySelectorAll("article")];
  const here = all.indexOf(document.activeElement.closest("article"));
  const next = all[here < 0 ? 0 : here + by];
  if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
}

// Single keys, while nothing is typed anywhere; Escape leaves a field.
function listen(keys) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, select")) {
      if (event.key === "Escape") event.target.blur();
    } else if (keys[event.key]) {
      event.preventDefault();
      keys[event.key]();
    }
  });
}

// A form of filters: every change is followed, typing after a moment.
function follow(form, update) {
  let waiting;
  form.addEventListener("input", (event) => {
    clearTimeout(waiting);
    waiting = setTimeout(update, event.target.type === "search" ? 120 : 0);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(update));
}
