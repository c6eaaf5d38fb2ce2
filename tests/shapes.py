"""docs/call-shapes.md: every shape of a call that is a test, and what is said of it. Run: python -m tests.shapes

A row is a story of the rig (its docstring, its truth told by hand), a recording (its reviewed expectation), or a
doctored stream. What stands here is read from them; nothing is written by hand.
"""

import inspect
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.doctored import DOCTORED, SCENARIOS, Doctored
from tests.rig.paper import on_paper
from tests.rig.plan import VERSIONS
from tests.rig.scenarios import STORIES, Story
from tests.rig.truth import UNTOLD, Call

PAGE: Final = SCENARIOS.parents[1] / "docs" / "call-shapes.md"
HEAD: Final = """\
# Shapes of a call

Generated from the tests by `python -m tests.shapes`: do not edit. One row for each shape: what the client lived
through, and what we say. In the last column `live` is a story staged on a real Asterisk by `make e2e`
(`tests/rig/scenarios`), `tape` a recording in `tests/scenarios` with its reviewed expectation, `phones` the phones' own
log beside it, which our talks are held to, and `doctored` a recording that was changed (`tests/doctored`). Phones are
those of department 1.
"""
COLUMNS: Final = ("shape", "Asterisk", "what happened", "verdicts", "lost", "colour", "evidence")
SINGLY: Final = "Recorded singly"
DOCTORED_TITLE: Final = "Streams that no PBX sends at will"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One row; the cells of `said` are verdicts, lost and colour."""

    name: str
    versions: Sequence[str]
    lived: str
    said: tuple[str, str, str]
    evidence: Sequence[str]

    def row(self) -> str:
        """A line of the table."""
        cells = (self.name, ", ".join(self.versions), self.lived, *self.said, ", ".join(self.evidence))
        return _line([_escaped(cell) for cell in cells])


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for title, shapes in _sections():
        parts += ["\n".join([f"## {title}", "", _line(COLUMNS), _line(["---"] * len(COLUMNS)), *_rows(shapes), ""])]
    return "\n".join(parts)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escaped(cell: str) -> str:
    """In one line, and nothing in it that Markdown takes for its own."""
    words = " ".join(cell.split())
    return words.replace("|", "\\|").replace("*", "\\*")


def _rows(shapes: Iterable[Shape]) -> list[str]:
    return [shape.row() for shape in shapes]


def _sections() -> Iterator[tuple[str, list[Shape]]]:
    """The stories by module, whose docstring is the title; then what was recorded singly; then what was doctored."""
    titles: dict[str, list[Shape]] = {}
    for story in STORIES.values():
        titles.setdefault(_title(story), []).append(_of_story(story))
    yield from titles.items()
    yield (
        SINGLY,
        [_of_tape(name) for name in sorted({tape.stem for tape in SCENARIOS.glob("*/*.ami")}) if _single(name)],
    )
    yield DOCTORED_TITLE, [_of_doctored(each) for each in DOCTORED.values()]


def _title(story: Story) -> str:
    module = inspect.getmodule(story.play)
    return (inspect.getdoc(module) or story.name).splitlines()[0].rstrip(".")


def _taped(name: str) -> list[str]:
    """The versions of which there is a recording of that name."""
    return [version for version in VERSIONS if (SCENARIOS / version / f"{name}.ami").exists()]


def _is_of(story: Story, version: str) -> bool:
    """Whether the tape of that name is a recording of the story: an older one may be of something else."""
    about = json.loads((SCENARIOS / version / f"{story.name}.json").read_text())
    return bool(about["scenario"] == story.told)


def _single(name: str) -> bool:
    """Whether no story was recorded under that name."""
    story = STORIES.get(name)
    return story is None or not any(_is_of(story, version) for version in _taped(name))


def _of_story(story: Story) -> Shape:
    taped = [version for version in _taped(story.name) if _is_of(story, version)]
    said = _of_expected(story.name, taped) if taped else _of_truth(story)
    versions = [version for version in VERSIONS if version in story.versions]
    evidence = ["live", *(f"tape {version}" for version in taped), *_phones(story.name, taped)]
    return Shape(name=_words(story.name), versions=versions, lived=story.told, said=said, evidence=evidence)


def _of_tape(name: str) -> Shape:
    versions = _taped(name)
    about = json.loads((SCENARIOS / versions[0] / f"{name}.json").read_text())
    return Shape(
        name=_words(name),
        versions=versions,
        lived=about["scenario"],
        said=_of_expected(name, versions),
        evidence=[*(f"tape {version}" for version in versions), *_phones(name, versions)],
    )


def _of_doctored(made: Doctored) -> Shape:
    said = _said(made.truth(made.versions[0])["calls"])
    return Shape(
        name=_words(made.name), versions=made.versions, lived=made.told, said=said, evidence=[f"doctored {made.tape}"]
    )


def _phones(name: str, versions: Sequence[str]) -> list[str]:
    return ["phones"] if any((SCENARIOS / v / f"{name}.phones.json").exists() for v in versions) else []


def _words(name: str) -> str:
    return name.replace("_", " ")


def _of_expected(name: str, versions: Sequence[str]) -> tuple[str, str, str]:
    """What the recordings' expectations say; once, where both versions say the same."""
    told = {v: _said(json.loads((SCENARIOS / v / f"{name}.expected.json").read_text())["calls"]) for v in versions}
    first, *others = told.items()
    for version, said in others:
        if said != first[1]:
            pairs = zip(first[1], said, strict=True)
            a, b, c = (one if one == other else f"{first[0]}: {one}<br>{version}: {other}" for one, other in pairs)
            return a, b, c
    return first[1]


def _of_truth(story: Story) -> tuple[str, str, str]:
    calls = on_paper(story, story.versions[0]).calls
    return _said([_told(call) for call in calls])


def _told(call: Call) -> dict[str, Any]:
    names = ("direction", "verdicts", "lost", "cause", "colour")
    return {name: getattr(call, name) for name in names if getattr(call, name) is not UNTOLD}


def _said(calls: Sequence[Mapping[str, Any]]) -> tuple[str, str, str]:
    """Verdicts, lost (with its cause) and colour of each call, a line for each."""
    verdicts, lost, colours = ("<br>".join(map(cell, calls)) for cell in (_verdicts, _lost, _colour))
    return verdicts, lost, colours


def _verdicts(call: Mapping[str, Any]) -> str:
    if call["direction"] != "inbound":
        return str(call["direction"])
    told = call.get("verdicts")
    if not told:
        return "-" if told is None else "nobody"
    return "; ".join(f"{agent} {verdict}" for agent, verdict in told.items())


def _lost(call: Mapping[str, Any]) -> str:
    if call["direction"] != "inbound":
        return "-"
    cause = call.get("cause")
    return " ".join(filter(None, ("lost:" if call["lost"] else "no" if cause is None else "no:", cause)))


def _colour(call: Mapping[str, Any]) -> str:
    return str(call.get("colour") or "-")


def main() -> None:
    """Write the page, or with --check say whether it is what the tests generate."""
    if "--check" in sys.argv[1:]:
        sys.exit(0 if PAGE.read_text() == page() else "docs/call-shapes.md is old: python -m tests.shapes")
    Path(PAGE).write_text(page())


if __name__ == "__main__":
    main()
