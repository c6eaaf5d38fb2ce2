"""Letters, handed to a real SMTP server: in TLS, with STARTTLS, plain; what is in them; how it says no."""

import ssl
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pbxmonitor.clock import ManualClock
from pbxmonitor.notify import Image, Later, Message, Receipt, Refused
from pbxmonitor.notify.email import Email
from tests.notify.loopback import NOW, PNG, SUBJECT, TEXT, buttons, message
from tests.notify.post_office import PASSWORD, USERNAME, PostOffice, hang_up_after_data, odd_office, office, say_garbage

ANNA = "anna@example.com"
HTML = "<p>Вы пропустили входящий от <b>+7 812 111-22-33</b></p>"


def channel(post: PostOffice | int, **settings: Any) -> Email:
    port = post if isinstance(post, int) else post.port
    plain = {"host": "localhost", "port": port, "security": "none", "sender": "Клиника <pbx@example.com>", "timeout": 5}
    return Email(Email.Settings(**{**plain, **settings}), ManualClock(NOW))


async def delivered(what: Message, **settings: Any) -> EmailMessage:
    """The letter that the server was handed."""
    async with office(PostOffice()) as post:
        await channel(post, **settings).send(what)
    (letter,) = post.letters
    return letter


def part(letter: EmailMessage, kind: str) -> EmailMessage:
    return next(each for each in letter.walk() if each.get_content_type() == kind)


async def test_a_letter_says_the_same_in_text_and_in_html() -> None:
    letter = await delivered(message(ANNA, html=HTML))
    assert letter["Subject"] == SUBJECT
    assert letter["From"] == "Клиника <pbx@example.com>"
    assert letter["To"] == ANNA
    assert letter.get_content_type() == "multipart/alternative"
    assert part(letter, "text/plain").get_content().strip() == TEXT
    page = part(letter, "text/html").get_content()
    assert HTML in page
    assert page.startswith("<!DOCTYPE html>")


async def test_a_letter_without_html_is_plain_text() -> None:
    letter = await delivered(message(ANNA))
    assert (letter.get_content_type(), letter.get_content().strip()) == ("text/plain", TEXT)


async def test_robots_know_that_a_robot_wrote_it_and_repeats_have_one_name() -> None:
    async with office(PostOffice()) as post:
        receipts = [await channel(post).send(message(ANNA)) for _ in range(2)]
    assert {str(letter["Message-ID"]) for letter in post.letters} == {"<d-17@example.com>"}
    assert receipts == [Receipt(reference="<d-17@example.com>")] * 2
    (letter, _) = post.letters
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Date"].datetime == NOW


async def test_charts_stand_inside_the_letter() -> None:
    images = (Image(name="missed.png", png=PNG, alt="Пропущенные"), Image(name="hours.png", png=PNG[:50], alt='"Часы"'))
    letter = await delivered(message(ANNA, html='<p>Сводка</p><img src="cid:hours.png">', images=images))
    page = part(letter, "text/html").get_content()
    pictures = [each for each in letter.walk() if each.get_content_type() == "image/png"]
    assert [each.get_content() for each in pictures] == [PNG, PNG[:50]]
    assert [each.get_content_disposition() for each in pictures] == ["inline", "inline"]
    for picture in pictures:
        assert page.count(f'src="cid:{picture["Content-ID"].strip("<>")}"') == 1
    assert "cid:hours.png" not in page
    assert 'alt="Пропущенные"' in page


async def test_charts_come_with_a_text_that_has_no_html() -> None:
    letter = await delivered(message(ANNA, text="1 < 2\n\nда", images=(Image(name="a.png", png=PNG, alt="x"),)))
    page = part(letter, "text/html").get_content()
    assert "<p>1 &lt; 2</p><p>да</p>" in page
    assert page.count("cid:") == 1


async def test_of_the_buttons_links_travel_by_post() -> None:
    letter = await delivered(message(ANNA, html=HTML, buttons=buttons()))
    lines = part(letter, "text/plain").get_content().split()
    assert lines[-2:] == ["Журнал:", "https://pbx.example/callbacks/17"]
    page = part(letter, "text/html").get_content()
    assert '<a href="https://pbx.example/callbacks/17">Журнал</a>' in page
    assert "Беру" not in page


async def test_a_page_of_the_sites_own_stays_a_page() -> None:
    own = "<html><body bgcolor='red'><p>Да</p></body></html>"
    letter = await delivered(message(ANNA, html=own, images=(Image(name="a.png", png=PNG, alt="x"),)))
    page = part(letter, "text/html").get_content()
    assert page.count("<html") == 1
    assert page.index("cid:") < page.index("</body>")


async def test_a_subject_with_line_ends_adds_no_header() -> None:
    letter = await delivered(message(ANNA, subject="Отчёт\r\nBcc: all@example.com"))
    assert letter["Subject"] == "Отчёт Bcc: all@example.com"
    assert letter["Bcc"] is None


@pytest.mark.parametrize("implicit", [True, False])
async def test_the_login_goes_through_tls(certificates: Path, tls: ssl.SSLContext, implicit: bool) -> None:
    async with office(PostOffice(login=True), tls, implicit=implicit) as post:
        email = channel(
            post,
            security="tls" if implicit else "starttls",
            ca_file=certificates / "own.pem",
            username=USERNAME,
            password=PASSWORD,
        )
        await email.send(message(ANNA))
    assert post.secured == [not implicit] or implicit
    assert len(post.letters) == 1


async def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tls: ssl.SSLContext) -> None:
    async with office(PostOffice(), tls) as post:
        with pytest.raises(Later, match="CERTIFICATE_VERIFY_FAILED"):
            await channel(post, security="starttls").send(message(ANNA))
        assert post.letters == []
        await channel(post, security="starttls", tls_insecure=True).send(message(ANNA))
    assert len(post.letters) == 1


async def test_no_letter_goes_in_the_clear_where_starttls_was_asked_for() -> None:
    async with office(PostOffice()) as post:
        with pytest.raises(Later, match="STARTTLS extension not supported"):
            await channel(post, security="starttls").send(message(ANNA))
    assert post.letters == []


async def test_a_wrong_password_is_refused_and_not_shown() -> None:
    async with office(PostOffice(login=True)) as post:
        with pytest.raises(Refused, match=r"refused the login \(535\); check username and password") as refused:
            await channel(post, username=USERNAME, password="wrong-word-1").send(message(ANNA))
    assert "wrong-word-1" not in repr(refused.value)


@pytest.mark.parametrize(
    ("post", "error"),
    [
        (PostOffice(rcpt="450 4.2.1 Greylisted, come back"), Later),
        (PostOffice(rcpt="452 4.2.2 Mailbox full for now"), Later),
        (PostOffice(rcpt="550 5.1.1 No such user"), Refused),
        (PostOffice(data="451 4.3.0 Out of order"), Later),
        (PostOffice(data="554 5.7.1 Looks like spam"), Refused),
        (PostOffice(data="421 4.3.2 Shutting down"), Later),
    ],
)
async def test_4xx_is_later_and_5xx_is_for_good(post: PostOffice, error: type[Later] | type[Refused]) -> None:
    said = post.rcpt if post.rcpt[:3] != "250" else post.data
    async with office(post):
        with pytest.raises(error, match=f"{said[:3]}: {said[4:]}"):
            await channel(post).send(message(ANNA))


async def test_a_server_that_hangs_up_before_it_says_so_may_have_the_letter() -> None:
    async with odd_office(hang_up_after_data) as port:
        with pytest.raises(Later):
            await channel(port).send(message(ANNA))


async def test_what_is_no_mail_server_is_later() -> None:
    async with odd_office(say_garbage) as port:
        with pytest.raises(Later):
            await channel(port).send(message(ANNA))


async def test_a_letter_that_was_taken_is_delivered_whatever_becomes_of_the_goodbye() -> None:
    async def rude(reader: Any, writer: Any) -> None:
        writer.write(b"220 post.example\r\n")
        while line := await reader.readline():
            if line[:4] == b"QUIT":
                return
            if line[:4] == b"DATA":
                writer.write(b"354 Go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
            writer.write(b"250 OK\r\n")

    async with odd_office(rude) as port:
        assert await channel(port).send(message(ANNA)) == Receipt(reference="<d-17@example.com>")


@pytest.mark.parametrize(
    "to",
    [
        "",
        "anna",
        "@example.com",
        "anna@",
        "a b@example.com",
        "anna@example.com, b@example.com",
        "An\x00na <anna@example.com>",
        "a@b\r\nRCPT TO:<x@y>",
    ],
)
async def test_what_is_no_address_is_refused(to: str) -> None:
    async with office(PostOffice()) as post:
        with pytest.raises(Refused, match="the address must be an e-mail address"):
            await channel(post).send(message(to))
    assert post.letters == []


async def test_a_cyrillic_host_is_written_as_the_net_knows_it() -> None:
    async with office(PostOffice()) as post:
        await channel(post).send(message("Анна <anna@клиника.рф>"))
    assert post.envelopes[0].rcpt_tos == ["anna@xn--80apagcdp.xn--p1ai"]
    assert post.letters[0]["To"] == "Анна <anna@xn--80apagcdp.xn--p1ai>"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sender": "Клиника"}, "must be an e-mail address"),
        ({"username": "x"}, "needs username and password together"),
        ({"security": "ssl"}, "Input should be 'starttls', 'tls' or 'none'"),
        ({"tls_insecure": True}, "set security to tls or starttls"),
        ({"security": "tls", "ca_file": "/nowhere.pem"}, "must be a file of certificates: No such file"),
        ({"hots": "x"}, "Extra inputs are not permitted"),
    ],
)
def test_a_setting_that_is_wrong_is_named(wrong: dict[str, Any], said: str) -> None:
    good = {"host": "localhost", "sender": "pbx@example.com", "security": "none"}
    with pytest.raises(ValidationError, match=said):
        Email.Settings(**{**good, **wrong})


def test_the_password_comes_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "word"
    path.write_text("from-a-file\n", "utf-8")
    settings = Email.Settings(host="localhost", sender="a@b.c", username="u", password_file=path)
    assert settings.password is not None
    assert settings.password.get_secret_value() == "from-a-file"
