"""What a letter is made of: plain text, the same in HTML, charts inside it (RFC 2045, 2046, 2392; RFC 3834)."""

import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses
from html import escape
from typing import Final

from pbxmonitor.notify import Button, Image, Message

PAGE: Final = """\
<!DOCTYPE html>
<html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"></head>
<body style="font-family: sans-serif; font-size: 15px; line-height: 1.4; color: #1a1a1a">
{fragment}
{rest}
</body></html>
"""
NO_MAILBOX: Final = "must be an e-mail address such as name@example.com"
PICTURE: Final = '<p><img src="cid:{cid}" alt="{alt}" style="max-width: 100%"></p>'
LINK: Final = '<p><a href="{url}">{text}</a></p>'
_BODY_END: Final = re.compile(r"</body\s*>", re.IGNORECASE)
_PAGE: Final = re.compile(r"<html[\s>]", re.IGNORECASE)


def mailbox(written: str) -> Address:
    """An address as people write it, `Name <name@host>`, its host as the net knows it; ValueError when it is none."""
    found = getaddresses([written])
    name, spec = found[0] if len(found) == 1 else ("", "")
    user, _, host = spec.rpartition("@")
    if not user or not host or re.search(r"[\s<>,;]", spec) or not written.isprintable():
        raise ValueError(NO_MAILBOX)
    try:
        return Address(display_name=name, username=user, domain=host.encode("idna").decode())
    except (ValueError, IndexError):
        raise ValueError(NO_MAILBOX) from None


def letter(message: Message, sender: Address, to: Address, now: datetime) -> EmailMessage:
    """The letter; its Message-ID is made of the message's id, so that a letter sent twice is one to who receives it."""
    found = EmailMessage(policy=SMTP)
    found["From"], found["To"] = sender, to
    found["Subject"] = " ".join(message.subject.split())
    found["Date"] = format_datetime(now)
    found["Message-ID"] = f"<{message.id}@{sender.domain}>"
    found["Auto-Submitted"] = "auto-generated"
    found["X-Auto-Response-Suppress"] = "All"
    found.set_content("\n".join([message.text, *(f"\n{each.text}: {each.value}" for each in _links(message))]))
    if message.html or message.images:
        found.add_alternative(_page(message), subtype="html")
        part = next(each for each in found.iter_parts() if each.get_content_type() == "text/html")
        for image in message.images:
            cid = f"<{_cid(message, image)}>"
            part.add_related(image.png, "image", "png", cid=cid, filename=image.name, disposition="inline")
    return found


def _page(message: Message) -> str:
    """A page of the fragment; links, and pictures that it does not name itself (cid:NAME), follow it."""
    fragment = message.html or "".join(f"<p>{escape(line)}</p>" for line in message.text.splitlines() if line.strip())
    below = [LINK.format(url=escape(each.value), text=escape(each.text)) for each in _links(message)]
    for image in message.images:
        named = f"cid:{image.name}"
        cid = _cid(message, image)
        if named in fragment:
            fragment = fragment.replace(named, f"cid:{cid}")
        else:
            below.append(PICTURE.format(cid=cid, alt=escape(image.alt)))
    rest = "\n".join(below)
    if _PAGE.search(fragment):
        end = _BODY_END.search(fragment)
        place = end.start() if end else len(fragment)
        return fragment[:place] + rest + fragment[place:]
    return PAGE.format(fragment=fragment, rest=rest)


def _links(message: Message) -> tuple[Button, ...]:
    return tuple(button for button in message.buttons if button.link)


def _cid(message: Message, image: Image) -> str:
    return f"{message.images.index(image)}.{message.id}@pbxmonitor"
