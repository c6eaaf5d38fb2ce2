"""Names at the edge: numbers in all their spellings, devices, trunks, dial strings, people."""

import pytest

from pbxmonitor.domain.facts import Target
from pbxmonitor.pbx.asterisk.naming import Site, device_name, endpoint_of, number_in

SITE = Site(node="main")
CLIENT = "+79161234501"


@pytest.mark.parametrize(
    "raw",
    [
        "+79161234501",
        "89161234501",
        "79161234501",
        "9161234501",
        "8 (916) 123-45-01",
        "+7 916 123 45 01",
        "8-916-123-45-01",
        "sip:+79161234501@provider.example",
        "sip:89161234501@10.0.0.1",
        " 89161234501 ",
    ],
)
def test_a_number_is_the_same_in_every_format(raw: str) -> None:
    assert SITE.number(raw) == CLIENT


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("84951234567", "+74951234567"),
        ("88005553535", "+78005553535"),
        ("+4930901820", "+4930901820"),
        ("+375291234567", "+375291234567"),
        ("101", "101"),
        ("1001", "1001"),
        ("112", "112"),
        ("*78", "*78"),
        ("office", "office"),
    ],
)
def test_other_numbers_are_what_they_are(raw: str, number: str) -> None:
    assert SITE.number(raw) == number


def test_the_region_tells_how_a_local_number_is_read() -> None:
    assert Site(node="berlin", region="DE").number("030 901820") == "+4930901820"
    assert Site(node="minsk", region="BY").number("80291234567") == "+375291234567"


@pytest.mark.parametrize(
    "raw",
    ["", " ", "anonymous", "Anonymous", "unknown", "<unknown>", "restricted", "RESTRICTED", "private", "unavailable"],
)
def test_a_withheld_number_is_none(raw: str) -> None:
    assert SITE.number(raw) is None


def test_a_withheld_number_in_a_sip_address_is_none_too() -> None:
    assert SITE.number("sip:anonymous@anonymous.invalid") is None


@pytest.mark.parametrize(
    ("interface", "agent"),
    [
        ("PJSIP/101", "101"),
        ("SIP/101", "101"),
        ("PJSIP/101-0000002a", "101"),
        ("Local/104@from-queue/n", "104"),
        ("Local/104@from-queue-00000003;2", "104"),
        ("hint:104@ext-local", "104"),
        ("IAX2/205", "205"),
        ("PJSIP/trunk", None),
        ("PJSIP/89161234501", None),
        ("PJSIP/anna", None),
    ],
)
def test_an_agent_is_named_by_extension(interface: str, agent: str | None) -> None:
    assert SITE.agent(interface) == agent


def test_a_member_is_always_somebody() -> None:
    assert SITE.member("PJSIP/anna") == "anna"
    assert SITE.member("Local/104@from-queue/n") == "104"


def test_settings_map_devices_and_extensions_to_people() -> None:
    site = Site(node="main", people={"PJSIP/101": "anna", "201": "anna", "PJSIP/web-7": "boris", CLIENT: "anna"})
    assert [site.agent(each) for each in ("PJSIP/101", "PJSIP/101-0000002a", "SIP/201", "PJSIP/web-7")] == [
        "anna",
        "anna",
        "anna",
        "boris",
    ]
    assert site.agent("Local/201@from-queue/n") == "anna"
    assert site.person(site.number("89161234501")) == "anna"
    assert site.person(site.number("89160000000")) is None
    assert site.person(site.number("anonymous")) is None
    assert site.number(CLIENT) == CLIENT


@pytest.mark.parametrize(
    "context", ["from-trunk", "from-trunk-mts", "from-pstn", "from-pstn-e164-us", "from-did-direct"]
)
def test_a_trunk_is_told_by_the_context_its_channels_start_in(context: str) -> None:
    assert SITE.is_trunk("PJSIP/mts", context)


def test_a_trunk_is_told_by_settings() -> None:
    site = Site(node="main", trunks=frozenset({"SIP/gateway"}))
    assert site.is_trunk("SIP/gateway", "default")
    assert not site.is_trunk("SIP/101", "from-internal")


def test_a_local_channel_is_never_a_trunk() -> None:
    assert not SITE.is_trunk("Local/79161234501@from-trunk", "from-trunk")


@pytest.mark.parametrize(
    ("dialled", "targets"),
    [
        ("PJSIP/101", [("101", None)]),
        ("PJSIP/101&PJSIP/102", [("101", None), ("102", None)]),
        ("Local/101@from-internal/n", [("101", None)]),
        ("Local/FMPR-101@from-internal&Local/FMGL-101#@from-internal", [("101", None), ("101", None)]),
        ("Local/LC-101@from-internal&Local/RG-600*-+79161234501#@from-internal", [("101", None), (None, CLIENT)]),
        ("Local/RG-600-89161234501#@from-internal", [(None, CLIENT)]),
        ("Local/+79161234501@from-internal/n", [(None, CLIENT)]),
        ("Local/s@app-announcement", [(None, None)]),
        ("PJSIP/+79161234501@trunk", [(None, CLIENT)]),
        ("PJSIP/89161234501@trunk", [(None, CLIENT)]),
        ("SIP/trunk/89161234501", [(None, CLIENT)]),
        ("PJSIP/trunk/sip:+79161234501@host", [(None, CLIENT)]),
        ("PJSIP/101&PJSIP/89161234501@trunk", [("101", None), (None, CLIENT)]),
        ("", []),
    ],
)
def test_a_dial_string_names_its_targets(dialled: str, targets: list[tuple[str | None, str | None]]) -> None:
    assert SITE.targets(dialled) == tuple(Target(agent=agent, number=number) for agent, number in targets)


def test_a_dial_to_one_contact_of_a_phone_names_its_agent() -> None:
    """FreePBX dials what PJSIP_DIAL_CONTACTS gives."""
    contacts = "PJSIP/101/sip:101@10.0.0.5:5060&PJSIP/101/sip:101@10.0.0.6:5060;transport=ws"
    assert SITE.targets(contacts) == (Target(agent="101"), Target(agent="101"))


def test_the_outside_number_of_a_dial_string() -> None:
    assert number_in("PJSIP/+79161234501@trunk") == CLIENT
    assert number_in("+79161234501@trunk") == CLIENT
    assert number_in("PJSIP/101") is None
    assert number_in("101") is None


def test_the_outside_number_of_a_chan_sip_dial_string_without_its_technology() -> None:
    assert number_in("trunk/89161234501") == "89161234501"


@pytest.mark.parametrize(
    ("channel", "agent"),
    [
        ("Local/FMPR-101@from-internal-00000003;1", "101"),
        ("Local/FMGL-101#@from-internal-00000003;2", "101"),
        ("Local/LC-101@from-internal-00000003;1", "101"),
        ("Local/RG-101*-+79161234501#@from-internal-00000003;1", None),
        ("Local/+79161234501@from-internal-00000003;1", None),
        ("PJSIP/FMPR-101-0000002a", None),
    ],
)
def test_freepbx_names_local_channels_after_a_person_or_a_number(channel: str, agent: str | None) -> None:
    assert SITE.agent(channel) == agent


def test_a_channels_end_is_no_part_of_its_name() -> None:
    assert endpoint_of("PJSIP/101-0000002a") == "PJSIP/101"
    assert endpoint_of("Local/104@from-queue-00000003;2") == "Local/104@from-queue"
    assert endpoint_of("PJSIP/sales-desk-0000002a") == "PJSIP/sales-desk"
    assert device_name("PJSIP/sales-desk-0000002a") == "sales-desk"
