"""The message catalogue: both languages whole, plurals right, no key missing."""

import ast
import re
import string
from pathlib import Path

import pytest

import pbxmonitor
from pbxmonitor.domain.call import Direction, EndedBy
from pbxmonitor.domain.judge import Cause, Disposition
from pbxmonitor.texts import LANGUAGES, Text, catalogue, plural, speak, spoken, tr

CODE = Path(pbxmonitor.__file__).parent
FORMS = {"ru": {"one", "few", "many"}, "en": {"one", "other"}}


def forms(text: Text) -> list[str]:
    return [text] if isinstance(text, str) else list(text.values())


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def asked() -> dict[str, set[str]]:
    """The keys that the code asks for by a plain literal, each with the values it gives them."""
    found: dict[str, set[str]] = {}
    for path in CODE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                given = {keyword.arg for keyword in node.keywords if keyword.arg}
                for key in _keys_of(node.func.id, node.args[0], checks=path.name.startswith("check")):
                    found[key] = given
    return found


def _keys_of(name: str, argument: ast.expr, *, checks: bool) -> set[str]:
    """`tr` takes a whole key; the checks ask through two short names of their own."""
    if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
        return set()
    if name == "tr":
        return {argument.value}
    short = {"_ok": ("",), "_bad": ("", ".fix")}.get(name, ()) if checks else ()
    return {f"check.{argument.value}{tail}" for tail in short}


def test_both_languages_have_the_same_keys() -> None:
    assert set(catalogue("ru")) == set(catalogue("en"))


def test_both_languages_have_the_same_placeholders_in_every_form() -> None:
    for key, russian in catalogue("ru").items():
        names = [placeholders(form) for form in forms(russian) + forms(catalogue("en")[key])]
        assert all(each == names[0] for each in names), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_counted_text_has_every_form_of_its_language(language: str) -> None:
    counted = {key: text for key, text in catalogue(language).items() if not isinstance(text, str)}
    assert counted
    for key, text in counted.items():
        assert set(text) == FORMS[language], key
        assert all("n" in placeholders(form) for form in forms(text)), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty_and_the_russian_ones_are_russian(language: str) -> None:
    for key, text in catalogue(language).items():
        assert all(form.strip() for form in forms(text)), key
        cyrillic = any(re.search("[а-яё]", form, re.IGNORECASE) for form in forms(text))
        assert cyrillic == (language == "ru") or wordless(text) or key == "report.column.dnd_s", key


def wordless(text: Text) -> bool:
    """Only values, and what stands between them."""
    return not any(re.search(r"[^\W\d_]", re.sub(r"\{[^}]*\}", "", form)) for form in forms(text))


def test_every_key_that_the_code_asks_for_exists_and_is_given_its_values() -> None:
    used = asked()
    assert {"report.agents.empty", "check.ami_away.fix"} <= set(used)
    assert set(used) - set(catalogue("en")) == set()
    for key, given in used.items():
        needed = set().union(*map(placeholders, forms(catalogue("en")[key])))
        assert needed <= given, key


@pytest.mark.parametrize(
    ("kind", "values"),
    [("direction", Direction), ("disposition", Disposition), ("cause", Cause), ("ended_by", EndedBy)],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_the_domain_has_a_text(language: str, kind: str, values: type[Direction]) -> None:
    assert all(f"value.{kind}.{value.value}" in catalogue(language) for value in values)


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0, "0 звонков"),
        (1, "1 звонок"),
        (2, "2 звонка"),
        (4, "4 звонка"),
        (5, "5 звонков"),
        (11, "11 звонков"),
        (12, "12 звонков"),
        (21, "21 звонок"),
        (22, "22 звонка"),
        (25, "25 звонков"),
        (101, "101 звонок"),
        (111, "111 звонков"),
        (112, "112 звонков"),
        (1.5, "1.5 звонка"),
    ],
)
def test_russian_counts_its_calls_in_three_forms(number: float, written: str) -> None:
    assert tr("cli.calls_played", language="ru", n=number) == written


@pytest.mark.parametrize(
    ("number", "form"), [(0, "other"), (1, "one"), (2, "other"), (11, "other"), (21, "other"), (111, "other")]
)
def test_english_counts_in_two_forms(number: int, form: str) -> None:
    assert plural("en", number) == form


def test_the_language_in_use_is_the_one_spoken() -> None:
    before = spoken()
    try:
        speak("en")
        assert tr("value.yes") == "yes"
        assert tr("value.yes", language="ru") == "да"
    finally:
        speak(before)
    with pytest.raises(ValueError, match="must be one of ru, en, not 'de'"):
        speak("de")
