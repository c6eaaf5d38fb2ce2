"""When a gap was filled from what the PBX keeps itself, and with how many calls."""

import sqlalchemy as sa
from alembic import op

from pbxmonitor.store.types import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("gap", sa.Column("repaired_at", UtcDateTime(), nullable=True))
    op.add_column("gap", sa.Column("calls", sa.Integer(), nullable=True, autoincrement=False))


def downgrade() -> None:
    with op.batch_alter_table("gap") as table:
        table.drop_column("calls")
        table.drop_column("repaired_at")
