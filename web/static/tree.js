// The argument tree as rows of which the page holds only those in sight, however many there are, and an overview of all as a picture.
// Rule: columns of numbers and loops, no recursion: a chain of 10,000 is a tree too. Imports stand on one line each.

import { count, fresh, h } from "./dom.js";

const MOST = 60; // rows in the page at once, besides the selected one
const DEEPEST = 10; // levels that are indented; below, the level is a number
const OPENED = 500; // rows of a large tree that are open at first

/** The form of a tree: children, levels, places among siblings, the leaves' order. Parents stand before their children. */
function shaped(data) {
  const n = data.id.length, parent = Int32Array.from(data.parent), kids = new Int32Array(n), level = new Int32Array(n).fill(1);
  const place = new Int32Array(n), start = new Int32Array(n + 1), roots = [];
  for (let i = 0; i < n; i += 1) {
    const p = parent[i];
    if (p < 0 || p >= i) { parent[i] = -1; roots.push(i); place[i] = roots.length; continue; }
    level[i] = level[p] + 1;
    kids[p] += 1;
    place[i] = kids[p];
  }
  for (let i = 0; i < n; i += 1) start[i + 1] = start[i] + kids[i];
  const below = new Int32Array(start[n]);
  for (let i = 0; i < n; i += 1) if (parent[i] >= 0) below[start[parent[i]] + place[i] - 1] = i;
  return { n, parent, kids, level, place, start, below, roots };
}

export class ArgumentTree {
  /** pick(index, meant): a node was selected; meant: by a click or Enter, to be gone to. link(step): an address for a step. */
  constructor(box, { pick, link }) {
    this.pick = pick;
    this.link = link;
    this.name = fresh("tree");
    this.active = -1;
    this.rows = new Int32Array(0);
    this.open = new Set();
    this.limitAt = Infinity;
    this.keep = null;
    this.typed = "";
    this.made = new Map();
    this.inner = h("div", { role: "none", class: "rows" });
    this.scroller = h("div", { role: "tree", class: "tree", tabindex: "0", "aria-label": "Argument tree",
      on: { keydown: (event) => this.key(event), scroll: () => this.later(), click: (event) => this.click(event) } }, this.inner);
    this.about = h("p", { class: "selected" });
    this.told = h("p", { class: "told", role: "status" });
    this.sought = h("input", { type: "search", "aria-label": "Filter the tree", placeholder: "Filter: words, seat, kind, step", on: { input: () => this.filter(this.sought.value) } });
    this.canvas = h("canvas", { class: "overview", role: "img", on: { click: (event) => this.point(event) } });
    const button = (label, act) => h("button", { type: "button", on: { click: act } }, label);
    box.append(
      h("div", { class: "tools" }, this.sought, button("Expand all", () => this.all(true)), button("Collapse all", () => this.all(false)),
        button("Judged path", () => this.judged())),
      this.told, this.scroller, this.about, this.canvas,
      h("p", { class: "legend" }, "● the judge had it before it gave its verdict. Numbers: size, and the budget that was asked with it. The picture shows all of the tree; a click selects there."));
    new ResizeObserver(() => { this.draw(); this.paint(); }).observe(this.scroller);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
  }

  /** Take a tree, or the same one grown: what was open and selected stays so. */
  set(data) {
    const first = this.data === undefined, opened = new Set([...this.open].map((i) => this.data.id[i]));
    const chosen = this.data?.id[this.active], known = new Set(this.data?.id);
    this.data = data;
    this.form = shaped(data);
    this.made.clear();
    this.open = new Set();
    const { n, level, kids } = this.form;
    let deepest = 0;
    if (first) {
      const at = [];
      for (let i = 0; i < n; i += 1) at[level[i]] = (at[level[i]] ?? 0) + 1;
      for (let sum = 0, l = 1; l < at.length && (sum += at[l]) <= OPENED; l += 1) deepest = l;
      deepest = Math.max(1, deepest === at.length - 1 ? deepest : deepest - 1);
    }
    for (let i = 0; i < n; i += 1) {
      if (kids[i] && (first ? level[i] <= deepest : opened.has(data.id[i]) || !known.has(data.id[i]))) this.open.add(i);
    }
    this.active = chosen === undefined ? (n ? 0 : -1) : data.id.indexOf(chosen);
    this.row = parseFloat(getComputedStyle(this.scroller).getPropertyValue("--row")) || 30;
    this.canvas.setAttribute("aria-label", `Overview of ${count(n)} nodes; the tree above holds the same for the keyboard`);
    this.filter(this.sought.value);
  }

  kept(i) {
    return this.data.scene[i] <= this.limitAt && (this.keep === null || this.keep[i] === 1);
  }

  /** The rows that are to be seen, from the top. */
  flatten() {
    const { n, roots, start, below } = this.form, rows = [], at = new Int32Array(n).fill(-1);
    const stack = [...roots].reverse();
    while (stack.length) {
      const i = stack.pop();
      if (!this.kept(i)) continue;
      at[i] = rows.length;
      rows.push(i);
      if (this.keep !== null || this.open.has(i)) for (let k = start[i + 1] - 1; k >= start[i]; k -= 1) stack.push(below[k]);
    }
    this.rows = rows;
    this.at = at;
    this.inner.style.height = `${rows.length * this.row}px`;
    this.told.textContent = `${count(rows.length)} of ${count(n)} nodes in rows` + (this.limitAt < Infinity ? "; what comes later is hidden" : "");
    this.draw();
  }

  later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.draw(); });
  }

  /** Put the rows in sight into the page, and take out the others. */
  draw() {
    if (this.data === undefined) return;
    const high = this.scroller.clientHeight || 400, top = this.scroller.scrollTop;
    const wanted = Math.min(MOST, Math.ceil(high / this.row) + 12);
    const first = Math.max(0, Math.min(Math.floor(top / this.row) - 6, this.rows.length - wanted));
    const shown = Array.from(this.rows.slice(first, first + wanted));
    const own = this.active >= 0 ? this.at[this.active] : -1;
    if (own >= 0 && own < first) shown.unshift(this.active);
    else if (own >= first + shown.length) shown.push(this.active);
    const made = new Map(shown.map((i) => [i, this.made.get(i) ?? this.element(i)]));
    this.made = made;
    for (const [i, element] of made) {
      element.style.top = `${this.at[i] * this.row}px`;
      element.setAttribute("aria-selected", String(i === this.active));
      if (this.form.kids[i]) {
        const open = this.keep !== null || this.open.has(i);
        element.setAttribute("aria-expanded", String(open));
        element.firstChild.textContent = open ? "▾" : "▸";
      }
    }
    this.inner.replaceChildren(...made.values());
    if (own >= 0) this.scroller.setAttribute("aria-activedescendant", `${this.name}-${this.active}`);
    else this.scroller.removeAttribute("aria-activedescendant");
  }

  element(i) {
    const { data, form } = this, level = form.level[i], part = (name, text) => (text ? h("span", { class: name }, text) : null);
    const element = h("div", {
      role: "treeitem", id: `${this.name}-${i}`, class: data.judged[i] ? "row judged" : "row", "aria-level": level, "aria-posinset": form.place[i],
      "aria-setsize": form.parent[i] < 0 ? form.roots.length : form.kids[form.parent[i]], "data-node": i, title: data.text[i],
    }, h("span", { class: "twist", "aria-hidden": "true" }), level > DEEPEST ? part("deep", `level ${level}`) : null,
    data.judged[i] ? h("span", { class: "mark" }, h("span", { "aria-hidden": "true" }, "●"), h("span", { class: "unseen" }, "judged")) : null,
    part("relation", data.relation[i]), part("seat", data.seat[i]), part("kind", data.kind[i]), part("text", data.text[i] || " "),
    part("size", count(data.size[i])), data.budget[i] === null ? null : part("budget", `budget ${count(data.budget[i])}`));
    element.style.paddingLeft = `${(Math.min(level, DEEPEST) - 1) * 14 + 4}px`;
    return element;
  }

  /** Select a node. meant: the reader asks for it by name, and its ancestors open. */
  select(i, quiet = true, meant = false) {
    if (i < 0 || i >= (this.form?.n ?? 0)) return;
    this.active = i;
    let changed = false;
    for (let p = this.form.parent[i]; p >= 0; p = this.form.parent[p]) if (!this.open.has(p)) { this.open.add(p); changed = true; }
    if (changed || this.at[i] < 0) this.flatten();
    this.reveal();
    this.draw();
    this.tell();
    this.paint(false);
    if (!quiet) this.pick(i, meant);
  }

  reveal() {
    const y = (this.at[this.active] ?? -1) * this.row, { scrollTop, clientHeight } = this.scroller;
    if (y < 0) return;
    if (y < scrollTop) this.scroller.scrollTop = y;
    else if (clientHeight && y + this.row > scrollTop + clientHeight) this.scroller.scrollTop = y + this.row - clientHeight;
  }

  /** What the selected node is, with links to what else it cites. */
  tell() {
    const { data } = this, i = this.active, cites = data.cites?.[i] ?? [];
    const bits = [`Selected: step ${data.id[i]}`, data.seat[i], data.kind[i], data.relation[i], `level ${count(this.form.level[i])}`, `size ${count(data.size[i])}`];
    if (data.budget[i] !== null) bits.push(`budget ${count(data.budget[i])}`);
    this.about.replaceChildren(bits.filter(Boolean).join(" · "), ...(cites.length ? [" · cites ", ...cites.flatMap((step) => [this.link(step), " "])] : []));
  }

  toggle(i, open) {
    if (!this.form.kids[i] || this.open.has(i) === open) return;
    const hid = !open && this.at[this.active] >= 0;
    if (open) this.open.add(i); else this.open.delete(i);
    this.flatten();
    if (hid && this.at[this.active] < 0) this.select(i, false);
  }

  all(open) {
    const { n, kids, parent } = this.form;
    this.open = new Set();
    if (open) for (let i = 0; i < n; i += 1) if (kids[i]) this.open.add(i);
    let i = this.active;
    if (!open) while (i >= 0 && parent[i] >= 0) i = parent[i];
    this.flatten();
    this.select(i, i === this.active);
    this.paint();
  }

  /** Open what the judge's view held, and nothing else. */
  judged() {
    const { n, parent } = this.form;
    let last = -1;
    this.open = new Set();
    for (let i = 0; i < n; i += 1) if (this.data.judged[i]) { last = i; if (parent[i] >= 0) this.open.add(parent[i]); }
    if (last < 0) this.told.textContent = "It is not known what the judge had, or there is no verdict.";
    else { this.flatten(); this.select(last, false); }
  }

  /** Show only what holds all these words, with what stands above it. */
  filter(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean), { n, parent } = this.form, { data } = this;
    this.keep = words.length ? new Uint8Array(n) : null;
    for (let i = n - 1; i >= 0 && this.keep; i -= 1) {
      const held = `${data.id[i]} ${data.seat[i]} ${data.kind[i]} ${data.relation[i]} ${data.text[i]}`.toLowerCase();
      if (words.every((word) => held.includes(word))) this.keep[i] = 1;
      if (this.keep[i] && parent[i] >= 0) this.keep[parent[i]] = 1;
    }
    this.flatten();
    this.paint();
  }

  limit(scene) {
    if (scene === this.limitAt) return;
    this.limitAt = scene;
    if (this.data === undefined) return;
    this.flatten();
    this.paint();
  }

  click(event) {
    const row = event.target.closest("[data-node]");
    if (row === null) return;
    const i = Number(row.dataset.node);
    if (event.target.closest(".twist") && this.form.kids[i]) this.toggle(i, !this.open.has(i));
    else this.select(i, false, true);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.rows.length) return;
    const { kids, parent } = this.form, i = this.active, at = Math.max(0, this.at[i] ?? 0), last = this.rows.length - 1;
    const go = (row) => this.select(this.rows[Math.max(0, Math.min(last, row))], false), page = Math.max(1, Math.floor(this.scroller.clientHeight / this.row) - 1);
    const open = this.keep !== null || this.open.has(i);
    switch (event.key) {
      case "ArrowDown": go(at + 1); break;
      case "ArrowUp": go(at - 1); break;
      case "PageDown": go(at + page); break;
      case "PageUp": go(at - page); break;
      case "Home": go(0); break;
      case "End": go(last); break;
      case "ArrowRight": if (kids[i]) { if (open) go(at + 1); else this.toggle(i, true); } break;
      case "ArrowLeft": if (kids[i] && open && this.keep === null) this.toggle(i, false); else if (parent[i] >= 0) this.select(parent[i], false); break;
      case "*": this.siblings(i); break;
      case "Enter": case " ": this.select(i, false, true); break;
      default: if (event.key.length !== 1) return; this.type(event.key.toLowerCase(), at);
    }
    event.preventDefault();
    event.stopPropagation();
  }

  siblings(i) {
    const { parent, roots, start, below, kids } = this.form, p = parent[i];
    for (const each of p < 0 ? roots : below.subarray(start[p], start[p + 1])) if (kids[each]) this.open.add(each);
    this.flatten();
    this.reveal();
  }

  /** Go to the next row whose text, seat or step begins with what is typed. */
  type(letter, at) {
    clearTimeout(this.pause);
    this.pause = setTimeout(() => { this.typed = ""; }, 700);
    this.typed += letter;
    const from = this.typed.length > 1 ? at : at + 1, { data, rows } = this;
    for (let k = 0; k < rows.length; k += 1) {
      const i = rows[(from + k) % rows.length];
      if ([data.text[i], data.seat[i], data.id[i]].some((text) => (text ?? "").toLowerCase().startsWith(this.typed))) { this.select(i, false); return; }
    }
  }

  // -- the overview --

  /** Where each node stands: leaves side by side in their order, parents above the middle of their children; from 0 to 1. */
  places() {
    if (this.placed === this.form) return;
    const { n, parent, kids, level, roots, start, below } = this.form, x = new Float64Array(n), order = [], stack = [...roots].reverse();
    while (stack.length) {
      const i = stack.pop();
      order.push(i);
      for (let k = start[i + 1] - 1; k >= start[i]; k -= 1) stack.push(below[k]);
    }
    let leaves = 0, deepest = 1;
    for (const i of order) { if (!kids[i]) { x[i] = leaves; leaves += 1; } deepest = Math.max(deepest, level[i]); }
    for (let k = order.length - 1; k >= 0; k -= 1) { const i = order[k]; if (kids[i]) x[i] = (x[below[start[i]]] + x[below[start[i + 1] - 1]]) / 2; }
    this.x = x.map((value) => (leaves > 1 ? value / (leaves - 1) : 0.5));
    this.y = Float64Array.from(level, (value) => (deepest > 1 ? (value - 1) / (deepest - 1) : 0.5));
    this.placed = this.form;
  }

  spot(i) {
    const edge = 8;
    return [edge + this.x[i] * (this.canvas.clientWidth - 2 * edge), edge + this.y[i] * (this.canvas.clientHeight - 2 * edge)];
  }

  /** Draw the picture before the next frame. all: not only another selection. */
  paint(all = true) {
    this.stale ||= all;
    if (this.painting || this.data === undefined) return;
    this.painting = true;
    requestAnimationFrame(() => { this.painting = false; this.picture(); });
  }

  picture() {
    const { canvas } = this, width = canvas.clientWidth, height = canvas.clientHeight, scale = window.devicePixelRatio || 1;
    if (!width || !height) return;
    this.places();
    const across = Math.round(width * scale), down = Math.round(height * scale), style = getComputedStyle(canvas);
    if (canvas.width !== across || canvas.height !== down || this.layer === undefined) {
      [canvas.width, canvas.height, this.layer, this.stale] = [across, down, h("canvas", { width: across, height: down }), true];
    }
    if (this.stale) this.whole(this.layer.getContext("2d"), width, height, scale, style);
    this.stale = false;
    const pen = canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, across, down);
    pen.drawImage(this.layer, 0, 0);
    if (this.active < 0) return;
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.strokeStyle = style.getPropertyValue("--ink");
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(...this.spot(this.active), 6, 0, 2 * Math.PI);
    pen.stroke();
  }

  /** Every node and edge, once, on a layer of its own: what the judge had lies above. */
  whole(pen, width, height, scale, style) {
    const { data, form } = this, edge = 8, x = this.x.map((at) => edge + at * (width - 2 * edge)), y = this.y.map((at) => edge + at * (height - 2 * edge));
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    const dot = form.n > 2000 ? 1.5 : form.n > 200 ? 2.5 : 4;
    for (const judged of [0, 1]) {
      pen.strokeStyle = pen.fillStyle = style.getPropertyValue(judged ? "--accent" : "--faint");
      pen.lineWidth = judged ? 1.5 : 0.7;
      pen.beginPath();
      for (let i = 0; i < form.n; i += 1) {
        const p = form.parent[i];
        if ((data.judged[i] ? 1 : 0) !== judged || !this.kept(i)) continue;
        pen.rect(x[i] - dot / 2, y[i] - dot / 2, dot, dot);
        if (p >= 0) { pen.moveTo(x[p], y[p]); pen.lineTo(x[i], y[i]); }
      }
      pen.stroke();
    }
  }

  /** Select the node that is nearest to a click. */
  point(event) {
    if (!this.form?.n) return;
    this.places();
    let best = -1, least = Infinity;
    for (let i = 0; i < this.form.n; i += 1) {
      if (!this.kept(i)) continue;
      const [x, y] = this.spot(i), far = (x - event.offsetX) ** 2 + (y - event.offsetY) ** 2;
      if (far < least) { least = far; best = i; }
    }
    this.select(best, false, true);
  }
}
