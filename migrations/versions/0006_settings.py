"""Settings that people change in the dashboard, beside those of the file."""

import sqlalchemy as sa
from alembic import op

from pbxmonitor.store.types import TABLE_OPTIONS, UtcDateTime, text_type

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NAME, STATE = 80, 24


def upgrade() -> None:
    op.create_table(
        "setting",
        sa.Column("section", sa.String(STATE), nullable=False),
        sa.Column("key", sa.String(NAME), nullable=False),
        sa.Column("value", text_type(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(NAME), nullable=False),
        sa.PrimaryKeyConstraint("section", "key", name="pk_setting"),
        **TABLE_OPTIONS,
    )
    op.create_table(
        "setting_version",
        sa.Column("name", sa.String(STATE), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("name", name="pk_setting_version"),
        **TABLE_OPTIONS,
    )


def downgrade() -> None:
    for table in ("setting_version", "setting"):
        op.drop_table(table)
