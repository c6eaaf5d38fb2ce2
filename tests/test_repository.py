"""The repository itself: what the wheel carries, what the README promises, what no file may say."""

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from pbxmonitor.settings import load
from pbxmonitor.settings_domain import to_duties

ROOT = Path(__file__).parents[1]
# What a text file of the project is; recordings are somebody else's words.
TEXTS = {".py", ".md", ".toml", ".yaml", ".yml", ".cfg", ".ini", ".conf", ".lock", ".sh", ".mako", ".txt", ""}


def tracked() -> list[Path]:
    """The project's own text files, those not yet committed included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    paths = [ROOT / name for name in names]
    return [path for path in paths if path.is_file() and path.suffix in TEXTS and "scenarios" not in path.parts]


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in the wheel, built by the same backend as a release, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    code = f"from hatchling.build import build_wheel; print(build_wheel({str(folder)!r}))"
    built = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return set(zipfile.ZipFile(folder / built.stdout.strip().splitlines()[-1]).namelist())


def test_the_wheel_carries_the_migrations_the_catalogues_and_the_licence(wheel: set[str]) -> None:
    versions = {f"pbxmonitor/migrations/versions/{path.name}" for path in (ROOT / "migrations/versions").glob("*.py")}
    assert versions
    assert versions <= wheel
    assert {"pbxmonitor/migrations/env.py", "pbxmonitor/py.typed"} <= wheel
    assert {"pbxmonitor/locale/ru.toml", "pbxmonitor/locale/en.toml"} <= wheel
    assert any(name.endswith("licenses/LICENSE") for name in wheel)


def test_the_wheel_carries_no_tests_and_every_module(wheel: set[str]) -> None:
    assert not any(name.startswith("tests/") for name in wheel)
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "pbxmonitor").rglob("*.py")}
    assert modules <= wheel


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_make_command_of_the_pages_exists(page: str) -> None:
    named = set(re.findall(r"(?:`|^ +|^|=en )make ([a-z0-9]+)", (ROOT / page).read_text("utf-8"), re.MULTILINE))
    assert {"test", "demo"} <= named
    assert named <= make_targets()


def test_the_makefile_has_what_was_promised() -> None:
    assert {"demo", "test", "lint", "bench", "lab", "e2e", "clean"} <= make_targets()


def test_every_page_that_a_page_names_is_there() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for name in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / name).exists(), f"{page.name} names {name}"


@pytest.mark.parametrize("page", ["README.md", "docs/settings.md"])
def test_the_settings_of_the_pages_are_settings(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    for name in ("ami.secret", "ari.password"):
        (tmp_path / name).write_text("word", "utf-8")
    examples = re.findall(r"``` *toml\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    assert examples
    for number, text in enumerate(examples):
        path = tmp_path / f"{number}.toml"
        path.write_text(text.replace("/etc/pbxmonitor/", f"{tmp_path}/"), "utf-8")
        settings = load(path)
        assert set(settings.pbx) == {"main"}
        assert to_duties(settings).steps


def test_no_file_names_a_registry_or_a_machine() -> None:
    # Spelled in pieces, so that this file is held to the rule as well.
    named = re.compile("|".join(("py" + r"pi\.org", "python" + "hosted", "extra-" + "index-url", "find-" + "links")))
    machine = re.compile("/" + "work/|" + "/root/" + r"\.|/home/\w")
    for path in tracked():
        found = named.search(text := path.read_text("utf-8")) or machine.search(text)
        assert found is None, f"{path.relative_to(ROOT)} says {found}"


def test_the_lock_pins_every_direct_dependency_and_nothing_from_elsewhere() -> None:
    lines = [
        line for line in (ROOT / "requirements-dev.lock").read_text("utf-8").splitlines() if not line.startswith("#")
    ]
    assert all(re.fullmatch(r"[\w.-]+==[\w.!+-]+", line) for line in lines)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    pinned = {_normal(line.partition("==")[0]) for line in lines}
    assert {_normal(re.split(r"[\[<>=]", name)[0]) for name in wanted} <= pinned


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_domain_imports_the_standard_library_only() -> None:
    banned = {"asyncio", "time", "threading", "socket", "os", "random"}
    for path in (ROOT / "pbxmonitor/domain").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                root = name.partition(".")[0]
                assert name.startswith("pbxmonitor.domain") or (root in sys.stdlib_module_names - banned), (path, name)


def test_no_function_is_longer_than_fifty_lines_and_half_are_short() -> None:
    lengths: list[int] = []
    for path in (ROOT / "pbxmonitor").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lengths.append((node.end_lineno or node.lineno) - node.lineno + 1)
                assert lengths[-1] <= 50, f"{path.name}: {node.name} has {lengths[-1]} lines"
    assert sorted(lengths)[len(lengths) // 2] <= 8


def test_a_daemon_that_needs_nothing_heavy_loads_nothing_heavy() -> None:
    numbers = ("phonenumbers.geodata", "phonenumbers.carrierdata")
    heavy = (*numbers, "matplotlib", "fastapi", "apprise", "xlsxwriter")
    command = f"import sys, pbxmonitor.app; print([name for name in {heavy!r} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True, cwd=ROOT)
    assert told.stdout == "[]\n"


def test_what_is_staged_on_an_asterisk_stays_with_one_process(request: pytest.FixtureRequest) -> None:
    """The groups of `--dist loadgroup` stand in the names of tests, or xdist lost them and all is staged twice."""
    shared = "PYTEST_XDIST_WORKER" in os.environ and request.config.getoption("loadgroup", default=False)
    assert request.node.nodeid.endswith(f"@{request.node.path}") == bool(shared)
