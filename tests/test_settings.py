"""The settings file, the environment, secrets' files, and what is said when one of them is wrong."""

import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from pbxmonitor.domain.policy import Policy
from pbxmonitor.settings import Settings, load
from pbxmonitor.settings_domain import to_duties, to_policy
from pbxmonitor.settings_errors import SettingsError
from pbxmonitor.settings_values import duration, share, system_zone, working_day

PBX = '[[pbx]]\nnode = "main"\n[pbx.ami]\nsecret = "s3cret-word"\n'


@pytest.fixture(autouse=True)
def quiet_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.chdir(tmp_path)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(text, "utf-8")
    return path


def complaint(tmp_path: Path, text: str) -> str:
    """The one line said about that file, without the file's own path."""
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path}: ")


def test_no_file_at_all_gives_the_defaults_of_the_judging_rules() -> None:
    settings = load()
    assert settings.pbx == {}
    assert settings.language == "ru"
    assert to_policy(settings).min_ring == Policy().min_ring
    assert to_policy(settings) == Policy(hours=to_policy(settings).hours)
    assert to_policy(settings).hours.always


def test_a_file_of_the_working_directory_is_found(tmp_path: Path) -> None:
    (tmp_path / "pbxmonitor.toml").write_text('region = "KZ"', "utf-8")
    assert load().region == "KZ"


def test_thresholds_read_as_people_write_them(tmp_path: Path) -> None:
    text = '[policy]\ncallback_norm = "15 min"\ncallback_keep = "7 d"\nmin_ring = 2.5\nmax_missed_share = "10 %"\n'
    policy = to_policy(load(written(tmp_path, text + "[policy.queues.sales]\nmin_ring = 5\n")))
    assert policy.callback_norm == timedelta(minutes=15)
    assert policy.callback_keep == timedelta(days=7)
    assert policy.min_ring == timedelta(seconds=2.5)
    assert policy.max_missed_share == pytest.approx(0.1)
    assert policy.of_queue("sales").min_ring == timedelta(seconds=5)
    assert policy.of_queue("sales").short_hangup == policy.short_hangup
    assert policy.of_queue("support").min_ring == timedelta(seconds=2.5)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (3, 3),
        (0.5, 0.5),
        ("10", 10),
        ("10 min", 600),
        ("1h 30m", 5400),
        ("7 d", 604800),
        ("500ms", 0.5),
        ("2 hours", 7200),
    ],
)
def test_a_duration_is_seconds_or_words(said: object, seconds: float) -> None:
    assert duration(said).total_seconds() == seconds


@pytest.mark.parametrize("said", [-1, "", "ten", "5 parsecs", True, None, float("nan"), "10 min!", 10**12])
def test_what_is_not_a_duration_is_refused(said: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        duration(said)


@pytest.mark.parametrize(("said", "part"), [(0.12, 0.12), ("12 %", 0.12), ("12%", 0.12), ("100 %", 1), (0, 0)])
def test_a_share_is_a_part_or_a_percentage(said: object, part: float) -> None:
    assert share(said) == pytest.approx(part)


@pytest.mark.parametrize("said", [12, "101 %", -0.1, True, "a lot", float("nan")])
def test_a_bare_twelve_is_not_taken_for_a_share(said: object) -> None:
    with pytest.raises(ValueError, match="12 %"):
        share(said)


def test_working_hours_follow_the_site_zone_and_its_holidays(tmp_path: Path) -> None:
    text = 'timezone = "Europe/Moscow"\n[policy.hours]\nmon-sat = "09:00-20:00"\nholidays = ["2026-12-31"]\n'
    hours = to_policy(load(written(tmp_path, text))).hours
    assert hours.open_at(datetime(2026, 11, 23, 6, 0, tzinfo=UTC))
    assert not hours.open_at(datetime(2026, 11, 23, 5, 59, tzinfo=UTC))
    assert not hours.open_at(datetime(2026, 11, 22, 9, 0, tzinfo=UTC))
    assert hours.holidays == {date(2026, 12, 31)}


def test_a_day_may_have_a_lunch_break_and_last_until_midnight() -> None:
    spans = ((time(9), time(13)), (time(14), time.max))
    assert working_day("09:00-13:00, 14:00-24:00") == spans
    assert working_day(["09:00-13:00", "14:00-24:00"]) == spans
    assert working_day("") == ()


@pytest.mark.parametrize("said", ["9-18", "20:00-09:00", "09:00-25:00", "09:00-13:00, 12:00-18:00", 9])
def test_working_hours_that_make_no_sense_are_refused(said: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        working_day(said)


def test_the_environment_wins_over_the_file_and_reaches_one_pbx_by_its_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PBXMONITOR_PBX__MAIN__AMI__PORT", "5039")
    monkeypatch.setenv("PBXMONITOR_LANGUAGE", "en")
    monkeypatch.setenv("PBXMONITOR_NUMBERS__OWN", '["+74951234567"]')
    settings = load(written(tmp_path, 'language = "ru"\n' + PBX))
    assert settings.language == "en"
    assert settings.pbx["main"].ami.port == 5039
    assert settings.pbx["main"].ami.secret.get_secret_value() == "s3cret-word"
    assert settings.numbers.own == ("+74951234567",)


def test_two_pbxs_are_two_tables(tmp_path: Path) -> None:
    settings = load(written(tmp_path, PBX + PBX.replace("main", "branch")))
    assert [(key, pbx.node) for key, pbx in settings.pbx.items()] == [("main", "main"), ("branch", "branch")]


def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "ami.secret").write_text("from-a-file\n", "utf-8")
    path = written(tmp_path, f'[[pbx]]\nnode = "main"\n[pbx.ami]\nsecret_file = "{tmp_path}/ami.secret"\n')
    assert load(path).pbx["main"].ami.secret.get_secret_value() == "from-a-file"


def test_a_systemd_credential_is_found_by_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "pbx.main.ami.secret").write_text("from-systemd\n", "utf-8")
    (tmp_path / "credentials" / "somebody.else").write_text("ignored", "utf-8")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    settings = load(written(tmp_path, '[[pbx]]\nnode = "main"\n[pbx.ami]\nhost = "10.0.0.5"\n'))
    assert settings.pbx["main"].ami.secret.get_secret_value() == "from-systemd"


def test_the_database_password_may_be_apart_from_the_url(tmp_path: Path) -> None:
    (tmp_path / "db").write_text("p@ss/word", "utf-8")
    text = f'[database]\nurl = "postgresql://pbx@db:5432/calls"\npassword_file = "{tmp_path}/db"\n'
    database = load(written(tmp_path, text)).database
    assert database.full_url == "postgresql://pbx:p%40ss%2Fword@db:5432/calls"
    assert database.safe_url == "postgresql://pbx@db:5432/calls"


def test_no_secret_shows_in_the_settings_written_out(tmp_path: Path) -> None:
    text = '[database]\nurl = "postgresql://pbx:hunter2@db/calls"\n' + PBX
    settings = load(written(tmp_path, text + '[pbx.ari]\npassword = "ari-word"\n'))
    shown = repr(settings) + str(settings) + repr(settings.pbx) + settings.database.safe_url
    assert not re.search("hunter2|s3cret-word|ari-word", shown)
    assert settings.database.safe_url == "postgresql://pbx:***@db/calls"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[policy]\nmin_rign = 3",
            "policy.min_rign: unknown key (value 3); did you mean min_ring? allowed: min_ring, ",
        ),
        ('languge = "ru"', "languge: unknown key (value 'ru'); did you mean language? allowed: language, timezone, "),
        ('language = "de"', "language: must be 'ru' or 'en', not 'de'"),
        ('timezone = "Mars/Base"', "timezone: must be an IANA time zone such as Europe/Moscow, not 'Mars/Base'"),
        ('region = "Russia"', "region: must be a country's two capital letters, such as RU, not 'Russia'"),
        ("[policy]\nmin_ring = 'x'", 'policy.min_ring: must be seconds, or text such as "10 min" or "7 d", not \'x\''),
        (
            "[policy]\nmin_ring = -1\nmax_missed_share = 12",
            "policy.min_ring: must be a duration from 0 seconds to 10 years",
        ),
        ("policy = 3", "policy: must be a table, not 3"),
        (
            "[policy.queues.s]\nmin_ringg = 3",
            "policy.queues.s.min_ringg: unknown key (value 3); did you mean min_ring? ",
        ),
        (
            '[policy.hours]\nmonday = "09:00-18:00"',
            "policy.hours.monday: unknown key (value '09:00-18:00'); did you mean ",
        ),
        ('[policy.hours]\nmon = "1:00-2:00"\nmon-fri = "1:00-2:00"', "policy.hours: gives mon twice"),
        ('[numbers]\nown = "+7495"', "numbers.own: must be a list, not '+7495'"),
        ('[[pbx]]\nnode = "main"', "pbx.main.ami: is missing"),
        ('[[pbx]]\nnode = "main"\n[pbx.ami]\nport = 5', "pbx.main.ami: needs secret or secret_file"),
        (PBX + "port = 99999", "pbx.main.ami.port: must be less than or equal to 65535, not 99999"),
        (
            PBX + 'host = "http://x"',
            "pbx.main.ami.host: must be a host name or an address, such as 127.0.0.1, not 'http://x'",
        ),
        (PBX + "tls_insecure = true", "pbx.main.ami: set tls = true for ca_file or tls_insecure to mean anything"),
        (PBX + 'secret_file = "/x"', "pbx.main.ami: give one of secret and secret_file"),
        (PBX.replace("main", "Main X"), "pbx.Main X.node: must be a short name of a-z, 0-9, - and _, not 'Main X'"),
        (PBX + PBX, "pbx: cannot have two [[pbx]] with node 'main'"),
        ('[pbx]\nnode = "main"', "pbx: write [[pbx]] with double brackets, one for each PBX"),
        ("[[pbx]]\n", "pbx: needs node, a short name, in each [[pbx]]"),
        ("pbx = 3", "pbx: must be a table, not 3"),
        (
            PBX + '[pbx.ari]\nurl = "http://u:pw@h"\npassword = "x"',
            "pbx.main.ari: url must have no user name or password",
        ),
        (
            PBX + '[pbx.ari]\nurl = "ftp://h"\npassword = "x"',
            "pbx.main.ari: url must be http://HOST:PORT or https://HOST:PORT",
        ),
        (
            '[database]\nurl = "oracle://u:pw@h/x"',
            "database: url must begin with one of sqlite:, postgresql:, mariadb:, mysql:",
        ),
        ("a = [", "is not TOML: "),
    ],
)
def test_a_wrong_setting_is_named_with_its_value_and_what_is_allowed(tmp_path: Path, text: str, said: str) -> None:
    assert complaint(tmp_path, text).startswith(said)


@pytest.mark.parametrize("key", ["secret", "secrt", "Secret", "passwd", "token"])
def test_a_wrong_secret_is_never_told(tmp_path: Path, key: str) -> None:
    said = complaint(
        tmp_path, f'[[pbx]]\nnode = "main"\n[pbx.ami]\nport = 1\n{key} = ["hunter2"]\nsecret_file = "/none"'
    )
    assert "hunter2" not in said
    assert "hunter2" not in complaint(tmp_path, PBX + f'[pbx.ari]\npassword = "x"\n{key} = "hunter2"')


def test_a_person_is_the_only_owner_of_a_device(tmp_path: Path) -> None:
    text = '[people.anna]\ndevices = ["PJSIP/101"]\n[people.vera]\ndevices = ["pjsip/101"]\n'
    assert complaint(tmp_path, text) == "people: pjsip/101 cannot belong to both anna and vera"


def test_the_rest_of_what_is_wrong_is_counted(tmp_path: Path) -> None:
    assert complaint(tmp_path, 'language = "de"\nregion = "x"\nlog = 3').endswith("(and 2 more)")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PBXMONITOR_LANGUGE", "ru", "$PBXMONITOR_LANGUGE: unknown key; did you mean language? "),
        ("PBXMONITOR_LANGUAGE", "xx", "$PBXMONITOR_LANGUAGE: must be 'ru' or 'en', not 'xx'"),
        (
            "PBXMONITOR_POLICY__MIN_RIGN",
            "4",
            "$PBXMONITOR_POLICY__MIN_RIGN: unknown key (value '4'); did you mean min_ring?",
        ),
        ("PBXMONITOR_NUMBERS__OWN", "+7", '$PBXMONITOR_NUMBERS__OWN: must be JSON, such as ["a", "b"]'),
    ],
)
def test_a_wrong_variable_is_named_as_a_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load()
    assert str(caught.value).startswith(said)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml: cannot be read: No such file or directory"):
        load(tmp_path / "none.toml")


@pytest.mark.parametrize(("content", "said"), [(b"", "is empty"), (b"\xff\xfe", "is not UTF-8")])
def test_a_secret_file_that_cannot_be_used_is_said_so(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "word").write_bytes(content)
    text = f'[[pbx]]\nnode = "main"\n[pbx.ami]\nsecret_file = "{tmp_path}/word"\n'
    assert said in complaint(tmp_path, text)


def test_a_file_written_on_windows_is_read(tmp_path: Path) -> None:
    path = tmp_path / "bom.toml"
    path.write_bytes(b'\xef\xbb\xbflanguage = "en"\r\n')
    assert load(path).language == "en"


def test_the_zone_is_the_machines_own_until_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TZ", raising=False)
    (tmp_path / "etc").mkdir()
    assert system_zone(tmp_path) == "UTC"
    (tmp_path / "etc/localtime").symlink_to("/usr/share/zoneinfo/Asia/Yekaterinburg")
    assert system_zone(tmp_path) == "Asia/Yekaterinburg"
    (tmp_path / "etc/timezone").write_text("Europe/Samara\n", "utf-8")
    assert system_zone(tmp_path) == "Europe/Samara"
    monkeypatch.setenv("TZ", "Asia/Omsk")
    assert system_zone(tmp_path) == "Asia/Omsk"


def test_numbers_that_never_open_a_callback_reach_the_policy_in_one_form(tmp_path: Path) -> None:
    settings = load(written(tmp_path, '[numbers]\nown = ["8 495 123"]\nfax = ["200"]\nblocked = ["?"]\n'))
    canonical = {"8 495 123": "+7495123", "200": "200", "?": None}
    assert to_policy(settings, canonical.__getitem__).never_call_back == {"+7495123", "200"}


def test_settings_cannot_be_changed_after_they_are_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().language = "en"


# people, and what is done about missed clients


def test_quiet_hours_may_go_over_midnight(tmp_path: Path) -> None:
    found = load(
        written(tmp_path, '[messages]\nquiet_hours = "22:00-08:00"\n[people.anna]\nquiet_hours = "13:00-14:00"\n')
    )
    assert found.messages.quiet_hours == ((time(0), time(8)), (time(22), time.max))
    assert found.people["anna"].quiet_hours == ((time(13), time(14)),)


def test_a_chain_of_ones_own_becomes_duties(tmp_path: Path) -> None:
    text = """
[people.anna]
channels = ["bot"]
[teams.desk]
people = ["anna"]
[notify.bot]
kind = "telegram"
[crm.bitrix24]
tasks = false
[[callbacks.steps]]
after = "norm"
to = ["owner"]
message = "overdue"
"""
    duties = to_duties(load(written(tmp_path, text)))
    assert [(step.after, step.to, step.message) for step in duties.steps] == [(None, ("owner",), "overdue")]
    assert (duties.tasks, duties.calls) == ((), ("bitrix24",))
    assert (duties.roster.people["anna"].team, duties.roster.people["anna"].channels) == ("desk", ("bot",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[messages]\nchannels = ["sms"]\n', "messages.channels: there is no channel sms; there is none yet"),
        ('[callbacks]\nreserve = ["zoe"]\n', "callbacks.reserve: there is no person zoe; there is none yet"),
        ('[callbacks]\nowner = ["luck"]\n', "callbacks.owner.0: must be"),
        ('[[callbacks.steps]]\nafter = 0\nto = ["owner"]\nmesage = "missed"\n', "did you mean message?"),
        ("[notify.x]\n[crm.x]\n", "crm: x is a channel's name too"),
    ],
)
def test_what_is_wrong_about_people_is_one_line(text: str, said: str, tmp_path: Path) -> None:
    assert said in complaint(tmp_path, text)
