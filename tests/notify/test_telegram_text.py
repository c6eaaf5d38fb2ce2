"""Text for Telegram: its few tags, its length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxmonitor.notify.telegram_text import caption, html_pieces, length, text_pieces
from tests.notify.fake_telegram import shown


@pytest.mark.parametrize(
    ("html", "telegram"),
    [
        ("<b>a</b>", "<b>a</b>"),
        ("<strong>a</strong> <em>b</em> <del>c</del> <ins>d</ins>", "<b>a</b> <i>b</i> <s>c</s> <u>d</u>"),
        ("<p>one</p>\n\n   <p>two<br>three</p>", "one\n\ntwo\nthree"),
        ("<ul><li>one</li><li>two</li></ul>after", "one\ntwo\n\nafter"),
        ("<table><tr><td>Анна</td><td>79</td></tr><tr><td>Пётр</td><td>8</td></tr></table>", "Анна 79\nПётр 8"),
        ("<div><div>a</div></div><span style='color: red'>b</span>", "a\nb"),
        ("a   b\n\tc", "a b c"),
        ("1 &lt; 2 &amp; 3 &gt; 2 «да»", "1 &lt; 2 &amp; 3 &gt; 2 «да»"),
        ("<pre>a\n  b</pre>", "<pre>a\n  b</pre>"),
        ('<a href="https://x.y/?a=1&amp;b=2">go</a>', '<a href="https://x.y/?a=1&amp;b=2">go</a>'),
        ('<a href="javascript:alert(1)">go</a> on', "go on"),
        (
            '<a href="https://x.y">x <b>y</b></a>',
            '<a href="https://x.y">x</a> <a href="https://x.y"><b>y</b></a>',
        ),
        ("<style>p {}</style><script>alert(1)</script><title>t</title>a", "a"),
        ("<b>not closed", "<b>not closed</b>"),
        ("</b>never opened", "never opened"),
        ("<b><i>a</b>b</i>", "<b><i>a</i></b>b"),
        ("a<br><br><br><br>b", "a\n\nb"),
        ("<p> </p>", ""),
    ],
)
def test_html_becomes_telegrams(html: str, telegram: str) -> None:
    assert "".join(html_pieces(html)) == telegram


def test_a_text_of_4096_is_one_message_and_of_4097_two() -> None:
    assert list(map(len, text_pieces("x" * 4096))) == [4096]
    assert list(map(len, text_pieces("x" * 4097))) == [4096, 1]


def test_a_text_is_parted_between_lines_rather_than_within() -> None:
    lines = ["x" * 99] * 60
    pieces = text_pieces("\n".join(lines))
    assert [set(piece.split("\n")) for piece in pieces] == [{"x" * 99}] * 2
    assert sum(piece.count("\n") + 1 for piece in pieces) == 60


def test_signs_outside_the_basic_plane_count_twice() -> None:
    assert length("🔴") == 2
    assert list(map(len, text_pieces("🔴" * 2049))) == [2048, 1]


def test_what_is_longer_than_four_messages_is_cut_and_says_so() -> None:
    pieces = text_pieces("слово " * 20_000)
    assert len(pieces) == 4
    assert pieces[-1].endswith("\n…")
    assert all(length(piece) <= 4096 for piece in pieces)


def test_bold_goes_on_in_the_next_message() -> None:
    pieces = html_pieces(f"<b>{'слово ' * 1000}</b>")
    assert [piece[:3] + piece[-4:] for piece in pieces] == ["<b></b>", "<b></b>"]


def test_a_caption_is_cut_at_1024() -> None:
    assert caption("x" * 1024) == "x" * 1024
    assert length(caption("🔴" * 1000)) <= 1024
    assert caption("x" * 1025).endswith("…")


@given(st.text(alphabet=st.sampled_from("ab <>/&\n🔴'\"="), max_size=300) | st.text(max_size=300))
def test_whatever_the_html_telegram_takes_the_messages(html: str) -> None:
    for piece in html_pieces(html):
        assert shown({"text": piece, "parse_mode": "HTML"}).strip()


@given(st.lists(st.sampled_from(["слово", "🔴", "\n", "\n\n", " ", "x" * 3000]), max_size=12))
def test_no_word_is_lost_or_told_twice_when_a_text_is_parted(parts: list[str]) -> None:
    text = " ".join(parts)
    pieces = text_pieces(text)
    assert all(0 < length(piece) <= 4096 for piece in pieces)
    if not pieces or not pieces[-1].endswith("\n…"):
        assert "".join("".join(pieces).split()) == "".join(text.split())
