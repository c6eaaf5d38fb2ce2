"""Names that people had before, and who comes in by an identity provider."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from pbxmonitor.store.types import TABLE_OPTIONS, UtcDateTime, text_type

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

NODE, NAME, ADDRESS = 32, 80, 255


def _word(name: str, length: int) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=False)


def _moment(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, UtcDateTime(), nullable=null)


def upgrade() -> None:
    op.create_table(
        "alias",
        _word("node", NODE),
        _word("name", NAME),
        _word("agent", NAME),
        _word("by", NAME),
        _moment("at"),
        _moment("finished_at", null=True),
        sa.PrimaryKeyConstraint("node", "name", name="pk_alias"),
        **TABLE_OPTIONS,
    )
    op.add_column("lease", sa.Column("names", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("user_account", sa.Column("teams", sa.String(400), nullable=True))
    op.create_table(
        "identity",
        _word("issuer", ADDRESS),
        _word("subject", ADDRESS),
        _word("account", NAME),
        _moment("linked_at"),
        _moment("seen_at"),
        sa.PrimaryKeyConstraint("issuer", "subject", name="pk_identity"),
        sa.ForeignKeyConstraint(
            ["account"], ["user_account.name"], name="fk_identity_user_account", ondelete="CASCADE"
        ),
        **TABLE_OPTIONS,
    )
    op.create_index("ix_identity_account", "identity", ["account"])
    op.create_table(
        "session_proof",
        _word("session", 64),
        sa.Column("id_token", text_type(), nullable=False),
        sa.PrimaryKeyConstraint("session", name="pk_session_proof"),
        sa.ForeignKeyConstraint(["session"], ["session.digest"], name="fk_session_proof_session", ondelete="CASCADE"),
        **TABLE_OPTIONS,
    )


def downgrade() -> None:
    for name in ("session_proof", "identity"):
        op.drop_table(name)
    with op.batch_alter_table("user_account") as table:
        table.drop_column("teams")
    with op.batch_alter_table("lease") as table:
        table.drop_column("names")
    op.drop_table("alias")
