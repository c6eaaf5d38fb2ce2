"""What is kept of a day's calls: journeys, visits of queues, where callers are from."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from pbxmonitor.store.types import TABLE_OPTIONS, text_type

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

NODE = 32
COUNTS = ("calls", "answered", "lost", "short_abandons")


def upgrade() -> None:
    # Days that are rolled up already have no rules, and so are rolled up once more.
    op.add_column("rollup", sa.Column("rules", sa.String(24), nullable=False, server_default=""))
    _table(
        "journey_day",
        ("node", "day"),
        _date("until"),
        *(sa.Column(name, text_type(), nullable=False) for name in ("journeys", "calls", "served")),
    )
    _table(
        "visit_hour",
        ("node", "day", "entered", "hour", "queue"),
        _date("entered"),
        sa.Column("hour", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("queue", sa.String(255), nullable=False),
        sa.Column("counts", text_type(), nullable=False),
    )
    _table(
        "caller_day",
        ("node", "day", "prefix"),
        sa.Column("prefix", sa.String(9), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False, autoincrement=False) for name in COUNTS),
    )


def _date(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Date(), nullable=False)


def _table(name: str, key: tuple[str, ...], *columns: Any) -> None:
    primary = sa.PrimaryKeyConstraint(*key, name=f"pk_{name}")
    node = sa.Column("node", sa.String(NODE), nullable=False)
    op.create_table(name, node, _date("day"), *columns, primary, **TABLE_OPTIONS)


def downgrade() -> None:
    for name in ("caller_day", "visit_hour", "journey_day"):
        op.drop_table(name)
    with op.batch_alter_table("rollup") as table:
        table.drop_column("rules")
