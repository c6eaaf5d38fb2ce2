"""Settings into an AsteriskNode: whose devices, which trunks, how to log in."""

from functools import partial

from pbxmonitor.clock import Clock
from pbxmonitor.domain.policy import Policy
from pbxmonitor.pbx.asterisk.ami import Ami, AmiLogin
from pbxmonitor.pbx.asterisk.ari_events import AriEvents
from pbxmonitor.pbx.asterisk.ari_rest import AriLogin
from pbxmonitor.pbx.asterisk.naming import Site, canonical
from pbxmonitor.pbx.asterisk.node import AsteriskNode
from pbxmonitor.settings import AriSettings, PbxSettings, Settings
from pbxmonitor.settings_domain import canonical_numbers, to_policy


def asterisk_node(settings: Settings, pbx: PbxSettings, clock: Clock) -> AsteriskNode:
    """The node that those settings describe, not yet connected."""
    return AsteriskNode(
        site=site_of(settings, pbx.node),
        ami=Ami(ami_login(pbx), clock),
        ari=AriEvents(ari_login(pbx.ari), clock) if pbx.ari is not None else None,
        clock=clock,
        resync_every=pbx.resync_every.total_seconds(),
    )


def policy_of(settings: Settings) -> Policy:
    """The policy with its numbers made canonical."""
    return to_policy(settings, partial(_canonical, region=settings.region))


def blocked_numbers(settings: Settings) -> frozenset[str]:
    """The numbers that nobody calls."""
    return canonical_numbers(settings.numbers.blocked, partial(_canonical, region=settings.region))


def _canonical(number: str, region: str) -> str | None:
    return canonical(number, region) or None


def site_of(settings: Settings, node: str) -> Site:
    """The names of that node, or of a node that the settings do not know."""
    pbx = settings.pbx.get(node)
    people = {device: person for person, entry in settings.people.items() for device in entry.devices}
    for person, entry in settings.people.items():
        people |= {canonical(number, settings.region): person for number in entry.mobiles}
    site = Site(node=node, region=settings.region, people=people)
    if pbx is None:
        return site
    contexts = site.trunk_contexts + pbx.trunk_contexts
    return Site(
        node=node,
        region=settings.region,
        people=people,
        trunks=frozenset(pbx.trunks),
        trunk_contexts=contexts,
    )


def ami_login(pbx: PbxSettings) -> AmiLogin:
    """How to log in to that manager interface of the PBX."""
    ami = pbx.ami
    return AmiLogin(
        node=pbx.node,
        host=ami.host,
        port=ami.port,
        username=ami.username,
        secret=ami.secret,
        tls=ami.tls,
        ca_file=ami.ca_file,
        tls_insecure=ami.tls_insecure,
        watchdog=ami.watchdog.total_seconds(),
    )


def ari_login(ari: AriSettings) -> AriLogin:
    """How to log in to that REST interface."""
    return AriLogin(base_url=ari.url, username=ari.username, password=ari.password.get_secret_value(), app=ari.app)
