"""How CRMs write the numbers that we write as E.164."""

from pbxmonitor.crm import Refused

SHORTEST = 5
# What tells one client from another: CRMs search by the last ten digits, whatever prefix is before them.
TELLING = 10


def digits(number: str) -> str:
    """The digits alone; Refused when they are too few to be a client's."""
    found = "".join(character for character in number if character.isascii() and character.isdigit())
    if len(found) < SHORTEST:
        raise Refused("a call without the client's number cannot be shown in a CRM")
    return found


def telling(number: str) -> str:
    """The digits to search by."""
    return digits(number)[-TELLING:]


def spellings(number: str) -> tuple[str, ...]:
    """The number as people write it: `+7…`, `7…`, and `8…` in Russia and Kazakhstan."""
    plain = digits(number)
    national = (f"8{plain[1:]}",) if len(plain) == 11 and plain.startswith("7") else ()
    return (f"+{plain}", plain, *national)


def same(number: str, other: str) -> bool:
    """Whether both are one client's."""
    ours, theirs = ("".join(filter(str.isdigit, each))[-TELLING:] for each in (number, other))
    return len(ours) >= SHORTEST and ours == theirs
