// Small things that all parts of the page use: elements made from plain data, numbers in words, drawings taken over piece by piece.
// Rule: text enters the page as text alone. Imports stand on one line each, so that an export can join these files into one.

let made = 0;

/** A name for an element that no other in the page has. */
export function fresh(stem) {
  made += 1;
  return `${stem}-${made}`;
}

/** An element. given: attributes by name; `on` holds listeners, null and false leave an attribute out. */
export function h(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Put something newer in its place: what is unfolded stays so, and the focus stays where it is. */
export function renew(box, ...children) {
  const folds = () => [...box.querySelectorAll("details")], stops = () => [...box.querySelectorAll("a, button, summary, [tabindex]")];
  const open = folds().map((fold) => fold.open), focused = stops().indexOf(document.activeElement);
  box.replaceChildren(...children);
  folds().forEach((fold, k) => { fold.open = open[k] ?? false; });
  if (focused >= 0) stops()[focused]?.focus({ preventScroll: true });
}

/** A number for people; null is said as unknown. */
export function count(value, digits = 2) {
  if (value === null || value === undefined) return "unknown";
  return typeof value === "number" ? value.toLocaleString("en", { maximumFractionDigits: digits }) : String(value);
}

/** A part of a whole as a bar with its number. It is said in words beside it, so the bar itself is hidden from readers. */
export function bar(part, shown = null) {
  const fill = h("span", { class: "fill" });
  fill.style.width = `${Math.max(0, Math.min(1, part)) * 100}%`;
  return h("span", { class: "bar" }, h("span", { class: "rail", "aria-hidden": "true" }, fill), h("span", { class: "number" }, shown ?? part.toFixed(2)));
}

/** What was used of what there is, as a meter with its numbers. */
export function meter(label, used, most, unit = "") {
  const words = `${count(used)} of ${count(most)}${unit && ` ${unit}`}`;
  const over = used !== null && most !== null && used > most;
  const part = used === null || used === undefined || !(most > 0) ? null : used / most;
  return h("span", { class: over ? "meter over" : "meter" }, h("span", { class: "name" }, label),
    part === null ? h("span", { class: "number" }, words) : bar(part, words));
}

export function chip(text, kind = "") {
  return h("span", { class: `chip ${kind}`.trim() }, text);
}

/** A table of numbers by what its first column names. */
export function table(columns, rows, caption) {
  const cell = (value, at) => h(at ? "td" : "th", { class: at ? "figure" : null, scope: at ? null : "row" }, count(value));
  return h("div", { class: "wide-table", tabindex: "0", role: "region", "aria-label": caption }, h("table", {}, h("caption", {}, caption),
    h("thead", {}, h("tr", {}, columns.map((name, at) => h("th", { class: at ? "figure" : null, scope: "col" }, name)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map(cell))))));
}

const SHAPES = new Set(["svg", "g", "rect", "polyline", "polygon", "circle", "line", "text", "title"]);
const LOOKS = new Set(["x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx", "width", "height", "viewBox", "points", "fill", "stroke",
  "stroke-width", "stroke-dasharray", "stroke-opacity", "fill-opacity", "font-size", "text-anchor", "transform"]);
const INKS = { "#222222": "ink", "#000000": "ink", "#767676": "faint", "#e4e4e4": "pale", "#ffffff": "ground" };

/** A drawing made by the server, as elements of its own kind: known shapes with known attributes, and nothing that acts or fetches. */
export function drawing(text, label) {
  const parsed = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  const copy = (from) => {
    if (!SHAPES.has(from.localName) || from.namespaceURI !== "http://www.w3.org/2000/svg") return null;
    const to = document.createElementNS("http://www.w3.org/2000/svg", from.localName);
    for (const { name, value } of from.attributes) {
      if (!LOOKS.has(name) || !/^[-#\w\s.,%()+]*$/.test(value) || /url/i.test(value)) continue;
      if ((name === "fill" || name === "stroke") && value in INKS) to.classList.add(`${name}-${INKS[value]}`);
      else to.setAttribute(name, value);
    }
    for (const child of from.childNodes) {
      const next = child.nodeType === Node.TEXT_NODE ? child.data : child.nodeType === Node.ELEMENT_NODE ? copy(child) : null;
      if (next !== null) to.append(next);
    }
    return to;
  };
  const drawn = copy(parsed);
  if (drawn === null || drawn.localName !== "svg") return h("p", { class: "problem" }, "This chart cannot be drawn.");
  drawn.setAttribute("role", "img");
  drawn.setAttribute("aria-label", label);
  return drawn;
}
