// The board of callbacks: cards appear, change and move as the server says; the focus and what somebody types stay.
import { live, spelled } from "./live.js";

const board = document.querySelector("[data-stream]");
const lists = new Map([...document.querySelectorAll("[data-column]")].map((column) => [column.dataset.column, column.querySelector("[data-cards]")]));
const csrf = document.body.dataset.csrf;

const parsed = (html) => {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.firstElementChild;
};
const cardOf = (key) => board.querySelector(`article[data-key="${CSS.escape(key)}"]`);

/** The card of that HTML, with this window's own words in its forms. */
function made({ html }) {
  const card = parsed(html);
  for (const field of card.querySelectorAll("input[name=csrf]")) field.value = csrf;
  for (const field of card.querySelectorAll("input[name=once]")) field.value = board.dataset.once;
  for (const due of card.querySelectorAll("[data-due]")) count(due);
  return card;
}

/** A part as the server has made it: without what is this window's, what somebody typed and what time has changed. */
function plain(part) {
  const copy = part.cloneNode(true);
  for (const each of [copy, ...copy.querySelectorAll("details, input, [data-due]")]) {
    each.removeAttribute("open");
    each.removeAttribute("value");
    if (each.dataset.due !== undefined) each.textContent = "";
  }
  return copy.outerHTML;
}

/** Put what is new into the card, part by part; one that is the same, or in which somebody writes, is left alone. */
function renew(card, fresh) {
  card.className = fresh.className;
  card.dataset.order = fresh.dataset.order;
  const known = new Map([...card.children].map((part) => [part.dataset.part, part]));
  let here = card.firstElementChild;
  for (const part of [...fresh.children]) {
    const mine = known.get(part.dataset.part);
    const writes = mine?.contains(document.activeElement) && document.activeElement.matches("input:not([type=hidden])");
    if (mine && (writes || plain(mine) === plain(part))) {
      while (here && here !== mine) here = dropped(here);
      here = mine.nextElementSibling;
      continue;
    }
    card.insertBefore(part, here);
    if (!mine) continue;
    if (mine.open) part.open = true;
    const focused = mine.contains(document.activeElement) ? document.activeElement : null;
    if (here === mine) here = dropped(mine);
    else mine.remove();
    if (focused) refocus(card, part, focused);
  }
  while (here) here = dropped(here);
}

function dropped(part) {
  const next = part.nextElementSibling;
  const held = part.contains(document.activeElement);
  const card = part.parentElement;
  part.remove();
  if (held) card.querySelector(".client a").focus({ preventScroll: true });
  return next;
}

function refocus(card, part, was) {
  const same = was.dataset.act ? part.querySelector(`[data-act="${was.dataset.act}"]`) : was.localName === "summary" ? part.querySelector("summary") : null;
  (same ?? part.querySelector("button, summary, a") ?? card.querySelector(".client a")).focus({ preventScroll: true });
}

/** Where its order says; the focus goes with it. */
function place(list, card) {
  const next = [...list.children].find((other) => other !== card && other.dataset.order > card.dataset.order) ?? null;
  if (card.parentElement === list && card.nextElementSibling === next) return;
  const focused = card.contains(document.activeElement) ? document.activeElement : null;
  if (card.isConnected && list.moveBefore) list.moveBefore(card, next);
  else list.insertBefore(card, next);
  if (focused && document.activeElement !== focused) focused.focus({ preventScroll: true });
}

function put(column, item) {
  const list = lists.get(column);
  const fresh = made(item);
  const card = cardOf(item.key);
  if (!card) {
    place(list, fresh);
    flash(fresh);
    if (column === "open") page.say(spelled(page.words.fresh, { number: fresh.querySelector(".client").textContent.trim() }));
    return;
  }
  const moved = card.parentElement !== list;
  renew(card, fresh);
  place(list, card);
  if (moved) flash(card);
}

function flash(card) {
  card.classList.remove("fresh");
  requestAnimationFrame(() => card.classList.add("fresh"));
}

function take(list, key) {
  const card = cardOf(key);
  if (card?.parentElement !== list) return; // it stands in another column by now
  const held = card.contains(document.activeElement);
  const next = card.nextElementSibling ?? card.previousElementSibling;
  card.remove();
  if (held) (next?.querySelector(".client a") ?? list.closest("section").querySelector("h2")).focus({ preventScroll: true });
}

function apply(patch) {
  for (const [column, items] of Object.entries(patch)) for (const item of Object.values(items)) if (item) put(column, item);
  for (const [column, items] of Object.entries(patch)) for (const [key, item] of Object.entries(items)) if (!item) take(lists.get(column), key);
  for (const column of Object.keys(patch)) counted(lists.get(column));
}

/** The whole view: what is not in it is gone. */
function show(view) {
  const patch = {};
  for (const [column, list] of lists) {
    patch[column] = { ...Object.fromEntries([...list.children].map((card) => [card.dataset.key, null])), ...view[column] };
  }
  apply(patch);
}

function counted(list) {
  const column = list.closest("section");
  const many = list.childElementCount;
  column.querySelector("[data-count]").textContent = many >= Number(board.dataset.most) ? `${many}+` : many;
  column.querySelector("[data-none]").hidden = many > 0;
}

function told(seconds) {
  const { words } = page;
  const [minutes, hours, days] = [60, 3600, 86400].map((unit) => Math.floor(seconds / unit));
  if (minutes < 1) return spelled(words.seconds, { seconds });
  if (hours < 1) return spelled(words.minutes, { minutes });
  if (days < 1) return spelled(words.hours, { hours, minutes: minutes % 60 });
  return spelled(words.days, { days, hours: hours % 24 });
}

function count(due) {
  const left = Math.round((Date.parse(due.dateTime) - page.now()) / 1000);
  const text = spelled(left < 0 ? page.words.late : page.words.left, { time: told(Math.abs(left)) });
  if (due.textContent !== text) due.textContent = text;
  due.classList.toggle("late", left < 0);
}

/** A deed is done without leaving the page: the board itself then shows what has come of it. */
async function act(event) {
  const form = event.target;
  if (form.method !== "post") return;
  event.preventDefault();
  const trouble = board.querySelector("[data-trouble]");
  const buttons = [...form.querySelectorAll("button")];
  if (buttons.some((button) => button.ariaDisabled === "true")) return;
  for (const button of buttons) button.ariaDisabled = "true"; // not `disabled`, which would lose the focus
  const body = new URLSearchParams(new FormData(form));
  const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" }, redirect: "manual" }).catch(() => null);
  const said = (await answer?.json().catch(() => null))?.said;
  for (const button of buttons) button.ariaDisabled = null;
  if (answer?.type === "opaqueredirect" || answer?.status === 401) {
    location.reload(); // the session is over
    return;
  }
  trouble.hidden = Boolean(answer?.ok);
  trouble.textContent = answer?.ok ? "" : said ?? page.words.failed;
  if (!answer?.ok) return;
  page.say(said);
  form.reset();
  // what was asked for once is done; asked again, it is another time
  for (const field of form.querySelectorAll("input[name=once]")) field.value = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const more = form.closest("details");
  if (more) {
    if (more.contains(document.activeElement)) more.querySelector("summary").focus();
    more.open = false;
  }
}

const page = board && live(board, {
  show,
  apply,
  tick: () => { for (const due of board.querySelectorAll("[data-due]")) count(due); },
});
if (page) {
  board.addEventListener("submit", act);
  page.start();
}
