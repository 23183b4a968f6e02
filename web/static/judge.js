// The page of a person who judges, made quicker: sliders, counters, a clock, what a belief pays, drafts, and news.
// Everything that it does with words is textContent; without it the page works as plain forms.

const body = document.body, form = document.getElementById("answer");
const seating = body.dataset.seating, turn = body.dataset.turn;
let leaving = false;

/** Whether something was filled in before this script came. */
const early = [...(form?.elements ?? [])].some((each) =>
  each.name && !["at", "find"].includes(each.name) && each.type !== "hidden" &&
  ("defaultValue" in each && each.value !== each.defaultValue || "defaultChecked" in each && each.checked !== each.defaultChecked));

/** The fields of the form as they would be sent, without buttons, places to look at, and what is empty. */
function filled() {
  const made = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (name !== "at" && name !== "find") made.append(name, value);
  return made;
}

const send = (where, fields) =>
  fetch(where, { method: "POST", body: fields, keepalive: true, redirect: "error" }).catch(() => null);

// -- probabilities: the last one is what the others leave ----------------------------------------------------------------

for (const group of document.querySelectorAll("[data-shares]")) {
  const numbers = [...group.querySelectorAll("input[type=number]")], last = numbers.at(-1), others = numbers.slice(0, -1);
  const sliders = new Map([...group.querySelectorAll("input[type=range]")].map((each) => [each.dataset.of, each]));
  last.readOnly = true;
  const settle = () => {
    const known = others.every((each) => each.value !== "" && each.validity.valid);
    const left = 100 - others.reduce((sum, each) => sum + Number(each.value), 0);
    last.value = known ? String(Math.round(left * 1e6) / 1e6) : "";
    last.setCustomValidity(known && left < 0 ? "the others are more than 100 together" : "");
    last.classList.toggle("over", known && left < 0);
    for (const each of others) if (each.value !== "") sliders.get(each.name).value = each.value;
  };
  for (const each of others) {
    const slider = sliders.get(each.name);
    slider.hidden = false;
    slider.addEventListener("input", () => {
      const room = 100 - others.reduce((sum, other) => sum + (other === each ? 0 : Number(other.value)), 0);
      each.value = String(Math.min(Number(slider.value), Math.max(0, room)));
      each.dispatchEvent(new Event("input", { bubbles: true }));
    });
    each.addEventListener("input", settle);
  }
  settle();
}

// -- how long a text is: as the server counts, but for scripts without spaces --------------------------------------------

const counted = {
  characters: (text) => [...text].length,
  words: (text) => (text.match(/\S+/g) ?? []).length,
  tokens: (text) => new TextEncoder().encode(text).length,
};
for (const area of document.querySelectorAll("textarea[data-most]")) {
  const told = document.getElementById(`${area.id}-told`).querySelector(".count");
  area.addEventListener("input", () => {
    const count = counted[area.dataset.unit](area.value.replace(/<\/?quote>/gi, "").trim());
    told.textContent = `About ${count} of ${area.dataset.most} ${area.dataset.unit}`;
    told.classList.toggle("over", count > Number(area.dataset.most));
  });
}

// -- what the belief pays ------------------------------------------------------------------------------------------------

const pays = document.getElementById("pays");
async function reckon() {
  const asked = new URLSearchParams({ seating, turn });
  for (const each of form.querySelectorAll(`[name^="${pays.dataset.field}-"]`)) asked.append(each.name, each.value);
  const reply = await fetch(`pays?${asked}`).catch(() => null);
  if (!reply?.ok) return;
  const { rows } = await reply.json();
  pays.querySelectorAll("tbody tr").forEach((row, place) => {
    for (const name of ["points", "money"]) {
      const cell = row.querySelector(`.${name}`);
      if (cell && rows[place]) cell.textContent = rows[place][name];
    }
  });
}

// -- drafts: nothing that was typed is lost ------------------------------------------------------------------------------

const after = (wait, does) => {
  let timer = 0;
  return () => { clearTimeout(timer); timer = setTimeout(does, wait); };
};
let unsaved = early;
const save = () => {
  if (!form || !unsaved || leaving) return;
  unsaved = false;
  if (!navigator.sendBeacon("draft", filled())) send("draft", filled()); // a beacon outlives the page, and has a bound on its size
};
if (form) {
  const later = after(1500, save), soon = after(200, reckon);
  if (early) later();
  form.addEventListener("input", (event) => {
    if (event.target.name === "at" || event.target.name === "find") return;
    unsaved = true;
    later();
    if (pays && event.target.name?.startsWith(pays.dataset.field)) soon();
  });
  form.addEventListener("submit", (event) => {
    if (leaving) return event.preventDefault(); // a second click on the same button
    leaving = true;
    setTimeout(() => { leaving = false; }, 5000);
  });
}

// -- the clock -----------------------------------------------------------------------------------------------------------

const clock = document.querySelector('[data-measure="seconds"]');
const words = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds) % 60).padStart(2, "0")}`;
function low(row) {
  row.classList.toggle("low", Number(row.dataset.left) < 0.1 * Number(row.dataset.limit));
}
document.querySelectorAll("[data-measure]").forEach(low);
let tick = performance.now();
if (clock) setInterval(() => {
  const now = performance.now(), gone = (now - tick) / 1000;
  tick = now;
  if (document.hidden) return;
  clock.dataset.left = String(Math.max(0, Number(clock.dataset.left) - gone));
  clock.querySelector("meter").value = clock.dataset.left;
  clock.querySelector(".told").textContent = `${words(Number(clock.dataset.left))} of ${words(Number(clock.dataset.limit))} left`;
  low(clock);
}, 500);

// -- whether anybody is there: a page that is closed or hidden is away ----------------------------------------------------

const present = (here) => { // 1: it is open, 0: it is not any more, 2: nor is it, and another page takes its place
  if (seating) navigator.sendBeacon("present", new URLSearchParams({ seating, from: body.dataset.from, here }));
};
document.addEventListener("visibilitychange", () => {
  if (document.hidden) save();
  present(document.hidden ? 0 : 1);
});
addEventListener("pagehide", () => { save(); present(leaving ? 2 : 0); });
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

// -- news: the page asks, the server answers when there is something ------------------------------------------------------

function show(news) {
  const asking = document.getElementById("asking"), heard = document.getElementById("heard");
  if (asking) asking.textContent = news.asking ? `Waiting for ${news.asking}.` : "Waiting for the others.";
  if (heard && news.heard.length) heard.replaceChildren(...news.heard.map(({ who, count }) => {
    const item = document.createElement("li");
    item.textContent = `${who}: ${count}`;
    return item;
  }));
  for (const { measure, left } of news.meters) {
    if (measure === "seconds" && clock) clock.dataset.left = String(left);
  }
}

async function listen() {
  let version = "", wait = 500;
  for (;;) {
    const here = document.hidden ? "0" : "1";
    const reply = await fetch(`state?v=${encodeURIComponent(version)}&here=${here}&from=${body.dataset.from}`).catch(() => null);
    if (reply?.ok) {
      const news = await reply.json();
      if (news.page !== body.dataset.page && !leaving) {
        leaving = true;
        return location.reload();
      }
      show(news);
      version = news.v;
      wait = 500;
    } else {
      wait = Math.min(2 * wait, 15000); // the server is away, or we ask too often
    }
    await new Promise((done) => setTimeout(done, wait));
  }
}
if (body.dataset.page && (seating || body.dataset.page === "wait")) listen();
