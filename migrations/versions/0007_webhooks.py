"""Programs that are told of what happens by webhooks; their deliveries are found by whom they are for."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from pbxmonitor.store.types import TABLE_OPTIONS, UtcDateTime, text_type

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

NAME, STATE = 80, 24


def _word(name: str, length: int, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=null)


def _moment(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, UtcDateTime(), nullable=null)


def upgrade() -> None:
    op.create_table(
        "webhook",
        _word("id", STATE),
        _word("name", NAME),
        sa.Column("url", text_type(), nullable=False),
        sa.Column("events", text_type(), nullable=False),
        sa.Column("queues", text_type(), nullable=False),
        _word("secret", NAME),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        _word("made_by", NAME),
        _moment("made_at"),
        _moment("delivered_at", null=True),
        _moment("failing_since", null=True),
        sa.Column("failures", sa.Integer(), nullable=False, autoincrement=False),
        _word("error", 400, null=True),
        _word("stopped", STATE, null=True),
        sa.PrimaryKeyConstraint("id", name="pk_webhook"),
        **TABLE_OPTIONS,
    )
    op.create_index("ix_delivery_recipient_created_at", "delivery", ["recipient", "created_at"])


def downgrade() -> None:
    op.drop_index("ix_delivery_recipient_created_at", "delivery")
    op.drop_table("webhook")
