"""What people do with callbacks, whom they are told to, alerts, digests, and who did what."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from pbxmonitor.store.types import TABLE_OPTIONS, UtcDateTime, text_type

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NODE, CALL, NAME, STATE = 32, 160, 80, 24


def _word(name: str, length: int, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=null)


def _moment(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, UtcDateTime(), nullable=null)


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, text_type(), nullable=False)


def upgrade() -> None:
    with op.batch_alter_table("callback") as batch:
        batch.add_column(sa.Column("step", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(_moment("next_at", null=True))
        batch.add_column(_moment("snoozed_until", null=True))
        batch.add_column(_word("taken_by", NAME, null=True))
        batch.add_column(_moment("taken_at", null=True))
        batch.add_column(_word("dismissed_by", NAME, null=True))
        batch.add_column(_word("reason", 400, null=True))
    op.create_index("ix_callback_next_at", "callback", ["next_at"])
    op.create_index("ix_callback_owner_closed_at", "callback", ["owner", "closed_at"])
    # What is open goes through the chain from where it stands.
    callback = sa.table("callback", sa.column("next_at"), sa.column("opened_at"), sa.column("closed_at"))
    op.execute(sa.update(callback).where(callback.c.closed_at.is_(None)).values(next_at=callback.c.opened_at))
    op.create_index("ix_delivery_state_expires_at", "delivery", ["state", "expires_at"])
    with op.batch_alter_table("callback_attempt") as batch:
        batch.add_column(sa.Column("voicemail", sa.Boolean(), nullable=False, server_default=sa.false()))
    _tell()
    _let_people_in()
    op.create_table(
        "audit",
        _word("id", NAME),
        _moment("at"),
        _word("who", NAME),
        _word("action", STATE),
        _word("node", NODE, null=True),
        _word("subject", CALL, null=True),
        _text("details"),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        **TABLE_OPTIONS,
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_node_subject", "audit", ["node", "subject"])


def _tell() -> None:
    """Alerts and digests."""
    op.create_table(
        "alert",
        _word("id", NAME),
        _word("rule", NAME),
        _word("kind", STATE),
        _word("node", NODE),
        _word("subject", NAME),
        _word("state", STATE),
        _moment("began_at"),
        _moment("ended_at", null=True),
        _moment("told_at", null=True),
        sa.Column("reminders", sa.Integer(), nullable=False, autoincrement=False),
        _text("details"),
        sa.PrimaryKeyConstraint("id", name="pk_alert"),
        **TABLE_OPTIONS,
    )
    op.create_index("ix_alert_state", "alert", ["state"])
    op.create_index("ix_alert_began_at", "alert", ["began_at"])
    op.create_index("ix_alert_rule_subject_began_at", "alert", ["rule", "subject", "began_at"])
    op.create_table(
        "digest",
        _word("kind", STATE),
        _word("person", NAME),
        sa.Column("begin", sa.Date(), nullable=False),
        _moment("made_at"),
        _word("delivery", NAME, null=True),
        sa.PrimaryKeyConstraint("kind", "person", "begin", name="pk_digest"),
        **TABLE_OPTIONS,
    )


def _let_people_in() -> None:
    """Links, their codes, numbers, calls that people asked for."""
    op.create_table(
        "link",
        _word("channel", STATE),
        _word("person", NAME),
        _word("address", NAME),
        _word("account", NAME),
        _moment("linked_at"),
        sa.PrimaryKeyConstraint("channel", "person", name="pk_link"),
        **TABLE_OPTIONS,
    )
    op.create_index("ix_link_channel_account", "link", ["channel", "account"])
    op.create_table(
        "link_code",
        _word("digest", 64),
        _word("channel", STATE),
        _word("person", NAME),
        _moment("expires_at"),
        _moment("used_at", null=True),
        sa.PrimaryKeyConstraint("digest", name="pk_link_code"),
        **TABLE_OPTIONS,
    )
    op.create_table(
        "number_rule",
        _word("number", NAME),
        _word("kind", STATE),
        _word("note", 255, null=True),
        _word("by", NAME),
        _moment("at"),
        sa.PrimaryKeyConstraint("number", name="pk_number_rule"),
        **TABLE_OPTIONS,
    )
    op.create_table(
        "dialled",
        _word("id", NAME),
        _word("person", NAME),
        _word("node", NODE),
        _word("number", NAME),
        _word("callback", CALL, null=True),
        _moment("at"),
        _moment("ended_at", null=True),
        _word("error", 255, null=True),
        sa.PrimaryKeyConstraint("id", name="pk_dialled"),
        **TABLE_OPTIONS,
    )
    op.create_index("ix_dialled_person_at", "dialled", ["person", "at"])
    op.create_index("ix_dialled_at", "dialled", ["at"])


def downgrade() -> None:
    for table in ("audit", "dialled", "number_rule", "link_code", "link", "digest", "alert"):
        op.drop_table(table)
    with op.batch_alter_table("callback_attempt") as batch:
        batch.drop_column("voicemail")
    op.drop_index("ix_delivery_state_expires_at", "delivery")
    op.drop_index("ix_callback_owner_closed_at", "callback")
    op.drop_index("ix_callback_next_at", "callback")
    with op.batch_alter_table("callback") as batch:
        for name in ("step", "next_at", "snoozed_until", "taken_by", "taken_at", "dismissed_by", "reason"):
            batch.drop_column(name)
