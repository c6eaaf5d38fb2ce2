"""The tables. Every key is a natural one that begins with the node; times are UTC; durations are seconds."""

from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.kpi import COUNTS, LOAD, PACKED
from pbxmonitor.store.types import TABLE_OPTIONS, UtcDateTime, Word, bytes_type, text_type

METADATA: Final = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)
# Asterisk's own limits: AST_MAX_UNIQUEID 150, AST_MAX_EXTENSION 80, AST_CHANNEL_NAME 80; a node is ours (32).
NODE, CALL, NAME, STATE, KEY = 32, 160, 80, 24, 400


def _table(name: str, *parts: sa.schema.SchemaItem) -> sa.Table:
    table: sa.Table = sa.Table(name, METADATA, *parts, **TABLE_OPTIONS)
    return table


def _key(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, Word(length), primary_key=True)


def _state(name: str, *, null: bool = False, key: bool = False) -> sa.Column[str]:
    """A word of ours: it needs no care, which is much of the work of a write."""
    return sa.Column(name, sa.String(STATE), nullable=null, primary_key=key)


def _node() -> sa.Column[str]:
    return sa.Column("node", sa.String(NODE), primary_key=True)


def _word(name: str, length: int, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, Word(length), nullable=null)


def _moment(name: str, *, null: bool = False, key: bool = False) -> sa.Column[Any]:
    return sa.Column(name, UtcDateTime(), nullable=null, primary_key=key)


def _seconds(name: str, *, null: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double(), nullable=null)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _number(name: str, *, null: bool = False, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=null, primary_key=key, autoincrement=False)


def _long_number(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, primary_key=key, autoincrement=False)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, text_type(), nullable=null)


def _of_call() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["node", "call"], ["call.node", "call.key"], ondelete="CASCADE")


node = _table("node", _key("name", NODE))

team = _table("team", _key("name", NAME))

agent = _table(
    "agent",
    _node(),
    _key("agent", NAME),
    _word("name", NAME, null=True),
    sa.Column("team", Word(NAME), sa.ForeignKey("team.name", ondelete="SET NULL"), nullable=True),
)

agent_device = _table("agent_device", _node(), _key("endpoint", NAME), _word("agent", NAME), _flag("online"))

# The journal. `body` is null where the fact changed nothing: then only its key matters, so that it is told once.
fact = _table(
    "fact",
    _node(),
    _long_number("seq", key=True),
    sa.Column("key", sa.String(KEY), nullable=False),
    _moment("at"),
    sa.Column("kind", sa.String(32), nullable=False),
    _text("body", null=True),
    sa.UniqueConstraint("key", "node"),
    sa.Index(None, "node", "at"),
)

# `talk_s` of an open call are the seconds before `connected_at`, its running conversation. `queue` is the first one
# entered, `callback` the debt that its miss belongs to (named by the call that opened it), `source` who told of the
# call (live, queue_log, cel, cdr), `evidence` what judging needs beside the rows, as JSON (store/restore.py).
call = _table(
    "call",
    _node(),
    _key("key", CALL),
    _state("direction"),
    _word("caller", NAME, null=True),
    _word("called", NAME),
    _moment("started_at"),
    _moment("answered_at", null=True),
    _moment("ended_at", null=True),
    _state("disposition"),
    _flag("lost"),
    _state("cause", null=True),
    _state("colour", null=True),
    _seconds("wait_s"),
    _seconds("talk_s"),
    _moment("connected_at", null=True),
    _word("answered_by", NAME, null=True),
    _state("ended_by", null=True),
    _flag("short_hangup"),
    _word("queue", NAME, null=True),
    _word("callback", CALL, null=True),
    _state("source"),
    _text("evidence", null=True),
    sa.Index(None, "started_at"),
    sa.Index(None, "caller", "started_at"),
    sa.Index(None, "colour", "started_at"),
    sa.Index(None, "called", "started_at"),
)

stage = _table(
    "stage",
    _node(),
    _key("call", CALL),
    _number("position", key=True),
    _state("kind"),
    _word("name", 255),
    _moment("entered_at"),
    _moment("left_at", null=True),
    _state("result", null=True),
    _number("available", null=True),
    _number("reachable", null=True),
    _number("idle", null=True),
    _of_call(),
    # In this order: one that begins with the kind would be taken for a better way to a call's stages than their key.
    sa.Index(None, "entered_at", "kind", "name"),
)

offer = _table(
    "offer",
    _node(),
    _key("call", CALL),
    _number("position", key=True),
    _word("agent", NAME),
    _word("queue", NAME, null=True),
    _moment("began_at"),
    _moment("ended_at", null=True),
    _seconds("ring_s", null=True),
    _state("result", null=True),
    _flag("counts"),
    _of_call(),
)

talk = _table(
    "talk",
    _node(),
    _key("call", CALL),
    _number("position", key=True),
    _word("agent", NAME),
    _moment("began_at"),
    _moment("ended_at", null=True),
    _seconds("talk_s", null=True),
    _seconds("hold_s"),
    _state("ended_by", null=True),
    _flag("external"),
    _number("offer", null=True),
    _of_call(),
    sa.Index(None, "agent", "began_at"),
)

transfer = _table(
    "transfer",
    _node(),
    _key("call", CALL),
    _number("position", key=True),
    _state("kind"),
    _word("from_agent", NAME),
    _word("to_agent", NAME),
    _moment("at"),
    _of_call(),
)

# One row per agent and call: exactly one column of the agent report. Milliseconds, so that sums are exact: `pickup_ms`
# of the first ring that he answered, `talk_ms` of all that he talked in it.
verdict = _table(
    "verdict",
    _node(),
    _key("call", CALL),
    _key("agent", NAME),
    _state("verdict"),
    _number("short_hangups"),
    _moment("started_at"),
    _number("pickup_ms", null=True),
    _number("talk_ms"),
    _number("caller_hangups"),
    _of_call(),
    sa.Index(None, "agent", "started_at"),
)

agent_interval = _table(
    "agent_interval",
    _node(),
    _key("agent", NAME),
    _state("track", key=True),
    _moment("began_at", key=True),
    _moment("ended_at", null=True),
    _state("state"),
    _word("reason", 255, null=True),
    _word("note", 255, null=True),
    _text("queues"),
    _flag("partial"),
    _state("source"),
    sa.Index(None, "began_at"),
    sa.Index(None, "ended_at"),
)

# Named by the call that opened it: one call opens at most one. `tried_at` is the first attempt that counts. `step` is
# how many steps of the escalation chain have been taken, `next_at` when somebody must look at it again (null: never).
callback = _table(
    "callback",
    _node(),
    _key("call", CALL),
    _word("number", NAME),
    _word("line", NAME),
    _state("state"),
    _text("missed_calls"),
    _number("priority"),
    _word("owner", NAME, null=True),
    _moment("opened_at"),
    _moment("due_at"),
    _word("closed_by_call", CALL, null=True),
    _moment("closed_at", null=True),
    _word("rescuer", NAME, null=True),
    _moment("tried_at", null=True),
    sa.Column("step", sa.Integer(), nullable=False, server_default="0"),
    _moment("next_at", null=True),
    _moment("snoozed_until", null=True),
    _word("taken_by", NAME, null=True),
    _moment("taken_at", null=True),
    _word("dismissed_by", NAME, null=True),
    _word("reason", 400, null=True),
    sa.Index(None, "number", "closed_at"),
    sa.Index(None, "opened_at"),
    sa.Index(None, "state", "due_at"),
    sa.Index(None, "next_at"),
    sa.Index(None, "owner", "closed_at"),
)

callback_attempt = _table(
    "callback_attempt",
    _node(),
    _key("callback", CALL),
    _number("position", key=True),
    _word("agent", NAME),
    _word("call", CALL),
    _moment("at"),
    _seconds("rang_s"),
    _seconds("talk_s"),
    _state("result"),
    sa.Column("voicemail", sa.Boolean(), nullable=False, server_default=sa.false()),
    sa.Index(None, "at"),
    sa.ForeignKeyConstraint(["node", "callback"], ["callback.node", "callback.call"], ondelete="CASCADE"),
)

# Which days of a node (in the site's zone) are rolled up in the tables below, and still true: `token` changes with
# every write that touches the day, so that a roll-up made meanwhile does not hide it. `rules` are those that the last
# three were counted by (store/call_days.py); before there were these, none.
rollup = _table(
    "rollup",
    _node(),
    sa.Column("day", sa.Date(), primary_key=True),
    _flag("fresh"),
    sa.Column("token", sa.String(40), nullable=False),
    sa.Column("zone", sa.String(64), nullable=False),
    sa.Column("rules", sa.String(24), nullable=False, server_default=""),
)

# One agent's sums of one day (domain/kpi.py): a column for each count, the packed ones as JSON.
agent_day = _table(
    "agent_day",
    _node(),
    _key("agent", NAME),
    sa.Column("day", sa.Date(), primary_key=True),
    *(_long_number(name) for name in COUNTS),
    *(_text(name) for name in PACKED),
    sa.Index(None, "day"),
)

# Inbound calls of one hour of the day, by line and first queue ("" for none).
call_hour = _table(
    "call_hour",
    _node(),
    sa.Column("day", sa.Date(), primary_key=True),
    _number("hour", key=True),
    _key("line", NAME),
    _key("queue", NAME),
    *(_long_number(name) for name in LOAD),
)

# The calls that began on one day, packed as JSON (store/call_days.py): their journeys, each at its first visit of a
# queue, the agents whose phones queues rang. `until` is the last day that any of it happened on.
journey_day = _table(
    "journey_day",
    _node(),
    sa.Column("day", sa.Date(), primary_key=True),
    sa.Column("until", sa.Date(), nullable=False),
    _text("journeys"),
    _text("calls"),
    _text("served"),
)

# Visits of one queue by the hour of entering, of the calls that began on `day`; their counts in turn, as JSON.
visit_hour = _table(
    "visit_hour",
    _node(),
    sa.Column("day", sa.Date(), primary_key=True),
    sa.Column("entered", sa.Date(), primary_key=True),
    _number("hour", key=True),
    _key("queue", 255),
    _text("counts"),
)

# Inbound calls of one day by the beginning of the caller's number ("" for none).
caller_day = _table(
    "caller_day",
    _node(),
    sa.Column("day", sa.Date(), primary_key=True),
    _key("prefix", 9),
    *(_long_number(name) for name in ("calls", "answered", "lost", "short_abandons")),
)

# One thing owed to the outer world through one channel (store/outbox.py); `details` is JSON.
delivery = _table(
    "delivery",
    _key("id", NAME),
    _word("channel", STATE),
    _word("recipient", NAME, null=True),
    _word("template", STATE),
    _text("details"),
    _word("node", NODE, null=True),
    _word("callback", CALL, null=True),
    _state("state"),
    _moment("created_at"),
    _moment("due_at"),
    _moment("expires_at", null=True),
    _number("attempts"),
    _word("claim", STATE, null=True),
    _moment("claimed_until", null=True),
    _moment("ended_at", null=True),
    _word("error", 400, null=True),
    _word("reference", 255, null=True),
    sa.Index(None, "state", "due_at"),
    sa.Index(None, "state", "expires_at"),
    sa.Index(None, "node", "callback"),
    sa.Index(None, "recipient", "created_at"),
)

# What a channel or a CRM must not forget: tokens after a refresh, what was made of what.
memory = _table("memory", _key("owner", NAME), _key("name", 255), _text("content"))

# One trouble that a rule saw, from its beginning to its end; `subject` is whom or what it is about, `details` JSON.
alert = _table(
    "alert",
    _key("id", NAME),
    _word("rule", NAME),
    _word("kind", STATE),
    _word("node", NODE),
    _word("subject", NAME),
    _state("state"),
    _moment("began_at"),
    _moment("ended_at", null=True),
    _moment("told_at", null=True),
    _number("reminders"),
    _text("details"),
    sa.Index(None, "state"),
    sa.Index(None, "began_at"),
    sa.Index(None, "rule", "subject", "began_at"),
)

# A summary that was written, or found to have nothing to say: once for each kind, person and period.
digest = _table(
    "digest",
    _state("kind", key=True),
    _key("person", NAME),
    sa.Column("begin", sa.Date(), primary_key=True),
    _moment("made_at"),
    _word("delivery", NAME, null=True),
)

# Who a person is on a channel where people present themselves; `account` is the channel's name for the person.
link = _table(
    "link",
    _key("channel", STATE),
    _key("person", NAME),
    _word("address", NAME),
    _word("account", NAME),
    _moment("linked_at"),
    sa.Index(None, "channel", "account"),
)

# A one-time code that makes such a link, kept as its SHA-256.
link_code = _table(
    "link_code",
    _key("digest", 64),
    _word("channel", STATE),
    _word("person", NAME),
    _moment("expires_at"),
    _moment("used_at", null=True),
)

# Numbers that never open a callback, beside those of the settings file.
number_rule = _table(
    "number_rule",
    _key("number", NAME),
    _word("kind", STATE),
    _word("note", 255, null=True),
    _word("by", NAME),
    _moment("at"),
)

# A call that a person asked the PBX to make; `id` is the channel's uniqueid, and so the call's key.
dialled = _table(
    "dialled",
    _key("id", NAME),
    _word("person", NAME),
    _word("node", NODE),
    _word("number", NAME),
    _word("callback", CALL, null=True),
    _moment("at"),
    _moment("ended_at", null=True),
    _word("error", 255, null=True),
    sa.Index(None, "person", "at"),
    sa.Index(None, "at"),
)

# Who did what by hand, for ever; `subject` is what it was done to (a callback by its call), `details` JSON.
audit = _table(
    "audit",
    _key("id", NAME),
    _moment("at"),
    _word("who", NAME),
    _word("action", STATE),
    _word("node", NODE, null=True),
    _word("subject", CALL, null=True),
    _text("details"),
    sa.Index(None, "at"),
    sa.Index(None, "node", "subject"),
)

# When nobody listened. `repaired_at`: what the PBX keeps itself was read for it, and `calls` were taken in from there.
gap = _table(
    "gap",
    _node(),
    _moment("lost_at", key=True),
    _moment("restored_at", null=True),
    _word("reason", 255),
    _moment("repaired_at", null=True),
    _number("calls", null=True),
)

# `names` grows whenever agents of the node get other names: whoever writes for it must learn them first.
lease = _table(
    "lease",
    _node(),
    _word("holder", 255),
    _long_number("fence"),
    _moment("until"),
    sa.Column("names", sa.Integer(), nullable=False, server_default="0", autoincrement=False),
)

# A name by which facts may still tell of who is known as `agent` now; `finished_at` is null while rows follow.
alias = _table(
    "alias",
    _node(),
    _key("name", NAME),
    _word("agent", NAME),
    _word("by", NAME),
    _moment("at"),
    _moment("finished_at", null=True),
)

# The floor as it was after `seq`: zlib over its JSON form (store/form.py).
checkpoint = _table("checkpoint", _node(), _long_number("seq"), sa.Column("floor", bytes_type(), nullable=False))

# Who may look at the pages; `person` is who it is among the people of the settings. No `password`: not set up yet, by
# the one-time link whose SHA-256 is `setup_digest`. `totp_step` is the last time step whose code was taken: each is
# good once; `totp_offered` is a secret that its owner has not confirmed yet. `teams` are those that an identity
# provider says it leads, a line each.
user_account = _table(
    "user_account",
    _key("name", NAME),
    _word("role", STATE),
    _word("person", NAME, null=True),
    _word("language", STATE),
    _flag("whole_numbers"),
    _flag("disabled"),
    _moment("created_at"),
    _word("password", 255, null=True),
    _word("totp_secret", 64, null=True),
    _word("totp_offered", 64, null=True),
    _long_number("totp_step"),
    _word("teams", 400, null=True),
    _word("setup_digest", 64, null=True),
    _moment("setup_until", null=True),
    sa.Index(None, "setup_digest"),
)

# Who is logged in: the SHA-256 of what the browser holds, since when, last seen when, and no longer than until when.
session = _table(
    "session",
    _key("digest", 64),
    sa.Column("account", Word(NAME), sa.ForeignKey("user_account.name", ondelete="CASCADE"), nullable=False),
    _moment("began_at"),
    _moment("seen_at"),
    _moment("until"),
    _word("address", NAME),
    _word("device", 255),
    sa.Index(None, "account"),
)

# Whom an identity provider means: its subject is the account's owner, whatever he is called there now.
identity = _table(
    "identity",
    _key("issuer", 255),
    _key("subject", 255),
    sa.Column("account", Word(NAME), sa.ForeignKey("user_account.name", ondelete="CASCADE"), nullable=False),
    _moment("linked_at"),
    _moment("seen_at"),
    sa.Index(None, "account"),
)

# The ID token by which a session began: the provider wants to see it when its bearer logs out there, too.
session_proof = _table(
    "session_proof",
    sa.Column("session", Word(64), sa.ForeignKey("session.digest", ondelete="CASCADE"), primary_key=True),
    _text("id_token"),
)

# What programs present instead of a session; `scopes` are words of read, act, hooks; `until` null is for ever.
api_token = _table(
    "api_token",
    _key("id", STATE),
    sa.Column("account", Word(NAME), sa.ForeignKey("user_account.name", ondelete="CASCADE"), nullable=False),
    _word("digest", 64),
    _word("name", NAME),
    _word("scopes", NAME),
    _moment("made_at"),
    _moment("until", null=True),
    _moment("used_at", null=True),
    sa.Index(None, "account"),
    sa.UniqueConstraint("digest"),
)

# What people set in the dashboard; `value` is JSON as the file would have it, `revision` the version that it came with.
setting = _table(
    "setting",
    _state("section", key=True),
    _key("key", NAME),
    _text("value"),
    _long_number("revision"),
    _moment("changed_at"),
    _word("changed_by", NAME),
)

# One row: how often the settings were changed here. Whoever changes them locks it; the others see that it has grown.
setting_version = _table("setting_version", _state("name", key=True), _long_number("version"))

# A program that is told of what happens; `events` and `queues` are JSON lists, `secret` is what its messages are signed
# with. `failing_since` and `failures` since it last took one; `stopped` says why we disabled it, null: a person did.
webhook = _table(
    "webhook",
    _key("id", STATE),
    _word("name", NAME),
    _text("url"),
    _text("events"),
    _text("queues"),
    _word("secret", NAME),
    _flag("enabled"),
    _word("made_by", NAME),
    _moment("made_at"),
    _moment("delivered_at", null=True),
    _moment("failing_since", null=True),
    _number("failures"),
    _word("error", 400, null=True),
    _state("stopped", null=True),
)
