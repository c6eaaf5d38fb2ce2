"""Parts found by being there, and the daemon's counters."""

import sys
import urllib.request
from pathlib import Path

import pytest

from pbxmonitor.metrics import Metrics
from pbxmonitor.plugins import PluginError, load


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty package named `parts`, forgotten afterwards."""
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "parts"]:
        monkeypatch.delitem(sys.modules, name)
    return folder


def test_a_part_is_one_file_with_a_kind(package: Path) -> None:
    (package / "post.py").write_text("class Post:\n    kind = 'post'\n", "utf-8")
    (package / "letter.py").write_text(
        "from parts.post import Post\nclass Letter(Post):\n    kind = 'letter'\nclass Draft(Post):\n    pass\n", "utf-8"
    )
    assert {kind: part.__name__ for kind, part in load("parts").items()} == {"letter": "Letter", "post": "Post"}


def test_two_parts_cannot_claim_one_kind(package: Path) -> None:
    for name in ("one", "two"):
        (package / f"{name}.py").write_text(f"class {name.title()}:\n    kind = 'post'\n", "utf-8")
    with pytest.raises(PluginError, match=r"kind 'post' is claimed by parts\.one\.One and parts\.two\.Two"):
        load("parts")


@pytest.mark.parametrize(("code", "fine"), [("class P:\n    kind = 'far'\n", True), ("P = 3\n", False)])
def test_a_part_of_somebody_elses_comes_by_an_entry_point(package: Path, code: str, fine: bool) -> None:
    (package.parent / "far_away.py").write_text(code, "utf-8")
    info = package.parent / "far_away-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: far-away\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text("[parts]\nfar = far_away:P\n", "utf-8")
    try:
        if fine:
            assert list(load("parts")) == ["far"]
        else:
            with pytest.raises(PluginError, match="entry point far must be a class with kind"):
                load("parts")
    finally:
        sys.modules.pop("far_away", None)


def test_the_packages_of_channels_and_crms_can_be_looked_through() -> None:
    assert isinstance(load("pbxmonitor.notify"), dict)
    assert isinstance(load("pbxmonitor.crm"), dict)


def test_prometheus_is_told_what_was_counted_by_node() -> None:
    metrics = Metrics()
    metrics.facts.labels(node="main").inc(3)
    metrics.open_calls.labels(node="main").set(2)
    with metrics.serve("127.0.0.1", 0) as port, urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        told = answer.read().decode("utf-8")
    assert 'pbxmonitor_facts_total{node="main"} 3.0' in told
    assert 'pbxmonitor_open_calls{node="main"} 2.0' in told


def test_two_daemons_in_one_process_count_apart() -> None:
    one, two = Metrics(), Metrics()
    one.gaps.labels(node="main").inc()
    assert two.registry.get_sample_value("pbxmonitor_gaps_total", {"node": "main"}) is None
