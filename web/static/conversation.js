// What was said, fifty scenes at a time: side by side where it was said at once, quotes marked, what is private folded away.
// Rule: the page holds one window of scenes, whatever the length of the play. Imports stand on one line each.

import { bar, chip, h } from "./dom.js";

const WINDOW = 50;
const LONG = 6000; // characters of a piece that are shown at once

export class Conversation {
  /** source: gives scenes. context: {link(step), linkTo(index), keyOf(index), hue(seat), go(index), quote(piece, from), passage}. */
  constructor(box, source, context) {
    this.source = source;
    this.context = context;
    this.start = -1;
    this.limitAt = Infinity;
    this.cursor = -1;
    this.asked = 0;
    this.made = new Map();
    const button = (label, by) => h("button", { type: "button", class: "more", on: { click: () => this.context.go(this.start + by) } }, label);
    this.earlier = button("Earlier", -WINDOW);
    this.next = button("Later", WINDOW);
    this.list = h("div", { class: "scenes" });
    this.told = h("p", { class: "told" });
    box.append(this.earlier, this.told, this.list, this.next);
  }

  /** The steps are these now. Scenes that stand where they stood are kept as they are. */
  set(steps) {
    this.steps = steps;
    this.count = steps.step.length;
  }

  /** Show the window that holds a scene; afresh: even where it is shown already. */
  async show(index, afresh = false) {
    this.cursor = index;
    const start = Math.floor(Math.max(0, index) / WINDOW) * WINDOW;
    if (start !== this.start || afresh) {
      const mine = (this.asked += 1), end = Math.min(this.count, start + WINDOW);
      const scenes = end > start ? await this.source.scenes(start, end) : [];
      if (mine !== this.asked) return;
      this.start = start;
      this.fill(scenes, start, end);
    }
    this.mark();
  }

  limit(index) {
    this.limitAt = index;
    this.mark();
  }

  fill(scenes, start, end) {
    const focused = document.activeElement, made = new Map(), out = [];
    let heading = null, group = null, gone = null;
    scenes.forEach((scene, k) => {
      const index = start + k, key = this.context.keyOf(index);
      const article = this.made.get(key) ?? this.article(scene, index);
      article.dataset.scene = index;
      if (scene.step === this.steps.step[index]) made.set(key, article); // not where the play went on between two answers
      if (scene.heading && scene.heading !== heading) out.push(h("h3", { class: "heading" }, scene.heading));
      if (scene.heading) heading = scene.heading;
      const together = this.steps.together[index] ?? null;
      if (together === null) out.push(article);
      else {
        if (together !== gone || group === null) { group = { of: together, scenes: [], box: h("div", { class: "together", role: "group", "aria-label": "Said at once" }) }; out.push(group.box); }
        group.scenes.push([scene, article]);
      }
      if (together === null) group = null;
      gone = together;
      if (group !== null) columns(group);
    });
    this.made = made;
    this.list.replaceChildren(...out);
    if (focused !== null && focused !== document.activeElement && this.list.contains(focused)) focused.focus({ preventScroll: true });
    this.earlier.hidden = start === 0;
    this.next.hidden = end >= this.count;
    this.told.hidden = this.count <= WINDOW;
    this.told.textContent = `Scenes ${start + 1} to ${end} of ${this.count}`;
    if (!scenes.length) this.list.append(h("p", { class: "empty" }, "Nothing has been said yet."));
  }

  /** Mark the selected scene, and hide what comes after the limit. */
  mark() {
    for (const article of this.list.querySelectorAll("article")) {
      const index = Number(article.dataset.scene);
      article.hidden = index > this.limitAt;
      if (index === this.cursor) article.setAttribute("aria-current", "step");
      else article.removeAttribute("aria-current");
    }
    let shown = false;
    for (const block of [...this.list.children].reverse()) {
      if (block.localName === "h3") { block.hidden = !shown; shown = false; }
      else { if (block.localName === "div") block.hidden = !block.querySelector("article:not([hidden])"); shown ||= !block.hidden; }
    }
    this.next.disabled = this.start + WINDOW > this.limitAt;
  }

  at(index) {
    return this.list.querySelector(`article[data-scene="${index}"]`);
  }

  article(scene, index) {
    const { context } = this, quiet = scene.note !== null || (scene.private !== null && !scene.pieces.length && !scene.beliefs.length);
    const classes = ["scene", `hue-${context.hue(scene.seat)}`, scene.rule !== null && "rejected", scene.note !== null && "note", quiet && "quiet"];
    const head = h("header", {}, h("strong", { class: "seat" }, scene.seat || "the play"), h("span", { class: "kind" }, scene.kind),
      scene.defends !== null && chip(`for ${scene.defends}`, "defends"), scene.relation && scene.under && scene.under !== "q" && h("span", { class: "relation" }, scene.relation, " ", context.link(scene.under)),
      scene.extra && h("span", { class: "extra" }, scene.extra),
      h("span", { class: "where" }, scene.at && h("time", { datetime: scene.at, title: scene.at }, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(scene.at) ? scene.at.slice(11, 19) : scene.at), scene.reads !== null && h("span", {}, `reads ${scene.reads.toLocaleString("en")}`), context.linkTo(index)));
    const article = h("article", { class: classes.filter(Boolean).join(" "), tabindex: "-1", "data-scene": index, "aria-label": `${scene.seat || "The play"}, ${scene.kind}, step ${scene.step || "none"}` }, head);
    if (scene.rule !== null) article.append(h("p", { class: "rule" }, h("b", {}, "Rejected: "), scene.rule || "against a rule that is not recorded"));
    if (scene.remark !== null) article.append(h("p", { class: "remark" }, h("b", {}, "Remark: "), scene.remark));
    if (scene.note !== null) article.append(h("p", { class: "said" }, scene.note));
    if (scene.private !== null) article.append(kept([{ kind: scene.kind, about: "", text: scene.private }]));
    if (scene.asides.length) article.append(kept(scene.asides));
    if (scene.pieces.length) article.append(h("p", { class: "said" }, scene.pieces.map((piece) => this.piece(piece))));
    if (scene.beliefs.length) {
      article.append(h("ul", { class: "beliefs", "aria-label": "Beliefs" }, scene.beliefs.map((p, k) =>
        h("li", {}, h("span", { class: "name" }, scene.choices[k] ?? `answer ${k}`), bar(p)))));
    }
    return article;
  }

  piece(piece) {
    const text = long(piece.text);
    if (!piece.quote) return text;
    const [mark, words] = piece.verified === true ? ["✓", "in the passage"] : piece.verified === false ? ["✗", "not in the passage"] : ["?", "not checked"];
    const kind = piece.verified === true ? "good" : piece.verified === false ? "bad" : "";
    const label = h("span", { class: `mark ${kind}` }, h("span", { "aria-hidden": "true" }, mark), ` ${words}`);
    const way = piece.at && this.context.passage ? h("button", { type: "button", class: `mark ${kind}`, title: "Show it in the passage", on: { click: (event) => this.context.quote(piece, event.currentTarget) } }, h("span", { "aria-hidden": "true" }, mark), ` ${words}: show`) : label;
    return [h("q", { class: `quote ${kind}` }, text), " ", way];
  }
}

/** What was kept for readers alone, folded. */
function kept(asides) {
  const kinds = [...new Set(asides.map((each) => each.kind))].join(", ");
  return h("details", { class: "private" }, h("summary", {}, `Private, kept for readers: ${kinds}`),
    asides.map((each) => [asides.length > 1 && h("p", { class: "kind" }, each.kind, each.about && ` · ${each.about}`), h("p", { class: "said" }, long(each.text))]));
}

/** A text, and where it is very long, its beginning with a way to the rest. */
function long(text) {
  if (text.length <= LONG * 1.2) return text;
  const rest = h("button", { type: "button", on: { click: () => rest.replaceWith(text.slice(LONG)) } }, `… ${(text.length - LONG).toLocaleString("en")} more characters`);
  return [text.slice(0, LONG), rest];
}

/** Scenes said at once, a column for each branch: what parts their steps first. */
function columns(group) {
  const paths = group.scenes.map(([scene]) => scene.step.split("."));
  let shared = 0;
  const least = Math.min(...paths.map((path) => path.length));
  while (shared < least - 1 && paths.every((path) => path[shared] === paths[0][shared])) shared += 1;
  const found = new Map();
  group.scenes.forEach(([, article], k) => {
    const branch = paths[k][shared];
    if (!found.has(branch)) found.set(branch, h("div", { class: "column" }));
    found.get(branch).append(article);
  });
  group.box.replaceChildren(...found.values());
}
