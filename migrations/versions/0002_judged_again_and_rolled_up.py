"""What judging again needs, what reports read at once, and the sums of each day."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from pbxmonitor.store.types import TABLE_OPTIONS, UtcDateTime, text_type

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NODE, CALL, NAME, STATE = 32, 160, 80, 24
COUNTS = (
    *("answered", "missed", "answered_elsewhere", "refused", "not_counted", "short_hangups", "caller_hangups"),
    *("picked", "pickup_ms", "talk_ms", "lost", "called_back", "returned", "dismissed", "uncallable", "forgotten"),
    *("outbound", "outbound_answered", "outbound_ms", "owned", "in_norm", "called", "reached", "fakes"),
    *("ready_ms", "ringing_ms", "talking_ms", "hold_ms", "wrapup_ms"),
)
PACKED = ("pickups", "delays", "spent")
LOAD = ("calls", "answered", "lost", "short_abandons", "wait_ms")
INDEXES = (
    ("call", "colour", "started_at"),
    ("verdict", "agent", "started_at"),
    ("callback_attempt", "at"),
    ("talk", "agent", "began_at"),
    ("stage", "entered_at", "kind", "name"),
)


def _word(name: str, length: int, *, null: bool = False, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=null, server_default=default)


def _number(name: str, *, null: bool = False, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=null, server_default=default, autoincrement=False)


def _moment(name: str, *, null: bool = False, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, UtcDateTime(), nullable=null, server_default=default)


def _new() -> dict[str, tuple[sa.Column[Any], ...]]:
    return {
        "call": (
            _word("queue", NAME, null=True),
            _word("callback", CALL, null=True),
            _word("source", STATE, default="live"),
            sa.Column("evidence", text_type(), nullable=True),
        ),
        "stage": (_number("idle", null=True),),
        "talk": (_number("offer", null=True),),
        "verdict": (
            _moment("started_at", default="1970-01-01 00:00:00"),
            _number("pickup_ms", null=True),
            _number("talk_ms", default="0"),
            _number("caller_hangups", default="0"),
        ),
        "agent_interval": (
            sa.Column("partial", sa.Boolean(), nullable=False, server_default=sa.false()),
            _word("source", STATE, default="live"),
        ),
        "callback": (_moment("tried_at", null=True),),
    }


def upgrade() -> None:
    for table, columns in _new().items():
        for column in columns:
            op.add_column(table, column)
    _fill()
    for table, *columns in INDEXES:
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns)
    _day_tables()


def _fill() -> None:
    """What the rows that are there already tell of the new columns; who was dumped by an agent they do not."""
    call, verdict, offer, talk, stage, callback, attempt = (
        sa.table(name, *(sa.column(each) for each in columns.split()))
        for name, columns in {
            "call": "node key started_at queue evidence disposition ended_by answered_at callback",
            "verdict": "node call agent started_at pickup_ms talk_ms",
            "offer": "node call position agent ring_s result counts",
            "talk": "node call agent talk_s external",
            "stage": "node call position kind name",
            "callback": "node call tried_at",
            "callback_attempt": "node callback at result",
        }.items()
    )
    began = sa.select(call.c.started_at).where(call.c.node == verdict.c.node, call.c.key == verdict.c.call)
    of_offer = (offer.c.node == verdict.c.node, offer.c.call == verdict.c.call, offer.c.agent == verdict.c.agent)
    of_talk = (talk.c.node == verdict.c.node, talk.c.call == verdict.c.call, talk.c.agent == verdict.c.agent)
    rang = sa.select(_ms(offer.c.ring_s)).where(*of_offer, offer.c.result == "answered", offer.c.counts == sa.true())
    talked = sa.select(sa.func.coalesce(_ms(sa.func.sum(talk.c.talk_s)), 0)).where(
        *of_talk, talk.c.external == sa.false()
    )
    queue = sa.select(stage.c.name).where(
        stage.c.node == call.c.node, stage.c.call == call.c.key, stage.c.kind == "queue"
    )
    tried = sa.select(sa.func.min(attempt.c.at)).where(
        attempt.c.node == callback.c.node, attempt.c.callback == callback.c.call, attempt.c.result != "too_short"
    )
    left = sa.or_(call.c.disposition == "abandoned", sa.and_(call.c.answered_at.is_(None), call.c.ended_by == "caller"))
    for statement in (
        sa.update(verdict).values(
            started_at=began.scalar_subquery(),
            pickup_ms=rang.order_by(offer.c.position).limit(1).scalar_subquery(),
            talk_ms=talked.scalar_subquery(),
        ),
        sa.update(call).values(queue=queue.order_by(stage.c.position).limit(1).scalar_subquery()),
        sa.update(call).where(left).values(evidence='{"left":true}'),
        sa.update(callback).values(tried_at=tried.scalar_subquery()),
    ):
        op.execute(statement)


def _ms(seconds: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.cast(sa.func.round(seconds * 1000), sa.Integer)


def _day() -> sa.Column[Any]:
    return sa.Column("day", sa.Date(), nullable=False)


def _day_tables() -> None:
    _table(
        "rollup",
        ("node", "day"),
        _day(),
        sa.Column("fresh", sa.Boolean(), nullable=False),
        _word("token", 40),
        _word("zone", 64),
    )
    counts = (sa.Column(name, sa.BigInteger(), nullable=False, autoincrement=False) for name in COUNTS)
    packed = (sa.Column(name, text_type(), nullable=False) for name in PACKED)
    _table("agent_day", ("node", "agent", "day"), _word("agent", NAME), _day(), *counts, *packed)
    op.create_index("ix_agent_day_day", "agent_day", ["day"])
    load = (sa.Column(name, sa.BigInteger(), nullable=False, autoincrement=False) for name in LOAD)
    key = ("node", "day", "hour", "line", "queue")
    _table("call_hour", key, _day(), _number("hour"), _word("line", NAME), _word("queue", NAME), *load)


def _table(name: str, key: tuple[str, ...], *columns: Any) -> None:
    primary = sa.PrimaryKeyConstraint(*key, name=f"pk_{name}")
    op.create_table(name, _word("node", NODE), *columns, primary, **TABLE_OPTIONS)


def downgrade() -> None:
    for table in ("call_hour", "agent_day", "rollup"):
        op.drop_table(table)
    for table, *columns in INDEXES:
        op.drop_index(f"ix_{table}_{'_'.join(columns)}", table)
    for table, columns in _new().items():
        for column in columns:
            op.drop_column(table, column.name)
