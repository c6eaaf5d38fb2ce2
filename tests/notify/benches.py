"""How each channel is set up against loopback, and what its server says in each mood."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.notify.loopback import Said, Trouble, serving
from tests.notify.post_office import (
    PASSWORD,
    USERNAME,
    PostOffice,
    hang_up_after_data,
    odd_office,
    office,
    say_garbage,
    say_nothing,
)

TOKEN = "secret-T0ken-of-the-channel-1234"
BOT = f"123456:{TOKEN}"
PROXY_WORD = "proxy-word-77"
GOOD, AGAIN, BROKEN, GARBAGE, CUT, SILENT, NO = "good", "again", "broken", "garbage", "cut", "silent", "no"
TEMPORARY = (AGAIN, BROKEN, GARBAGE, CUT, SILENT)
GARBAGE_PAGE = Said(200, b"<html><body>Log in to the Wi-Fi</body></html>")


@dataclass(frozen=True)
class Place:
    """Where a channel is pointed: the values of its Settings, and an address in it."""

    settings: dict[str, Any]
    to: str


@dataclass(frozen=True)
class Bench:
    """One channel's server in a mood; `secrets` are never to be seen, nor is the address."""

    serve: Callable[[str], AbstractAsyncContextManager[Place]]
    secrets: tuple[str, ...] = (TOKEN,)
    # Moods in which this channel cannot fail, and why.
    excused: frozenset[str] = frozenset()


def _web(
    good: Said, no: Said, to: str, settings: Callable[[str], dict[str, Any]], again: Said | None = None
) -> Callable[[str], AbstractAsyncContextManager[Place]]:
    moods: dict[str, Said | Trouble] = {
        GOOD: good,
        NO: no,
        AGAIN: again or Said(429, b"slow down", (("Retry-After", "7"),)),
        BROKEN: Said(500, b"oops"),
        GARBAGE: GARBAGE_PAGE,
        CUT: Trouble.CUT,
        SILENT: Trouble.SILENT,
    }

    @asynccontextmanager
    async def serve(mood: str) -> AsyncIterator[Place]:
        async with serving(moods[mood]) as web:
            yield Place({"timeout": 0.4, **settings(web.url)}, to.format(url=web.url))

    return serve


@asynccontextmanager
async def _post(mood: str) -> AsyncIterator[Place]:
    settings = {"host": "127.0.0.1", "security": "none", "sender": "АТС <pbx@example.com>", "timeout": 0.4}
    settings |= {"username": USERNAME, "password": PASSWORD}
    odd = {SILENT: say_nothing, GARBAGE: say_garbage, CUT: hang_up_after_data}
    said = {AGAIN: "450 Greylisted, come back", BROKEN: "451 Out of order", NO: "550 No such user here"}
    if mood in odd:
        async with odd_office(odd[mood]) as port:
            plain = {key: value for key, value in settings.items() if key not in ("username", "password")}
            yield Place({**plain, "port": port}, "anna@example.com")
    else:
        async with office(PostOffice(rcpt=said.get(mood, "250 OK"), login=True)) as post:
            yield Place({**settings, "port": post.port}, "anna@example.com")


BENCHES: dict[str, Bench] = {
    "telegram": Bench(
        serve=_web(
            good=Said.json({"ok": True, "result": {"message_id": 42, "chat": {"id": 7001002003}, "date": 1}}),
            no=Said.json(
                {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"}, 403
            ),
            again=Said.json(
                {
                    "ok": False,
                    "error_code": 429,
                    "description": "Too Many Requests: retry after 7",
                    "parameters": {"retry_after": 7},
                },
                429,
            ),
            to="7001002003",
            settings=lambda url: {"token": BOT, "url": url},
        )
    ),
    "email": Bench(serve=_post, secrets=(PASSWORD,)),
    "sms_ru": Bench(
        serve=_web(
            good=Said.json(
                {
                    "status": "OK",
                    "status_code": 100,
                    "sms": {"79161234567": {"status": "OK", "status_code": 100, "sms_id": "000000-10000000"}},
                    "balance": 4122.56,
                }
            ),
            no=Said.json(
                {
                    "status": "OK",
                    "status_code": 100,
                    "sms": {"79161234567": {"status": "ERROR", "status_code": 207, "status_text": "нельзя"}},
                }
            ),
            to="+79161234567",
            settings=lambda url: {"token": TOKEN, "url": url},
        )
    ),
    "smsc": Bench(
        serve=_web(
            good=Said.json({"id": "pbx-d-17", "cnt": 2}),
            no=Said.json({"error": "invalid number +79161234567", "error_code": 7, "id": "pbx-d-17"}),
            to="+79161234567",
            settings=lambda url: {"login": "clinic", "password": TOKEN, "url": url},
        )
    ),
    "ntfy": Bench(
        serve=_web(
            good=Said.json({"id": "sPs71M8A2T", "time": 1, "event": "message", "topic": "pbx-secret-topic"}),
            no=Said.json({"code": 40301, "http": 403, "error": "forbidden"}, 403),
            to="pbx-secret-topic",
            settings=lambda url: {"token": TOKEN, "url": url},
        )
    ),
    "webhook": Bench(
        serve=_web(
            good=Said(204),
            no=Said(410, b"gone"),
            to="{url}/hook/of-ours",
            settings=lambda _url: {"secret": TOKEN},
        ),
        # Any 2xx is delivered, whatever is in it.
        excused=frozenset({GARBAGE}),
    ),
    "apprise": Bench(
        serve=_web(
            good=Said(200, b"ok"),
            no=Said(403, b"no"),
            to="colleagues",
            settings=lambda url: {"urls": {"colleagues": f"{url.replace('http', 'json')}/{TOKEN}?rto=0.3&cto=0.3"}},
        ),
        excused=frozenset({GARBAGE}),
    ),
}
