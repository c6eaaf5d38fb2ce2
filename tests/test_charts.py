"""The charts as pictures and as pages: whole, readable, the same every time."""

import re
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from pbxmonitor.charts import Bars, Chart, Funnel, Heat, Line, Lines, Step, draw
from pbxmonitor.columns import Kind, Tone
from pbxmonitor.texts import speak

pytestmark = pytest.mark.usefixtures("language_restored")

BARS = Bars(
    title="Доля пропущенных",
    subtitle="ноябрь 2026",
    labels=("Анна Иванова", "Мария", "Новая"),
    values=(0.369, 0.11, None),
    kind=Kind.SHARE,
    norm=0.12,
    norm_label="норма 12 %",
    tones=(Tone.BAD, None, None),
    absent="нет данных",
)
HEAT = Heat(title="Часы", rows=("Пн", "Вс"), columns=("9", "10", "11"), values=((0, 17, 34), (None, 3, 8)))
LINES = Lines(
    title="По дням",
    labels=("1.11", "2.11", "3.11"),
    lines=(Line(name="Анна", values=(5400.0, None, 2700.0)), Line(name="Команда", values=(60.0, 70.0, 80.0))),
    kind=Kind.DURATION,
    norm=1800,
    norm_label="норма",
)
FUNNEL = Funnel(title="Этапы", steps=(Step(name="Меню", count=312), Step(name="Очередь", count=289, note="ждали 21 с")))


def picture(chart: Chart | list[Chart], folder: Path) -> Any:
    """The pixels, rows × columns × RGBA of 0..1."""
    draw(chart, folder / "it.png")
    return imread(folder / "it.png")


def pages(chart: Chart | list[Chart], folder: Path) -> bytes:
    draw(chart, folder / "it.pdf")
    return (folder / "it.pdf").read_bytes()


def letters(pdf: bytes) -> set[str]:
    """What a reader of the PDF can search for and copy."""
    found = set()
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        text = zlib.decompressobj().decompress(stream) if stream[:1] == b"x" else b""
        if b"begincmap" in text:
            found |= {
                chr(int(code, 16))
                for targets in re.findall(rb"\[([^]]*)\]", text)
                for code in re.findall(rb"<(\w+)>", targets)
            }
    return found


def count_of_pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b(?!s)", pdf))


def shows(pixels: Any, colour: str) -> bool:
    """Whether a good piece of the picture has that colour."""
    wanted = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    return int((abs(pixels[:, :, :3] - wanted).max(axis=2) < 0.02).sum()) > 1000


@pytest.mark.parametrize(
    ("chart", "language"), [(BARS, "ru"), (BARS, "en"), (HEAT, "ru"), (LINES, "en"), (FUNNEL, "ru")]
)
def test_a_chart_is_a_page_of_a4_with_something_on_it(chart: Chart, language: str, tmp_path: Path) -> None:
    speak(language)
    pixels = picture(chart, tmp_path)
    assert pixels.shape == (1240, 1753, 4)
    ink = (pixels[:, :, :3] < 0.9).any(axis=2)
    assert 0.005 < ink.mean() < 0.6
    margin = 20
    edges = (ink[:margin], ink[-margin:], ink[:, :margin], ink[:, -margin:])
    assert not any(edge.any() for edge in edges), "something runs off the page"


def test_cyrillic_is_drawn_and_not_boxes(tmp_path: Path) -> None:
    first, second = (picture(replace(HEAT, title=title), tmp_path) for title in ("Ааа", "Жжж"))
    assert (first != second).any()
    font = letters(pages(replace(HEAT, title="Съешь же ещё этих мягких булок, ЁЙЦЩЪЫЭЮЯ"), tmp_path))
    assert set("Съешьжеёэтмягкхбуло,ЁЙЦЩЪЫЭЮЯ") <= font


def test_a_pdf_has_text_in_a_font_of_its_own(tmp_path: Path) -> None:
    speak("ru")
    pdf = pages(BARS, tmp_path)
    assert b"+DejaVuSans" in pdf
    assert b"/FontFile2" in pdf
    assert set("Анна Иванова нет данных норма 36,9 % ✗") <= letters(pdf)


def test_several_charts_are_pages_of_a_pdf_and_one_picture(tmp_path: Path) -> None:
    assert count_of_pages(pages([BARS, HEAT, FUNNEL], tmp_path)) == 3
    assert picture([HEAT, FUNNEL], tmp_path).shape == (2 * 1240, 1753, 4)


def test_the_same_charts_are_the_same_bytes(tmp_path: Path) -> None:
    draw(BARS, tmp_path / "it.png")
    first = (tmp_path / "it.png").read_bytes(), pages([BARS, FUNNEL], tmp_path)
    draw(BARS, tmp_path / "it.png")
    assert ((tmp_path / "it.png").read_bytes(), pages([BARS, FUNNEL], tmp_path)) == first


def test_a_tone_colours_its_bar_and_marks_it(tmp_path: Path) -> None:
    assert shows(picture(BARS, tmp_path), "#d55e00")
    plain = replace(BARS, tones=())
    assert not shows(picture(plain, tmp_path), "#d55e00")
    assert "✗" in letters(pages(BARS, tmp_path))
    assert "✗" not in letters(pages(plain, tmp_path))


def test_the_greatest_of_a_heat_map_is_the_darkest_and_has_its_number(tmp_path: Path) -> None:
    assert shows(picture(HEAT, tmp_path), "#7f0000")
    assert set("0173438") <= letters(pages(HEAT, tmp_path))


def test_more_bars_than_a_page_can_show_are_pages_of_one_scale(tmp_path: Path) -> None:
    labels = tuple(f"Сотрудник {number}" for number in range(31))
    crowd = Bars(title="Пропущено", labels=labels, values=(100.0, *([1.0] * 30)), tones=(Tone.BAD,) * 31)
    assert count_of_pages(pages(crowd, tmp_path)) == 2
    pixels = picture(crowd, tmp_path)
    assert shows(pixels[:1240], "#d55e00")
    longest = (abs(pixels[:, :, :3] - [0xD5 / 255, 0x5E / 255, 0]).max(axis=2) < 0.02).sum(axis=1)
    assert longest[:1240].max() > 50 * longest[1240:].max() > 0


@pytest.mark.parametrize(
    "chart",
    [
        Bars(title="Пусто", labels=(), values=(), absent="нет данных"),
        Heat(title="Пусто", rows=(), columns=(), values=(), absent="нет данных"),
        Lines(title="Пусто", labels=(), lines=(), absent="нет данных"),
        Funnel(title="Пусто", steps=(), absent="нет данных"),
        Funnel(title="Пусто", steps=(Step(name="Меню", count=0),), absent="нет данных"),
    ],
)
def test_a_chart_of_nothing_says_so(chart: Chart, tmp_path: Path) -> None:
    assert set("нет данных") <= letters(pages(chart, tmp_path))


@pytest.mark.parametrize(
    "chart",
    [
        replace(BARS, values=(None, None, None), norm=None, tones=()),
        replace(BARS, values=(0.0, 0.0, 0.0), norm=None),
        replace(HEAT, values=((0, 0, 0), (None, None, None))),
        replace(LINES, lines=(Line(name="Анна", values=(None, None, None)),), norm=None),
        Funnel(title="Растёт", steps=(Step(name="Меню", count=0), Step(name="Очередь", count=5))),
        replace(BARS, labels=("a$b$c_{x}", "line\nbreak\x00\x1b[2J", "☎📞" + "длинное имя " * 9)),
    ],
    ids=["unknown", "zero", "cold", "holes", "growing", "odd names"],
)
def test_odd_values_and_names_are_drawn(chart: Chart, tmp_path: Path) -> None:
    assert picture(chart, tmp_path).shape == (1240, 1753, 4)


def test_another_suffix_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^cannot draw it.svg: give a file that ends in .png or .pdf$"):
        draw(BARS, tmp_path / "it.svg")
    with pytest.raises(ValueError, match=r"^there is no chart to draw in it.png$"):
        draw([], tmp_path / "it.png")
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_the_error_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from pathlib import Path\n"
        "from pbxmonitor.charts import Funnel, draw\n"
        f"draw(Funnel(title='', steps=()), Path({str(tmp_path / 'it.png')!r}))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30)
    assert told.stderr.splitlines()[-1] == "ValueError: charts need matplotlib: pip install 'pbxmonitor[charts]'"
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_behind_in_matplotlib(tmp_path: Path) -> None:
    code = (
        "import sys, matplotlib\n"
        "from pathlib import Path\n"
        "from pbxmonitor.charts import Funnel, draw\n"
        "told = lambda: {key: matplotlib.rcParams[key] for key in matplotlib.rcParams if key != 'backend'}\n"
        "before = told()\n"
        f"draw(Funnel(title='', steps=()), Path({str(tmp_path / 'it.png')!r}))\n"
        "print('matplotlib.pyplot' in sys.modules, before == told())"
    )
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert told.stdout.split() == ["False", "True"]
