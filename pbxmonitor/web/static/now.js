// Keeps the live page as the server's events say: items by key into lists, moments counted by the server's clock.
import { live, root, spelled } from "./live.js";

const board = document.querySelector("[data-stream]");
const lists = new Map([...board.querySelectorAll("[data-list]")].map((list) => [list.dataset.list, list]));
const page = live(board, { show, apply, tick });

const template = (name) => board.querySelector(`template[data-template="${name}"]`).content.firstElementChild.cloneNode(true);

function lapse(ms) {
  const seconds = Math.max(Math.trunc(ms / 1000), 0);
  const days = Math.trunc(seconds / 86400);
  if (days) return spelled(page.words.days, { days, hours: Math.trunc(seconds / 3600) % 24 });
  const parts = [Math.trunc(seconds / 3600), Math.trunc(seconds / 60) % 60, seconds % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, place) => (place ? String(part).padStart(2, "0") : part)).join(":");
}

function tickOne(time) {
  const past = page.now() - Date.parse(time.dateTime);
  if (time.dataset.tick === "up") {
    time.textContent = lapse(past);
    return;
  }
  const late = past > 0;
  time.textContent = spelled(late ? page.words.overdue : page.words.left, { span: lapse(Math.abs(past)) });
  time.closest("[data-key]").toggleAttribute("data-late", late);
}

function fill(node, item) {
  for (const name of ["key", "order", "state", "level"]) {
    if (item[name] !== undefined) node.dataset[name] = item[name];
  }
  for (const slot of node.querySelectorAll("[data-slot]")) {
    const value = item[slot.dataset.slot];
    slot.hidden = !value;
    if (!slot.dataset.tick) slot.textContent = value ?? "";
    else if (value) {
      slot.dateTime = value;
      tickOne(slot);
    }
  }
  for (const use of item.state ? node.querySelectorAll("[data-icon]") : []) {
    use.setAttribute("href", `${root}static/states.svg#${item.state}`);
  }
  for (const link of node.querySelectorAll("[data-href]")) link.setAttribute("href", root + item.href);
  for (const button of node.querySelectorAll("[data-act]")) {
    button.formAction = `${root}callbacks/${encodeURI(item.key)}/${button.dataset.act}`;
  }
  for (const list of node.querySelectorAll("[data-each]")) {
    list.replaceChildren(...item[list.dataset.each].map((each) => fill(template(list.dataset.each), each)));
  }
  return node;
}

const isAfter = (one, other) => {
  const [a, b] = [one.dataset, other.dataset];
  return a.order === b.order ? a.key > b.key : a.order > b.order;
};

function place(list, node) {
  const before = node.previousElementSibling;
  const next = node.nextElementSibling;
  if (node.parentNode === list && !(before && isAfter(before, node)) && !(next && isAfter(node, next))) return;
  const focused = node.contains(document.activeElement) ? document.activeElement : null;
  const later = [...list.children].find((other) => other !== node && isAfter(other, node));
  list.insertBefore(node, later ?? null);
  focused?.focus({ preventScroll: true });
}

function put(list, key, item) {
  let node = [...list.children].find((each) => each.dataset.key === key);
  if (item === null) {
    node?.remove();
    return;
  }
  const isNew = !node;
  node ??= template(list.dataset.list);
  const before = node.dataset.state;
  fill(node, item);
  place(list, node);
  if (isNew || before !== node.dataset.state) {
    node.classList.remove("fresh");
    requestAnimationFrame(() => node.classList.add("fresh"));
  }
  if (isNew && list.dataset.list === "alerts") page.say(spelled(page.words.alert, { text: `${item.title} ${item.who}` }));
}

function apply(patch) {
  for (const [section, items] of Object.entries(patch)) {
    const list = lists.get(section);
    if (!list) continue;
    for (const [key, item] of Object.entries(items)) put(list, key, item);
    const note = board.querySelector(`[data-empty="${section}"]`);
    if (note) note.hidden = list.childElementCount > 0;
  }
}

/** The whole view: what is not in it is gone. */
function show(view) {
  const patch = {};
  for (const [section, list] of lists) {
    const gone = [...list.children].map((each) => [each.dataset.key, null]);
    patch[section] = { ...Object.fromEntries(gone), ...view[section] };
  }
  apply(patch);
}

function tick() {
  for (const time of board.querySelectorAll("time[data-tick]:not([hidden])")) tickOne(time);
  for (const clock of board.querySelectorAll("[data-clock]")) {
    clock.textContent = new Date(page.now()).toLocaleTimeString(document.documentElement.lang, { timeZone: clock.dataset.clock });
  }
}

page.start();
