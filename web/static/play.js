// A play in a page: what was said, the argument tree, ledger, charts, stepping through it, and addresses of its steps.
// Rule: it knows a source of plain data, {head, tree, scenes, state}, and not where that comes from. Imports stand on one line each.

import { Conversation } from "./conversation.js";
import { chip, count, h, meter, renew } from "./dom.js";
import { Passage, Tabs, charts, ledger, summary } from "./panels.js";
import { ArgumentTree } from "./tree.js";

const WIDE = 960; // pixels from which a play has two columns
const SOONEST = 1000, LATEST = 20000; // milliseconds between two looks at a play that is running

/** A play that a server gives. Scenes are asked for once, unless the play changed. */
export function fetched(base) {
  const get = async (path) => {
    const answer = await fetch(`${base}/${path}`, { headers: { accept: "application/json" } });
    if (answer.ok) return answer.json();
    const said = await answer.text();
    let problem = said;
    try { problem = JSON.parse(said).problem ?? said; } catch { /* plain text */ }
    throw new Error(problem.slice(0, 1000) || `the server says ${answer.status}`);
  };
  return { head: () => get("head"), tree: () => get("tree"), scenes: (from, to) => get(`scenes?from=${from}&to=${to}`), state: () => get("state") };
}

/** A play that stands in the page itself. */
export function embedded(whole) {
  return { head: async () => whole.head, tree: async () => whole.tree, scenes: async (from, to) => whole.scenes.slice(from, to), state: async () => ({ state: whole.head.state }), still: true };
}

export class Player {
  /** first: addresses and keys of the page are this play's. */
  constructor(root, source, first) {
    Object.assign(this, { root, source, first, cursor: -1, hiding: false, node: new Map() });
  }

  async start() {
    try {
      const [head, tree] = await Promise.all([this.source.head(), this.source.tree()]);
      this.build(head);
      this.take(head, tree);
      await this.arrive();
      if (this.cursor < 0) await this.select(this.last < 0 ? -1 : 0, { quiet: true });
      this.root.dataset.ready = "";
      if (!head.ended && !this.source.still) this.watch();
    } catch (problem) {
      this.root.replaceChildren(h("p", { class: "problem", role: "alert" }, `This play cannot be shown: ${problem.message}`));
    }
  }

  get last() {
    return this.steps.step.length - 1;
  }

  build(head) {
    const { root } = this, button = (label, name, act) => h("button", { type: "button", "aria-label": name, title: name, on: { click: act } }, label);
    const part = (name, label) => h("section", { class: `panel ${name}`, "aria-label": label });
    const talk = part("conversation", "Conversation"), tree = part("arguments", "Argument tree"), side = h("div", { class: "side" });
    this.slider = h("input", { type: "range", min: "1", value: "1", "aria-label": "Step of the play", on: { input: () => this.stepTo(Number(this.slider.value) - 1) } });
    this.place = h("span", { class: "place", role: "status" });
    this.spent = h("span", { class: "spent" });
    this.hider = h("input", { type: "checkbox", on: { change: () => this.hide(this.hider.checked) } });
    this.copied = h("span", { class: "copied", role: "status" });
    this.running = h("span", { class: "state", role: "status" });
    const stepper = h("div", { class: "stepper", role: "group", "aria-label": "Step through the play" },
      h("div", { class: "moves" }, button("|◀", "First step", () => this.stepTo(0)), button("◀", "Step back", () => this.stepTo(this.cursor - 1)), this.slider,
        button("▶", "Step on", () => this.stepTo(this.cursor + 1)), button("▶|", "Last step", () => this.stepTo(this.last))),
      h("div", { class: "told" }, this.place, this.spent),
      h("div", { class: "ways" }, h("label", {}, this.hider, " Hide what comes later"), h("button", { type: "button", on: { click: () => this.copy() } }, "Copy link"), this.copied, this.running));
    this.top = h("div", {});
    const panels = [["Conversation", talk], ["Tree", tree]], hasPassage = head.passage !== null || head.data !== null || (head.images ?? []).length > 0;
    if (hasPassage) panels.push(["Passage", part("source", "Passage")]);
    this.spending = part("ledger", "Ledger");
    this.drawn = part("charts", "Charts");
    panels.push(["Ledger", this.spending], ["Charts", this.drawn]);
    const panes = h("div", { class: "panes" });
    this.tabs = new Tabs(panes, side, panels);
    this.passage = hasPassage ? new Passage(panels[2][1], head) : null;
    root.replaceChildren(this.top, stepper, panes,
      h("p", { class: "keys" }, "Keys: ", h("kbd", {}, "←"), " ", h("kbd", {}, "→"), " or ", h("kbd", {}, "k"), " ", h("kbd", {}, "j"), " step; in the tree arrows, Home, End, ", h("kbd", {}, "*"), ", letters, and Enter, which goes to what was said."));
    const link = (step) => this.link(step);
    this.tree = new ArgumentTree(tree, { pick: (i, meant) => this.picked(i, meant), link });
    this.talk = new Conversation(talk, this.source, {
      link, keyOf: (i) => `${this.steps.step[i]}~${this.ordinals[i]} ${this.hashOf(i)} ${this.steps.kind[i]}`, linkTo: (i) => this.anchor(i), hue: (seat) => this.hue(seat), go: (i) => this.select(Math.max(0, Math.min(this.last, i)), { push: true, focus: true }),
      passage: head.passage !== null, quote: (piece, from) => { this.tabs.show(2); this.passage.show(piece, { focus: () => { if (!this.tabs.wide) this.tabs.show(0); from.focus(); }, scrollIntoView: (how) => from.scrollIntoView(how) }); },
    });
    const fit = () => { const wide = root.clientWidth >= WIDE; root.classList.toggle("wide", wide); this.tabs.fit(wide); };
    new ResizeObserver(fit).observe(root);
    fit();
    root.addEventListener("keydown", (event) => this.key(event));
    if (this.first) {
      document.addEventListener("keydown", (event) => { if (event.target === document.body) this.key(event); });
      addEventListener("popstate", () => this.arrive());
      addEventListener("hashchange", () => this.arrive());
    }
  }

  /** Take what the play is now. */
  take(head, tree) {
    Object.assign(this, { head, steps: head.steps, seats: new Map(head.seats.map((seat, k) => [seat.seat, k % 6])) });
    this.ways = new Map();
    this.ordinals = this.steps.step.map((step) => {
      const found = this.ways.get(step) ?? this.ways.set(step, []).get(step);
      found.push(this.ordinal = (this.ordinal ?? -1) + 1);
      return found.length;
    });
    this.ordinal = undefined;
    this.node = new Map();
    tree.scene.forEach((scene, i) => { if (scene >= 0) this.node.set(scene, i); });
    this.nodeOfStep = new Map(tree.id.map((id, i) => [id, i]));
    renew(this.top, summary(head, Number(this.root.dataset.level ?? 2), (step) => this.link(step), this.still()));
    renew(this.spending, ...ledger(head));
    renew(this.drawn, ...charts(head));
    this.slider.max = Math.max(1, this.last + 1);
    this.running.replaceChildren(...(head.ended ? [] : [this.still()]));
    this.talk.set(this.steps);
    this.tree.set(tree);
  }

  still() {
    return this.source.still ? chip("as far as it had come") : chip("running", "running");
  }

  hue(seat) {
    return this.seats.get(seat) ?? "none";
  }

  // -- addresses --

  /** The address of a scene: its step, the last scene of which is meant, or with "~2" the second. */
  hashOf(index) {
    const step = this.steps.step[index], all = this.ways.get(step);
    return `#step=${encodeURIComponent(step)}${step && all[all.length - 1] === index ? "" : `~${this.ordinals[index]}`}`;
  }

  indexOf(hash) {
    const found = /^#step=([^~&]*)(?:~(\d+))?$/.exec(hash);
    let step = found?.[1] ?? null;
    try { step = step === null ? null : decodeURIComponent(step); } catch { step = null; }
    const all = this.ways.get(step);
    return all === undefined ? -1 : found[2] === undefined ? all[all.length - 1] : all[Number(found[2]) - 1] ?? -1;
  }

  anchor(index) {
    const step = this.steps.step[index];
    return this.way(this.hashOf(index), step ? `step ${step}` : "link");
  }

  link(step) {
    return this.way(`#step=${encodeURIComponent(step)}`, step);
  }

  way(hash, label) {
    const go = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      const index = this.indexOf(hash);
      if (index >= 0) this.select(index, { push: true, focus: true });
    };
    return h("a", { class: "step", href: hash, on: { click: go } }, label);
  }

  async arrive() {
    const index = this.first ? this.indexOf(location.hash) : -1;
    if (index < 0 || index === this.cursor) return;
    if (this.hiding && index > this.cursor) this.hider.checked = this.hiding = false;
    await this.select(index, { quiet: true, scroll: true });
  }

  async copy() {
    const address = this.first ? location.href.replace(/#.*$/, "") + (this.cursor < 0 ? "" : this.hashOf(this.cursor)) : new URL(this.root.dataset.source ?? "", location.href).href + (this.cursor < 0 ? "" : this.hashOf(this.cursor));
    try {
      await navigator.clipboard.writeText(address);
      this.copied.replaceChildren("copied");
    } catch {
      const field = h("input", { type: "text", readonly: true, "aria-label": "Link to this step", value: address });
      this.copied.replaceChildren(field);
      field.select();
    }
  }

  // -- selecting and stepping --

  /** Select a scene everywhere. push: as a place to come back to; focus, scroll: go there; quiet: leave the address; kept: the tree has it. */
  async select(index, { push = false, focus = false, scroll = focus, quiet = false, kept = false } = {}) {
    this.cursor = index;
    this.told();
    if (this.hiding) this.limit();
    const step = this.steps.step[index], node = this.node.get(index) ?? this.nodeOfStep.get(step);
    if (!kept && node !== undefined) this.tree.select(node);
    if (!quiet && this.first && index >= 0) this.address(push);
    await this.talk.show(index);
    if (this.cursor !== index) return;
    if (focus) this.tabs.wide || this.tabs.show(0);
    const article = this.talk.at(index);
    if (focus) article?.focus({ preventScroll: true });
    if (scroll) article?.scrollIntoView({ block: "nearest" });
  }

  address(push) {
    clearTimeout(this.pending);
    const hash = this.hashOf(this.cursor), put = () => { try { history[push ? "pushState" : "replaceState"](null, "", hash); } catch { /* a page that may have no address of its own */ } };
    if (push && location.hash !== hash) put();
    else this.pending = setTimeout(put, 150); // browsers refuse many in a short time
  }

  stepTo(index) {
    if (this.last < 0) return;
    this.hider.checked = this.hiding = true;
    return this.select(Math.max(0, Math.min(this.last, index)), { scroll: true });
  }

  hide(hiding) {
    this.hiding = hiding;
    this.limit();
  }

  limit() {
    const at = this.hiding ? this.cursor : Infinity;
    this.talk.limit(at);
    this.tree.limit(at);
  }

  picked(i, meant) {
    const scene = this.tree.data.scene[i];
    if (scene < 0 || scene > this.last) return; // a tree may be newer than the steps, for a moment
    this.select(scene, { push: meant, focus: meant, scroll: meant || this.tabs.wide, kept: true });
  }

  /** Where in the play the reader is, and what had been spent by then. */
  told() {
    const { cursor, steps, head } = this, guarantee = head.guarantee ?? {};
    this.slider.value = cursor + 1;
    this.slider.setAttribute("aria-valuetext", cursor < 0 ? "nothing yet" : `step ${steps.step[cursor]}, ${steps.seat[cursor]} ${steps.kind[cursor]}`);
    this.place.textContent = cursor < 0 ? "Nothing has been said yet" : `${count(cursor + 1)} of ${count(this.last + 1)} · step ${steps.step[cursor] || "none"} · ${steps.seat[cursor]} ${steps.kind[cursor]}`;
    const used = steps.spent?.[cursor] ?? null, most = guarantee.budget ?? null, measure = guarantee.measure ?? "";
    this.spent.replaceChildren(...(most !== null ? [meter("Spent so far", used, most, measure)] : used !== null ? [`Spent so far: ${count(used)} ${measure}`] : []));
  }

  key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, textarea, [role=tree], [role=tablist], .wide-table, pre")) return; // these have arrows of their own
    const by = { ArrowRight: 1, j: 1, ArrowLeft: -1, k: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    this.stepTo(this.cursor + by);
  }

  // -- a play that is running --

  /** Look again and again whether the play went on; the longer a look takes, or nothing comes, the later the next. */
  async watch() {
    let wait = SOONEST;
    while (!this.head.ended && this.root.isConnected) {
      await new Promise((done) => setTimeout(done, wait));
      if (document.hidden) continue;
      const begun = performance.now();
      try {
        const { state } = await this.source.state();
        if (state !== this.head.state) {
          await this.grow();
          wait = SOONEST;
        } else wait = Math.min(LATEST, wait * 1.5);
        this.running.replaceChildren(...(this.head.ended ? [] : [this.still()]));
      } catch (problem) {
        this.running.replaceChildren(chip("not reached; trying again", "bad"));
        wait = Math.min(LATEST, wait * 2);
      }
      wait = Math.max(wait, 4 * (performance.now() - begun));
    }
  }

  /** Take what came, and stay where the reader is; who stood at the end is taken along. */
  async grow() {
    const [head, tree] = await Promise.all([this.source.head(), this.source.tree()]);
    const here = this.cursor < 0 ? null : this.hashOf(this.cursor), followed = this.hiding === false && this.cursor === this.last && this.cursor > 0;
    const seen = [...this.talk.list.querySelectorAll("article")].find((article) => article.getBoundingClientRect().bottom > 0), from = seen?.getBoundingClientRect().top;
    this.take(head, tree);
    this.cursor = here === null ? Math.min(0, this.last) : Math.max(this.indexOf(here), Math.min(0, this.last));
    if (followed) this.cursor = this.last;
    this.told();
    await this.talk.show(this.cursor, true);
    if (this.hiding) this.limit();
    const node = this.node.get(this.cursor);
    if (followed && node !== undefined) this.tree.select(node);
    if (seen?.isConnected) scrollBy(0, seen.getBoundingClientRect().top - from);
  }
}

/** Show every play that the page has a place for. The first one's steps are the page's addresses. */
function begin() {
  const whole = document.getElementById("moot-play");
  [...document.querySelectorAll(".play")].forEach((root, k) => {
    const { source } = root.dataset;
    if (source !== undefined) new Player(root, fetched(source), k === 0).start();
    else if (whole !== null) new Player(root, embedded(JSON.parse(whole.textContent)), k === 0).start();
  });
}

begin();
