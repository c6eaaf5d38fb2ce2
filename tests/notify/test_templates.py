"""The texts of messages: as the users know them, in both languages, and the site's own."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from jinja2 import Environment, nodes
from structlog.testing import capture_logs

from pbxmonitor.notify.buttons import Action, callback_buttons, reached_buttons
from pbxmonitor.notify.examples import Name, examples
from pbxmonitor.notify.templates import BadTemplate, Templates, catalogue_source
from pbxmonitor.notify.wording import filters
from pbxmonitor.texts import LANGUAGES

MOSCOW = ZoneInfo("Europe/Moscow")
AT = datetime(2026, 11, 23, 7, 42, tzinfo=UTC)
MISSED: dict[str, Any] = {
    "client": "+78121112233",
    "region": "Санкт-Петербург",
    "at": AT,
    "queue": "Продажи",
    "due": AT + timedelta(minutes=10),
}


def written(**changed: Any) -> str:
    return Templates(MOSCOW).render(Name.MISSED, "ru", {**MISSED, **changed}).text


def test_a_missed_call_reads_as_the_users_know_it() -> None:
    assert written() == (
        "Вы пропустили входящий от +7 812 111-22-33 (Санкт-Петербург) в 10:42, очередь «Продажи». "
        "Перезвоните клиенту до 10:52."
    )


def test_what_is_not_known_leaves_no_hole() -> None:
    assert written(region=None, queue=None) == (
        "Вы пропустили входящий от +7 812 111-22-33 в 10:42. Перезвоните клиенту до 10:52."
    )


def test_a_deadline_on_another_day_has_its_date() -> None:
    due = datetime(2026, 11, 24, 6, 10, tzinfo=UTC)
    assert written(due=due).endswith("Перезвоните клиенту до 24.11 09:10.")


def test_the_subject_alone_tells_what_to_do() -> None:
    message = Templates(MOSCOW).render(Name.MISSED, "en", MISSED)
    assert message.subject == "Call +7 812 111-22-33 back by 10:52"


def test_html_says_the_same_and_nobody_writes_tags_into_it() -> None:
    message = Templates(MOSCOW).render(Name.MISSED, "ru", {**MISSED, "queue": "<script>alert(1)</script> & co"})
    assert "<b>+7 812 111-22-33</b>" in message.html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; co" in message.html
    assert "<script>" in message.text


def test_marks_of_bold_text_do_not_come_from_values() -> None:
    message = Templates(MOSCOW).render(
        Name.MISSED, "ru", {**MISSED, "region": "\ue000x\ue001", "client": "\ue00010\ue000"}
    )
    assert message.html.count("<b>") == message.html.count("</b>") == 2
    assert not {"\ue000", "\ue001"} & set(message.html + message.text + message.subject)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", Name)
def test_every_message_can_be_written_from_its_example(name: Name, language: str) -> None:
    message = Templates(MOSCOW).preview(name, language)
    assert message.subject
    assert "\n" not in message.subject
    assert message.text == message.text.strip()
    assert message.html.startswith("<p>")
    assert not {"None", "{{", "+00:00", "\n\n\n"} & {
        each for each in ("None", "{{", "+00:00", "\n\n\n") if each in message.text
    }


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", Name)
def test_every_word_that_may_be_absent_may_be_absent(name: Name, language: str) -> None:
    words = dict(examples(language)[name])
    for word in {"region", "queue", "owner", "rescuer", "who", "end", "money"} & set(words):
        text = Templates(MOSCOW).render(name, language, {**words, word: None}).text
        assert "()" not in text
        assert "«»" not in text
        assert text.strip()


@pytest.mark.parametrize("part", ["subject", "text"])
@pytest.mark.parametrize("name", Name)
def test_both_languages_use_the_words_of_the_example_and_no_others(name: Name, part: str) -> None:
    used = {}
    for language in LANGUAGES:
        source = catalogue_source(name, language, part)
        assert source is not None
        found = list(Environment(autoescape=True).parse(source).find_all(nodes.Name))
        own = {"loop"} | {each.name for each in found if each.ctx == "store"}
        used[language] = {each.name for each in found} - own
    assert used["ru"] == used["en"]
    assert used["ru"] <= set(examples("ru")[name])


def test_the_sites_own_text_takes_the_place_of_ours(tmp_path: Path) -> None:
    (tmp_path / "missed.ru.txt").write_text("Звонил {{ client | phone | bold }} <{{ queue }}>", "utf-8")
    (tmp_path / "missed.ru.subject.txt").write_text("\ufeffСрочно\n", "utf-8")
    message = Templates(MOSCOW, tmp_path).render(Name.MISSED, "ru", MISSED)
    assert (message.subject, message.text) == ("Срочно", "Звонил +7 812 111-22-33 <Продажи>")
    assert message.html == "<p>Звонил <b>+7 812 111-22-33</b> &lt;Продажи&gt;</p>"
    assert Templates(MOSCOW, tmp_path).render(Name.MISSED, "en", MISSED).subject.startswith("Call")


def test_html_of_the_sites_own_escapes_values_and_keeps_its_tags(tmp_path: Path) -> None:
    (tmp_path / "missed.ru.html").write_text("<h1>{{ client | phone | bold }}</h1>{{ queue }}", "utf-8")
    message = Templates(MOSCOW, tmp_path).render(Name.MISSED, "ru", {**MISSED, "queue": "<x>"})
    assert message.html == "<h1><b>+7 812 111-22-33</b></h1>&lt;x&gt;"


def test_a_text_given_with_the_message_takes_the_place_of_ours_and_of_the_sites(tmp_path: Path) -> None:
    (tmp_path / "missed.ru.txt").write_text("из папки", "utf-8")
    (tmp_path / "missed.ru.html").write_text("<p>из папки</p>", "utf-8")
    message = Templates(MOSCOW, tmp_path).render(Name.MISSED, "ru", MISSED, "Ждёт {{ client | phone }}")
    assert (message.text, message.html) == ("Ждёт +7 812 111-22-33", "<p>Ждёт +7 812 111-22-33</p>")


def test_a_given_text_that_is_broken_loses_no_message_and_is_named() -> None:
    templates = Templates(MOSCOW)
    with pytest.raises(BadTemplate, match=r"text of a step \(missed\): there is no word 'clinet'"):
        templates.preview(Name.MISSED, "ru", "{{ clinet }}")
    assert templates.render(Name.MISSED, "ru", MISSED, "{{ clinet }}").text == written()


def test_a_changed_file_is_used_at_once(tmp_path: Path) -> None:
    templates = Templates(MOSCOW, tmp_path)
    for text in ("раз", "два"):
        (tmp_path / "missed.ru.txt").write_text(text, "utf-8")
        assert templates.render(Name.MISSED, "ru", MISSED).text == text


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{{ clinet }}", "there is no word 'clinet'; did you mean client? allowed: client, region, at, queue, due"),
        ("{% if clinet %}x{% endif %}", "there is no word 'clinet'; did you mean client?"),
        ("{{ client | fone }}", "line 1: No filter named 'fone'"),
        ("a\nb\n{% if %}", "line 3: Expected an expression"),
        ("{{ client.__class__.__mro__ }}", "access to attribute '__class__' of 'str' object is unsafe"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ due | time('x') }}", "has no attribute 'astimezone'"),
        ("{{ 5 | count('dogs') }}", "message.count.dogs"),
        ("{% for i in range(9999999) %}{% endfor %}", "Range too big"),
        ("{% include 'x' %}", "no loader for this environment"),
    ],
)
def test_a_template_that_is_broken_is_named_with_what_is_wrong(tmp_path: Path, source: str, said: str) -> None:
    (tmp_path / "missed.ru.txt").write_text(source, "utf-8")
    templates = Templates(MOSCOW, tmp_path)
    with pytest.raises(BadTemplate) as bad:
        templates.preview(Name.MISSED, "ru")
    assert str(bad.value).startswith("template missed.ru.txt: ")
    assert said in str(bad.value)
    assert "\n" not in str(bad.value)
    assert templates.check() == (str(bad.value),)


def test_a_broken_template_loses_no_message_and_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "missed.ru.txt").write_text("{{ clinet }}", "utf-8")
    templates = Templates(MOSCOW, tmp_path)
    with capture_logs() as lines:
        texts = {templates.render(Name.MISSED, "ru", MISSED).text for _ in range(3)}
    assert texts == {written()}
    assert [line["event"] for line in lines] == ["template_put_aside"]


def test_a_file_that_is_no_message_is_named(tmp_path: Path) -> None:
    for name in ("mised.ru.txt", "missed.de.txt", "missed.ru.text"):
        (tmp_path / name).write_text("x", "utf-8")
    (tmp_path / "overdue.ru.txt").write_bytes(b"\xff\xfe")
    wrong = Templates(MOSCOW, tmp_path).check()
    assert f"{tmp_path / 'mised.ru.txt'}: is no message; did you mean missed?" in wrong[0]
    assert any("missed.de.txt: is no message; after missed. comes one of ru, en" in line for line in wrong)
    assert any("missed.ru.text: is no message" in line for line in wrong)
    assert any("overdue.ru.txt: is not UTF-8 text" in line for line in wrong)
    assert len(wrong) == 4


def test_a_word_that_was_not_given_is_the_programs_own_mistake() -> None:
    with pytest.raises(BadTemplate, match="there is no word 'due'"):
        Templates(MOSCOW).render(Name.MISSED, "ru", {key: MISSED[key] for key in MISSED if key != "due"})


def test_the_source_in_use_can_be_shown(tmp_path: Path) -> None:
    (tmp_path / "missed.ru.txt").write_text("своё", "utf-8")
    templates = Templates(MOSCOW, tmp_path)
    assert templates.source(Name.MISSED, "ru", "text") == "своё"
    assert templates.source(Name.MISSED, "ru", "html") is None
    assert "{{ client | phone | bold }}" in (templates.source(Name.MISSED, "en", "text") or "")


def says(name: str, language: str, *given: Any) -> Any:
    return filters(language, MOSCOW)[name](*given)


@pytest.mark.parametrize(
    ("number", "people_read"),
    [
        ("+78121112233", "+7 812 111-22-33"),
        ("+79161234501", "+7 916 123-45-01"),
        ("+4930123456", "+49 30 123456"),
        ("101", "101"),
        ("sip:anna@host", "sip:anna@host"),
        (None, "скрыт"),
    ],
)
def test_phones_are_written_for_people(number: str | None, people_read: str) -> None:
    assert says("phone", "ru", number) == people_read


@pytest.mark.parametrize(
    ("span", "russian", "english"),
    [
        (timedelta(seconds=45), "45 с", "45 s"),
        (59.6, "1 мин", "1 min"),
        (timedelta(minutes=7, seconds=20), "7 мин", "7 min"),
        (timedelta(hours=2, minutes=5), "2 ч 5 мин", "2 h 5 min"),
        (timedelta(days=3, hours=4), "3 д 4 ч", "3 d 4 h"),
        (timedelta(seconds=-5), "0 с", "0 s"),
    ],
)
def test_spans_have_their_two_greatest_units(span: timedelta | float, russian: str, english: str) -> None:
    assert (says("duration", "ru", span), says("duration", "en", span)) == (russian, english)


def test_days_moments_and_shares_are_those_of_the_language() -> None:
    late = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
    assert (says("day", "ru", late), says("day", "en", date(2026, 11, 23))) == ("24.11.2026", "23 Nov 2026")
    assert (says("time", "en", late, AT), says("time", "ru", late, None)) == ("24 Nov 01:30", "01:30")
    assert (says("percent", "ru", 0.37), says("percent", "en", 0.37), says("percent", "ru", None)) == (
        "37 %",
        "37%",
        "нет данных",
    )
    assert [says("count", "ru", number, "missed") for number in (1, 3, 5)] == [
        "1 пропущенный звонок",
        "3 пропущенных звонка",
        "5 пропущенных звонков",
    ]


def test_values_without_a_filter_are_written_for_people_too(tmp_path: Path) -> None:
    (tmp_path / "missed.ru.txt").write_text("{{ at }} {{ due - at }} {{ region }} {{ day }} {{ 5 }}", "utf-8")
    words = {**MISSED, "region": None, "day": date(2026, 11, 23)}
    assert Templates(MOSCOW, tmp_path).render(Name.MISSED, "ru", words).text == "10:42 10 мин  23.11.2026 5"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_callback_has_a_button_for_every_action(language: str) -> None:
    found = callback_buttons("17", language)
    assert [button.action for button in found] == [each for each in Action if each is not Action.VOICEMAIL]
    assert {button.value for button in found} == {"17"}
    assert [button.action for button in reached_buttons("17", language)] == [Action.VOICEMAIL]
    assert Action.CALL not in {button.action for button in callback_buttons("17", language, call=False)}
