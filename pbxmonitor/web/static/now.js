// Keeps the live page as the server's events say: items by key into lists, moments counted by the server's clock.
const board = document.querySelector("[data-stream]");
const root = document.documentElement.dataset.root;
const words = JSON.parse(board.dataset.words);
const lists = new Map([...board.querySelectorAll("[data-list]")].map((list) => [list.dataset.list, list]));
const SILENT_MS = 40_000; // a beat comes every 15 s
const PATIENCE_MS = 3_000; // a stream that ends comes again by itself
let offset = Date.parse(board.dataset.now) - Date.now();
let lastId = board.dataset.after;
let heardAt = Date.now();
let brokenAt = null;

const template = (name) => board.querySelector(`template[data-template="${name}"]`).content.firstElementChild.cloneNode(true);
const spelled = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

function lapse(ms) {
  const seconds = Math.max(Math.trunc(ms / 1000), 0);
  const parts = [Math.trunc(seconds / 3600), Math.trunc(seconds / 60) % 60, seconds % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, place) => (place ? String(part).padStart(2, "0") : part)).join(":");
}

function tickOne(time) {
  const past = Date.now() + offset - Date.parse(time.dateTime);
  if (time.dataset.tick === "up") {
    time.textContent = lapse(past);
    return;
  }
  const late = past > 0;
  time.textContent = spelled(late ? words.overdue : words.left, { span: lapse(Math.abs(past)) });
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
  if (isNew && list.dataset.list === "alerts") say(spelled(words.alert, { text: `${item.title} ${item.who}` }));
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

function say(text) {
  board.querySelector("[data-news]").textContent = text;
}

function linked(isLive) {
  if (board.hasAttribute("data-lost") === !isLive) return;
  board.toggleAttribute("data-lost", !isLive);
  board.querySelector("[data-link-text]").textContent = isLive ? words.live : words.lost;
  say(isLive ? words.back : words.lost);
}

function heard(message) {
  heardAt = Date.now();
  brokenAt = null;
  lastId = message.lastEventId || lastId;
  linked(true);
}

function connect() {
  const address = new URL(board.dataset.stream, location.href);
  address.searchParams.set("after", lastId);
  const source = new EventSource(address);
  source.addEventListener("view", (message) => (heard(message), show(JSON.parse(message.data).view)));
  source.addEventListener("patch", (message) => (heard(message), apply(JSON.parse(message.data).patch)));
  source.addEventListener("beat", (message) => {
    heard(message);
    offset = Date.parse(JSON.parse(message.data).now) - Date.now();
  });
  source.addEventListener("error", () => {
    brokenAt ??= Date.now();
    if (source.readyState === EventSource.CLOSED) setTimeout(again, PATIENCE_MS);
  });
}

/** The server has refused: perhaps the session is over, and the login page is next. */
async function again() {
  const page = await fetch(location.href, { redirect: "manual" }).catch(() => null);
  if (page?.type === "opaqueredirect") location.reload();
  else connect();
}

function tick() {
  for (const time of board.querySelectorAll("time[data-tick]:not([hidden])")) tickOne(time);
  for (const clock of board.querySelectorAll("[data-clock]")) {
    clock.textContent = new Date(Date.now() + offset).toLocaleTimeString(document.documentElement.lang, { timeZone: clock.dataset.clock });
  }
  const now = Date.now();
  if (now - heardAt > SILENT_MS || (brokenAt !== null && now - brokenAt > PATIENCE_MS)) linked(false);
}

connect();
tick();
setInterval(tick, 1000);
