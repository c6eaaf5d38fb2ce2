// The newest page of the journal keeps up with the PBX: when something happens, its rows are asked for anew.
import { live } from "./live.js";

const journal = document.querySelector("[data-stream]");
const PACE_MS = 4_000; // calls come in bursts
let asked = 0;
let waiting = false;

async function renew() {
  waiting = false;
  asked = Date.now();
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "manual" }).catch(() => null);
  if (!answer?.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-rows]");
  const rows = journal.querySelector("[data-rows]");
  if (!fresh || fresh.innerHTML === rows.dataset.seen) return;
  const known = new Set([...rows.querySelectorAll("tbody tr")].map(name));
  const at = document.activeElement?.getAttribute("href");
  const held = rows.contains(document.activeElement);
  const scrolled = rows.querySelector(".scroll")?.scrollLeft ?? 0;
  const seen = fresh.innerHTML;
  rows.replaceChildren(...fresh.childNodes);
  rows.dataset.seen = seen;
  rows.querySelector(".scroll")?.scrollTo({ left: scrolled });
  for (const row of rows.querySelectorAll("tbody tr")) if (!known.has(name(row))) row.classList.add("fresh");
  if (held) (rows.querySelector(`a[href="${CSS.escape(at ?? "")}"]`) ?? rows.querySelector("a"))?.focus({ preventScroll: true });
}

const name = (row) => row.querySelector("a")?.getAttribute("href");

/** Soon, but not more often than that, and not while nobody looks. */
function happened() {
  if (waiting) return;
  waiting = true;
  setTimeout(() => (document.hidden ? document.addEventListener("visibilitychange", renew, { once: true }) : renew()), Math.max(asked + PACE_MS - Date.now(), 300));
}

if (journal) live(journal, { show: () => {}, apply: happened, tick: () => {} }).start();
