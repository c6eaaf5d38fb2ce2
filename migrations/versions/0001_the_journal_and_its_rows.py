"""The journal, and the rows that calls, agents and callbacks leave."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from pbxmonitor.store.types import TABLE_OPTIONS, UtcDateTime, bytes_type, text_type

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NODE, CALL, NAME, STATE, KEY = 32, 160, 80, 24, 400


def _string(name: str, length: int, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=null)


def _moment(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, UtcDateTime(), nullable=null)


def _seconds(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Double(), nullable=null)


def _flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _number(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=null, autoincrement=False)


def _long_number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=False, autoincrement=False)


def _text(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, text_type(), nullable=null)


def _table(name: str, key: tuple[str, ...], *parts: Any) -> None:
    op.create_table(name, *parts, sa.PrimaryKeyConstraint(*key, name=f"pk_{name}"), **TABLE_OPTIONS)


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


def _part(name: str, *columns: Any, last: str = "position") -> None:
    """A table below `call`."""
    _table(
        name,
        ("node", "call", last),
        _string("node", NODE),
        _string("call", CALL),
        *columns,
        sa.ForeignKeyConstraint(
            ["node", "call"], ["call.node", "call.key"], name=f"fk_{name}_call", ondelete="CASCADE"
        ),
    )


def upgrade() -> None:
    _people()
    _journal()
    _calls()
    _call_parts()
    _agent_intervals()
    _callbacks()
    _upkeep()


def _people() -> None:
    _table("node", ("name",), _string("name", NODE))
    _table("team", ("name",), _string("name", NAME))
    _table(
        "agent",
        ("node", "agent"),
        _string("node", NODE),
        _string("agent", NAME),
        _string("name", NAME, null=True),
        _string("team", NAME, null=True),
        sa.ForeignKeyConstraint(["team"], ["team.name"], name="fk_agent_team", ondelete="SET NULL"),
    )
    _table(
        "agent_device",
        ("node", "endpoint"),
        _string("node", NODE),
        _string("endpoint", NAME),
        _string("agent", NAME),
        _flag("online"),
    )


def _journal() -> None:
    _table(
        "fact",
        ("node", "seq"),
        _string("node", NODE),
        _long_number("seq"),
        _string("key", KEY),
        _moment("at"),
        _string("kind", 32),
        _text("body", null=True),
        sa.UniqueConstraint("key", "node", name="uq_fact_key_node"),
    )
    _index("fact", "node", "at")


def _calls() -> None:
    _table(
        "call",
        ("node", "key"),
        _string("node", NODE),
        _string("key", CALL),
        _string("direction", STATE),
        _string("caller", NAME, null=True),
        _string("called", NAME),
        _moment("started_at"),
        _moment("answered_at", null=True),
        _moment("ended_at", null=True),
        _string("disposition", STATE),
        _flag("lost"),
        _string("cause", STATE, null=True),
        _string("colour", STATE, null=True),
        _seconds("wait_s"),
        _seconds("talk_s"),
        _moment("connected_at", null=True),
        _string("answered_by", NAME, null=True),
        _string("ended_by", STATE, null=True),
        _flag("short_hangup"),
    )
    _index("call", "started_at")
    _index("call", "caller", "started_at")
    _index("call", "called", "started_at")


def _call_parts() -> None:
    _part(
        "stage",
        _number("position"),
        _string("kind", STATE),
        _string("name", 255),
        _moment("entered_at"),
        _moment("left_at", null=True),
        _string("result", STATE, null=True),
        _number("available", null=True),
        _number("reachable", null=True),
    )
    _part(
        "offer",
        _number("position"),
        _string("agent", NAME),
        _string("queue", NAME, null=True),
        _moment("began_at"),
        _moment("ended_at", null=True),
        _seconds("ring_s", null=True),
        _string("result", STATE, null=True),
        _flag("counts"),
    )
    _part(
        "talk",
        _number("position"),
        _string("agent", NAME),
        _moment("began_at"),
        _moment("ended_at", null=True),
        _seconds("talk_s", null=True),
        _seconds("hold_s"),
        _string("ended_by", STATE, null=True),
        _flag("external"),
    )
    _part(
        "transfer",
        _number("position"),
        _string("kind", STATE),
        _string("from_agent", NAME),
        _string("to_agent", NAME),
        _moment("at"),
    )
    _part("verdict", _string("agent", NAME), _string("verdict", STATE), _number("short_hangups"), last="agent")


def _agent_intervals() -> None:
    _table(
        "agent_interval",
        ("node", "agent", "track", "began_at"),
        _string("node", NODE),
        _string("agent", NAME),
        _string("track", STATE),
        _moment("began_at"),
        _moment("ended_at", null=True),
        _string("state", STATE),
        _string("reason", 255, null=True),
        _string("note", 255, null=True),
        _text("queues"),
    )
    _index("agent_interval", "began_at")
    _index("agent_interval", "ended_at")


def _callbacks() -> None:
    _table(
        "callback",
        ("node", "call"),
        _string("node", NODE),
        _string("call", CALL),
        _string("number", NAME),
        _string("line", NAME),
        _string("state", STATE),
        _text("missed_calls"),
        _number("priority"),
        _string("owner", NAME, null=True),
        _moment("opened_at"),
        _moment("due_at"),
        _string("closed_by_call", CALL, null=True),
        _moment("closed_at", null=True),
        _string("rescuer", NAME, null=True),
    )
    _index("callback", "number", "closed_at")
    _index("callback", "opened_at")
    _index("callback", "state", "due_at")
    _table(
        "callback_attempt",
        ("node", "callback", "position"),
        _string("node", NODE),
        _string("callback", CALL),
        _number("position"),
        _string("agent", NAME),
        _string("call", CALL),
        _moment("at"),
        _seconds("rang_s"),
        _seconds("talk_s"),
        _string("result", STATE),
        sa.ForeignKeyConstraint(
            ["node", "callback"],
            ["callback.node", "callback.call"],
            name="fk_callback_attempt_callback",
            ondelete="CASCADE",
        ),
    )


def _upkeep() -> None:
    _table(
        "gap",
        ("node", "lost_at"),
        _string("node", NODE),
        _moment("lost_at"),
        _moment("restored_at", null=True),
        _string("reason", 255),
    )
    _table(
        "lease",
        ("node",),
        _string("node", NODE),
        _string("holder", 255),
        _long_number("fence"),
        _moment("until"),
    )
    _table(
        "checkpoint",
        ("node",),
        _string("node", NODE),
        _long_number("seq"),
        sa.Column("floor", bytes_type(), nullable=False),
    )


TABLES = (
    *("checkpoint", "lease", "gap", "callback_attempt", "callback", "agent_interval"),
    *("verdict", "transfer", "talk", "offer", "stage", "call", "fact", "agent_device", "agent", "team", "node"),
)


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
