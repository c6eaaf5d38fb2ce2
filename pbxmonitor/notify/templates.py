"""The texts of messages: Jinja2 in a sandbox, ours from the catalogue, the site's own from a folder.

A file `missed.ru.txt` there takes the place of our text, `missed.ru.subject.txt` of the subject, `missed.ru.html` of
the HTML, which is otherwise made of the text.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog
from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pbxmonitor.notify.examples import Name, Words, examples
from pbxmonitor.notify.wording import as_html, filters, html_bold, marked_bold, spoken, unmarked
from pbxmonitor.settings_errors import did_you_mean
from pbxmonitor.texts import LANGUAGES, catalogue

log = structlog.get_logger()

ENDINGS: Final = {"subject": ".subject.txt", "text": ".txt", "html": ".html"}
_MISSING: Final = re.compile(r"^'(\w+)' is undefined$")
_EMPTY_LINES: Final = re.compile(r"\n{3,}")


class BadTemplate(ValueError):  # noqa: N818
    """A template cannot be used; the text is one line that names it and says what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A message in its three forms; `html` is a fragment, or the page that the site's own template makes."""

    subject: str
    text: str
    html: str


class Templates:
    """The texts for one site: its time zone, and the folder of its own templates, looked into at every message."""

    def __init__(self, zone: ZoneInfo, folder: Path | None = None) -> None:
        self._zone = zone
        self._folder = folder
        self._told: set[str] = set()

    def render(self, name: Name, language: str, words: Words, text: str | None = None) -> Written:
        """The message, with `text` in place of its template where there is one.

        In place of what is the site's own and broken stands ours, and an error in the log.
        """
        try:
            return self._written(name, language, words, text, own=True)
        except BadTemplate as error:
            if str(error) not in self._told:
                self._told.add(str(error))
                log.error("template_put_aside", reason=str(error))
        return self._written(name, language, words, None, own=False)

    def preview(self, name: Name, language: str, text: str | None = None) -> Written:
        """The message with the words of an example; BadTemplate when it cannot be written."""
        return self._written(name, language, examples(language)[name], text, own=True)

    def check(self) -> tuple[str, ...]:
        """A line for each thing that is wrong with the site's own templates."""
        wrong = [f"{path}: is no message; {_near(path.name)}" for path in self._files() if path.name not in _known()]
        for name in Name:
            for language in LANGUAGES:
                try:
                    self.preview(name, language)
                except BadTemplate as error:
                    wrong.append(str(error))
        return tuple(wrong)

    def source(self, name: Name, language: str, part: str) -> str | None:
        """The template in use: of the subject, the text or the html (None: it is made of the text)."""
        own = self._own(name, language, part)
        return own if own is not None else catalogue_source(name, language, part)

    def _written(self, name: Name, language: str, words: Words, text: str | None, *, own: bool) -> Written:
        parts = {part: self._part(name, language, part, words, own=own) for part in ENDINGS}
        if text is not None:
            title = f"text of a step ({name})"
            parts |= {"text": self._rendered(title, language, "text", text, words), "html": None}
        written = _EMPTY_LINES.sub("\n\n", parts["text"] or "").strip()
        return Written(
            subject=" ".join(unmarked(parts["subject"] or "").split()),
            text=unmarked(written),
            html=parts["html"] or as_html(written),
        )

    def _part(self, name: Name, language: str, part: str, words: Words, *, own: bool) -> str | None:
        source = self._own(name, language, part) if own else None
        title = f"{name}.{language}{ENDINGS[part]}"
        if source is None:
            source = catalogue_source(name, language, part)
        return None if source is None else self._rendered(title, language, part, source, words)

    def _rendered(self, title: str, language: str, part: str, source: str, words: Words) -> str:
        try:
            return _compiled(language, self._zone, part == "html", source).render(words)
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise BadTemplate(f"template {title}: {_why(error, words)}") from None

    def _own(self, name: Name, language: str, part: str) -> str | None:
        """The site's own template; None where it has none."""
        if self._folder is None:
            return None
        path = self._folder / f"{name}.{language}{ENDINGS[part]}"
        try:
            return path.read_bytes().decode("utf-8-sig")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BadTemplate(f"template {path}: cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise BadTemplate(f"template {path}: is not UTF-8 text") from None

    def _files(self) -> list[Path]:
        if self._folder is None or not self._folder.is_dir():
            return []
        return sorted(path for path in self._folder.iterdir() if path.is_file() and not path.name.startswith("."))


def catalogue_source(name: Name, language: str, part: str) -> str | None:
    """Our own template."""
    source = catalogue(language).get(f"message.{name}.{part}")
    return source if isinstance(source, str) else None


@cache
def _environment(language: str, zone: ZoneInfo, html: bool) -> ImmutableSandboxedEnvironment:
    found = ImmutableSandboxedEnvironment(
        autoescape=html,
        undefined=StrictUndefined,
        finalize=spoken(language, zone),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(filters(language, zone))
    found.filters["bold"] = html_bold if html else marked_bold
    return found


@lru_cache(maxsize=512)
def _compiled(language: str, zone: ZoneInfo, html: bool, source: str) -> Template:
    return _environment(language, zone, html).from_string(source)


def _why(error: Exception, words: Mapping[str, Any]) -> str:
    text = " ".join(str(error).split())
    missing = _MISSING.match(text)
    if isinstance(error, UndefinedError) and missing:
        return f"there is no word {missing[1]!r}; {did_you_mean(missing[1], list(words))}"
    if isinstance(error, TemplateSyntaxError):
        return f"line {error.lineno}: {text}"
    return text


@cache
def _known() -> frozenset[str]:
    """The names that files of the folder may have."""
    return frozenset(
        f"{name}.{language}{ending}" for name in Name for language in LANGUAGES for ending in ENDINGS.values()
    )


def _near(name: str) -> str:
    stem = name.partition(".")[0]
    if stem in set(Name):
        return f"after {stem}. comes one of {', '.join(LANGUAGES)}, then .txt, .subject.txt or .html"
    return did_you_mean(stem, [*Name])
