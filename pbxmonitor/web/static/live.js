// A page kept up by the server's events: it comes back by itself, and says when what is shown may be stale.
const SILENT_MS = 40_000; // a beat comes every 15 s
const PATIENCE_MS = 3_000; // a stream that ends comes again by itself

export const root = document.documentElement.dataset.root;
export const spelled = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

/** Listens for `board`; `show` is given a whole view, `apply` what has changed, `tick` runs every second. */
export function live(board, { show, apply, tick }) {
  const words = JSON.parse(board.dataset.words);
  const text = board.querySelector("[data-link-text]");
  let offset = Date.parse(board.dataset.now) - Date.now();
  let lastId = board.dataset.after;
  let heardAt = Date.now();
  let brokenAt = null;

  const say = (news) => { board.querySelector("[data-news]").textContent = news; };
  const now = () => Date.now() + offset;

  function linked(isLive) {
    if (board.hasAttribute("data-lost") === !isLive) return;
    board.toggleAttribute("data-lost", !isLive);
    text.textContent = isLive ? words.live : words.lost;
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

  function everySecond() {
    tick();
    const at = Date.now();
    if (at - heardAt > SILENT_MS || (brokenAt !== null && at - brokenAt > PATIENCE_MS)) linked(false);
  }

  return {
    words,
    say,
    now,
    start() {
      connect();
      everySecond();
      setInterval(everySecond, 1000);
    },
  };
}
