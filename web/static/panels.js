// What stands beside a conversation: what the play is and came to, its passage, its ledger with the guarantee, its charts.
// Rule: each takes the head of a play and gives elements; what is not known is said so. Imports stand on one line each.

import { bar, chip, count, drawing, fresh, h, meter, table } from "./dom.js";

const HEADLINE = 600; // characters of the longest question that is one

/** The top of a play: question, choices with the verdict, how it ended. level: of its heading; still: what is said of one that has not ended. */
export function summary(head, level, link, still) {
  const guarantee = head.guarantee ?? {}, chips = [];
  if (!head.ended) chips.push(still);
  const outcome = head.outcome ? head.outcome.words || head.outcome.kind : null;
  if (outcome !== null && outcome.length <= 100) chips.push(chip(outcome));
  if (outcome === null && head.ended) chips.push(chip("outcome unknown"));
  if (head.right !== null) chips.push(chip(head.right ? "✓ right" : "✗ wrong", head.right ? "good" : "bad"));
  else if (head.verdict !== null) chips.push(chip("right or wrong: unknown"));
  if (guarantee.holds === true) chips.push(chip("✓ guarantee holds", "good"));
  else chips.push(guarantee.holds === false ? chip("✗ guarantee does not hold", "bad") : chip("guarantee: unknown"));
  if (head.judge) chips.push(chip(`judge: ${head.judge}`));
  const choices = head.choices.map((choice, k) => {
    const seats = head.seats.filter((seat) => seat.defends === k).map((seat) => seat.seat);
    return h("li", {}, h("span", { class: "name" }, choice, seats.length > 0 && h("span", { class: "by" }, ` defended by ${seats.join(", ")}`),
      head.truth === k && [" ", chip("✓ true", "good")]), head.verdict && k < head.verdict.length && bar(head.verdict[k]));
  });
  return h("header", { class: "summary" },
    h(`h${level}`, head.question.length > HEADLINE ? { class: "question long", tabindex: "0" } : { class: "question" }, head.question), head.about && h("p", { class: "about" }, head.about),
    choices.length > 0 && h("ul", { class: head.verdict ? "choices" : "choices alone", "aria-label": head.verdict ? "Choices, with the judge's verdict" : "Choices" }, choices),
    outcome !== null && outcome.length > 100 && h("p", { class: "outcome" }, outcome),
    h("p", { class: "chips" }, chips),
    h("details", { class: "cast" }, h("summary", {}, head.setting || "Seats"), seats(head),
      head.outcome?.scores?.length > 0 && h("ul", { class: "scores" }, head.outcome.scores.map((line) => h("li", {}, line))),
      head.parent && descent(head.parent, link),
      h("p", { class: "digest" }, `${count(head.events)} events`, head.digest && ` · digest ${head.digest}`)));
}

/** What a play was made from. */
function descent({ name, digest, at }, link) {
  const of = name ?? digest ?? "a play that is not named";
  return h("p", { class: "descent" }, ...(at === "judge" ? [`${of}, judged again`] : [`A fork of ${of}`, at !== null && [" at step ", link(at)]]));
}

function seats(head) {
  return h("ul", { class: "seats" }, head.seats.map((seat) => h("li", {},
    h("strong", {}, seat.seat), ` · ${seat.role}`, seat.who && `: ${seat.who}`,
    seat.defends !== null && seat.defends !== undefined && `; defends ${head.choices[seat.defends] ?? `answer ${seat.defends}`}`,
    seat.bound && `; at most ${Object.entries(seat.bound).map(([measure, most]) => `${count(most)} ${measure.replaceAll("_", " ")}`).join(", ")}`,
    (seat.notes ?? []).map((note) => h("details", { class: "private" }, h("summary", {}, "Private notes: shown to this seat alone"), h("p", { class: "said" }, note))))));
}

/** The passage, data and pictures of a question. Its `show(piece)` marks a quote and goes there. */
export class Passage {
  constructor(box, head) {
    this.text = head.passage;
    this.body = h("div", { class: "passage" });
    if (head.passage !== null) box.append(h("h3", {}, "Passage"), this.body);
    this.body.textContent = head.passage ?? "";
    if (head.data !== null) box.append(h("h3", {}, "Data"), h("pre", { tabindex: "0", "aria-label": "Data of the question" }, head.data));
    for (const image of head.images ?? []) {
      box.append(image.src ? h("figure", {}, h("img", { src: image.src, alt: image.alt || "An image of the question" }), image.alt && h("figcaption", {}, image.alt))
        : h("p", { class: "empty" }, `An image that is not shown here: ${image.alt || "without a description"}`));
    }
  }

  /** Mark a quote: found by its words, nearest to where it was found, and otherwise by its place. back: where the reader comes from. */
  show(piece, back) {
    const [from, to] = piece.at, start = utf16(this.text, from), words = piece.text.trim();
    let at = this.text.startsWith(words, start) ? start : -1, nearest = Infinity;
    for (let k = at < 0 && words ? this.text.indexOf(words) : -1; k >= 0; k = this.text.indexOf(words, k + 1)) {
      if (Math.abs(k - start) < nearest) { nearest = Math.abs(k - start); at = k; }
    }
    const end = at < 0 ? utf16(this.text, to) : at + words.length;
    if (at < 0) at = start;
    const mark = h("mark", { tabindex: "-1" }, this.text.slice(at, end));
    const home = h("button", { type: "button", class: "back", on: { click: () => { back.focus(); back.scrollIntoView({ block: "center" }); } } }, "back to the speech");
    this.body.replaceChildren(this.text.slice(0, at), mark, " ", home, this.text.slice(end));
    mark.focus({ preventScroll: true });
    mark.scrollIntoView({ block: "center" });
  }
}

/** Where a character stands in a text of JavaScript, which counts those beyond the first plane twice. */
function utf16(text, index) {
  let at = 0;
  for (let k = 0; k < index && at < text.length; k += 1) at += text.codePointAt(at) > 0xffff ? 2 : 1;
  return at;
}

/** Who spent what, against which budget; whether the guarantee holds, and if not why. */
export function ledger(head) {
  const { ledger: spent, guarantee } = head, out = [];
  if (guarantee) {
    const holds = guarantee.holds, said = holds === true ? "✓ The guarantee holds" : holds === false ? "✗ The guarantee does not hold" : "Whether the guarantee holds is not known";
    out.push(h("section", { class: `guarantee ${holds === true ? "good" : holds === false ? "bad" : ""}` }, h("h3", {}, said),
      guarantee.because && h("p", {}, guarantee.because),
      h("dl", {}, facts({ class: guarantee.class, measure: guarantee.measure, n: guarantee.n, polynomial: guarantee.polynomial })),
      guarantee.budget !== null && guarantee.budget !== undefined && meter(guarantee.measure ?? "used", guarantee.used, guarantee.budget),
      (guarantee.assumes ?? []).length > 0 && [h("h4", {}, "It assumes"), h("ul", { class: "assumes" }, guarantee.assumes.map((each) => h("li", {}, h("b", {}, each.name), `: ${each.says}`)))]));
  }
  if (spent) {
    if (spent.budgets?.length) out.push(h("section", {}, h("h3", {}, "Budgets"), h("ul", { class: "budgets" }, spent.budgets.map((each) => h("li", {}, meter(`${each.seat}: ${each.measure}`, each.used, each.limit))))));
    if (spent.rows?.length) out.push(h("section", {}, h("h3", {}, "Spending"), table(spent.columns, spent.rows, `By seat; reading in ${spent.unit}${spent.n === null ? "" : `, n = ${count(spent.n)}`}`)));
    const tree = Object.entries(spent.tree ?? {});
    if (tree.length) out.push(h("section", {}, h("h3", {}, "Argument tree"), h("dl", {}, facts(Object.fromEntries(tree)))));
  }
  return out.length ? out : [h("p", { class: "empty" }, "No spending is recorded.")];
}

function facts(values) {
  return Object.entries(values).filter(([, value]) => value !== undefined).flatMap(([name, value]) => [h("dt", {}, name.replaceAll("_", " ")), h("dd", {}, value !== null && typeof value === "object" ? JSON.stringify(value) : count(value))]);
}

export function charts(head) {
  if (!head.charts?.length) return [h("p", { class: "empty" }, "There is nothing to draw of this play.")];
  return head.charts.map((chart) => h("figure", { class: "chart" }, h("figcaption", { class: "unseen" }, chart.title), drawing(chart.svg, chart.title)));
}

/** Tabs over panels, by arrows, Home and End as by a pointer. */
export class Tabs {
  constructor(box, side, panels) {
    this.list = h("div", { role: "tablist", class: "tabs", "aria-label": "Parts of the play", on: { keydown: (event) => this.key(event) } });
    this.panels = panels.map(([label, panel], k) => {
      panel.id = fresh("panel");
      const tab = h("button", { type: "button", role: "tab", id: fresh("tab"), "aria-controls": panel.id, on: { click: () => this.show(k) } }, label);
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", tab.id);
      panel.tabIndex = 0;
      this.list.append(tab);
      return { tab, panel };
    });
    this.chosen = 0;
    this.wide = false;
    side.append(this.list, ...this.panels.slice(1).map(({ panel }) => panel));
    box.append(side, this.panels[0].panel);
    this.show(0);
  }

  /** With room for two columns the first panel always stands on the left. */
  fit(wide) {
    if (wide === this.wide) return;
    this.wide = wide;
    this.show(this.chosen);
  }

  show(chosen) {
    this.chosen = this.wide ? Math.max(1, chosen) : chosen;
    this.panels.forEach(({ tab, panel }, k) => {
      tab.hidden = this.wide && k === 0;
      tab.setAttribute("aria-selected", String(k === this.chosen));
      tab.tabIndex = k === this.chosen ? 0 : -1;
      panel.hidden = k !== this.chosen && !(this.wide && k === 0);
    });
  }

  key(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key], first = this.wide ? 1 : 0, count = this.panels.length - first;
    let next = by === undefined ? { Home: first, End: this.panels.length - 1 }[event.key] : first + (this.chosen - first + by + count) % count;
    if (next === undefined) return;
    this.show(next);
    this.panels[this.chosen].tab.focus();
    event.preventDefault();
    event.stopPropagation();
  }
}
