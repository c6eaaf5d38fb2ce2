"""Who calls: numbers of several Russian regions and mobile operators, each client another one."""

from random import Random
from typing import Final

# Area codes and mobile prefixes with how often they call; the rest of the ten digits is drawn.
_CODES: Final = {
    "495": 16,
    "499": 8,
    "498": 2,
    "812": 5,
    "4822": 2,
    "4872": 2,
    "4842": 1,
    "831": 1,
    "843": 1,
    "343": 1,
    "861": 1,
    "903": 6,
    "905": 4,
    "909": 4,
    "910": 5,
    "915": 6,
    "916": 9,
    "917": 5,
    "925": 6,
    "926": 8,
    "977": 3,
    "985": 5,
    "999": 4,
    "911": 2,
    "921": 3,
}
_REGULARS: Final = 150


class Callers:
    """Numbers in E.164: `new()` gives nobody's twice, `regular()` is one of those who call again and again."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._known: set[str] = set()
        self._regulars = [self.new() for _ in range(_REGULARS)]

    def new(self) -> str:
        while True:
            code = self._rng.choices(list(_CODES), list(_CODES.values()))[0]
            rest = str(self._rng.randrange(2, 10)) + "".join(self._rng.choices("0123456789", k=9 - len(code)))
            number = f"+7{code}{rest}"
            if number not in self._known:
                self._known.add(number)
                return number

    def regular(self) -> str:
        return self._rng.choice(self._regulars)


def as_dialled(number: str, rng: Random) -> str:
    """The number as somebody types it: with +7 or, mostly, with 8."""
    return number if rng.random() < 0.3 else f"8{number.removeprefix('+7')}"
