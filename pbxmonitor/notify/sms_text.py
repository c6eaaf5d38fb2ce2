"""What fits into an SMS, and whom it goes to.

One SMS is 160 characters of the GSM alphabet (3GPP TS 23.038), or 70 of UCS-2, which one Cyrillic letter makes of the
whole text; of several that belong together each is 153 or 67 long.
"""

import re

from pbxmonitor.notify import Message, Refused

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWICE = frozenset("\f^{}\\[~]|€")
_GSM_SIZES = (160, 153)
_UCS2_SIZES = (70, 67)
_E164 = re.compile(r"\+[1-9]\d{6,14}")
ELLIPSIS = "…"
ELLIPSIS_GSM = "..."


def digits(to: str) -> str:
    """The phone as the gateways take it, without the plus; Refused when it is not E.164."""
    if _E164.fullmatch(to) is None:
        raise Refused("the address is not a phone number such as +79161234567")
    return to[1:]


def wording(message: Message, parts: int) -> str:
    """The text if it fits into that many SMS, else the subject, else as much of the subject as fits."""
    text, subject = _tidy(message.text), _tidy(message.subject)
    return text if fits(text, parts) or not subject else cut(subject, parts)


def fits(text: str, parts: int) -> bool:
    """Whether that many SMS can hold the text."""
    gsm = _is_gsm(text)
    single, joined = _GSM_SIZES if gsm else _UCS2_SIZES
    return _size(text, gsm=gsm) <= (single if parts == 1 else joined * parts)


def cut(text: str, parts: int) -> str:
    """The text, shortened between words to what fits into that many SMS."""
    if fits(text, parts):
        return text
    end = ELLIPSIS_GSM if _is_gsm(text) else ELLIPSIS
    length = len(text) - 1
    while not fits(text[:length] + end, parts):
        length -= 1
    kept = text[:length]
    between = kept.rfind(" ")
    return (kept[:between] if between > length // 2 else kept).rstrip(" ,;:(«–-") + end


def _tidy(text: str) -> str:
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines() if line.strip())


def _is_gsm(text: str) -> bool:
    return all(sign in _GSM or sign in _GSM_TWICE for sign in text)


def _size(text: str, *, gsm: bool) -> int:
    if gsm:
        return len(text) + sum(sign in _GSM_TWICE for sign in text)
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
