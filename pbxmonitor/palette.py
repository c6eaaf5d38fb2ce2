"""The colours of reports, told apart also by those who confuse red and green: blue, vermilion, and one ramp."""

from pbxmonitor.columns import Tone

Rgb = tuple[int, int, int]

PLAIN = "#3b6ea5"
NORM = "#444444"
INK = "#222222"
FAINT = "#8a8f98"
GRID = "#dfe3e8"
TONES = {Tone.GOOD: "#009e73", Tone.WARN: "#e69f00", Tone.BAD: "#d55e00"}
LINES = ("#3b6ea5", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#222222")
# From nothing to the most: each step darker than the one before, so that it reads in grey as well.
RAMP: tuple[Rgb, ...] = ((255, 247, 236), (253, 212, 158), (252, 141, 89), (215, 72, 31), (127, 0, 0))
_DARK = 140


def shade(part: float) -> Rgb:
    """The ramp's colour for that part (0..1) of the greatest value."""
    place = min(max(part, 0.0), 1.0) * (len(RAMP) - 1)
    step = min(int(place), len(RAMP) - 2)
    low, high = RAMP[step], RAMP[step + 1]
    red, green, blue = (round(a + (b - a) * (place - step)) for a, b in zip(low, high, strict=True))
    return red, green, blue


def ink(ground: Rgb) -> str:
    """Black or white, whichever is read on that ground."""
    red, green, blue = ground
    return "#ffffff" if 0.299 * red + 0.587 * green + 0.114 * blue < _DARK else "#000000"


def as_hex(colour: Rgb) -> str:
    """#rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
