"""What is owed to the outer world, and what channels and CRMs must not forget."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from pbxmonitor.store.types import TABLE_OPTIONS, UtcDateTime, text_type

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NODE, CALL, NAME, STATE = 32, 160, 80, 24


def _word(name: str, length: int, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=null)


def _moment(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, UtcDateTime(), nullable=null)


def upgrade() -> None:
    op.create_table(
        "delivery",
        _word("id", NAME),
        _word("channel", STATE),
        _word("recipient", NAME, null=True),
        _word("template", STATE),
        sa.Column("details", text_type(), nullable=False),
        _word("node", NODE, null=True),
        _word("callback", CALL, null=True),
        _word("state", STATE),
        _moment("created_at"),
        _moment("due_at"),
        _moment("expires_at", null=True),
        sa.Column("attempts", sa.Integer(), nullable=False, autoincrement=False),
        _word("claim", STATE, null=True),
        _moment("claimed_until", null=True),
        _moment("ended_at", null=True),
        _word("error", 400, null=True),
        _word("reference", 255, null=True),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
        **TABLE_OPTIONS,
    )
    op.create_index("ix_delivery_state_due_at", "delivery", ["state", "due_at"])
    op.create_index("ix_delivery_node_callback", "delivery", ["node", "callback"])
    op.create_table(
        "memory",
        _word("owner", NAME),
        _word("name", 255),
        sa.Column("content", text_type(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "name", name="pk_memory"),
        **TABLE_OPTIONS,
    )


def downgrade() -> None:
    op.drop_table("memory")
    op.drop_table("delivery")
