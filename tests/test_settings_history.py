"""Where a PBX keeps its diaries, and how long we keep rows: what may be said in the settings, and what not."""

from datetime import timedelta
from pathlib import Path

import pytest

from pbxmonitor.settings import Settings, load
from pbxmonitor.settings_errors import SettingsError

PBX = '[[pbx]]\nnode = "main"\n[pbx.ami]\nsecret = "x"\n'


def read(folder: Path, text: str) -> Settings:
    path = folder / "pbxmonitor.toml"
    path.write_text(text, "utf-8")
    return load(path)


def test_the_best_diary_is_read_last_and_rotated_files_in_their_order(tmp_path: Path) -> None:
    text = PBX + (
        '[pbx.history]\nqueue_log = ["/var/log/asterisk/queue_log.1", "/var/log/asterisk/queue_log"]\n'
        'cel = "/var/log/asterisk/cel.csv"\ncdr = "mysql://reader:secret@10.0.0.5/asteriskcdrdb"\n'
    )
    history = read(tmp_path, text).pbx["main"].history
    assert history.sources == (
        ("cdr-csv", "mysql://reader:secret@10.0.0.5/asteriskcdrdb"),
        ("cel-csv", "/var/log/asterisk/cel.csv"),
        ("queue_log", "/var/log/asterisk/queue_log.1"),
        ("queue_log", "/var/log/asterisk/queue_log"),
    )
    assert "secret" not in repr(history)


def test_the_journal_is_kept_for_30_days_and_calls_for_ever_until_set(tmp_path: Path) -> None:
    usual = read(tmp_path, "").retention
    assert (usual.journal, usual.calls, usual.audit) == (timedelta(days=30), None, None)
    own = read(tmp_path, '[retention]\njournal = "for ever"\ncalls = "1095 d"\n').retention
    assert (own.journal, own.calls) == (None, timedelta(days=1095))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PBX + '[pbx.history]\nqueue_log = "queue_log"\n', "queue_log: give the file's whole path"),
        (PBX + '[pbx.history]\ncdr = "oracle://x/y"\n', "must begin with one of sqlite:, postgresql:"),
        (PBX + "[pbx.history]\ncdr = 5\n", "must be a file, a url such as"),
        ('[retention]\njournal = "1 h"\n', "journal must be kept for a day at least"),
        ('[retention]\ncalls = "1 d"\n', "calls must be kept for 30 days at least"),
        ('[retention]\ncalls = "never"\n', 'must be seconds, or text such as "10 min" or "7 d"'),
    ],
)
def test_what_cannot_be_kept_or_read_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        read(tmp_path, text)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
