"""Who may look at the pages: accounts, their sessions, tokens of programs."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from pbxmonitor.store.types import TABLE_OPTIONS, UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NAME, STATE = 80, 24


def _word(name: str, length: int, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=null)


def _moment(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, UtcDateTime(), nullable=null)


def _flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def upgrade() -> None:
    op.create_table(
        "user_account",
        _word("name", NAME),
        _word("role", STATE),
        _word("person", NAME, null=True),
        _word("language", STATE),
        _flag("whole_numbers"),
        _flag("disabled"),
        _moment("created_at"),
        _word("password", 255, null=True),
        _word("totp_secret", 64, null=True),
        _word("totp_offered", 64, null=True),
        sa.Column("totp_step", sa.BigInteger(), nullable=False, autoincrement=False),
        _word("setup_digest", 64, null=True),
        _moment("setup_until", null=True),
        sa.PrimaryKeyConstraint("name", name="pk_user_account"),
        **TABLE_OPTIONS,
    )
    op.create_index("ix_user_account_setup_digest", "user_account", ["setup_digest"])
    op.create_table(
        "session",
        _word("digest", 64),
        _word("account", NAME),
        _moment("began_at"),
        _moment("seen_at"),
        _moment("until"),
        _word("address", NAME),
        _word("device", 255),
        sa.PrimaryKeyConstraint("digest", name="pk_session"),
        _of_account("session"),
        **TABLE_OPTIONS,
    )
    op.create_index("ix_session_account", "session", ["account"])
    op.create_table(
        "api_token",
        _word("id", STATE),
        _word("account", NAME),
        _word("digest", 64),
        _word("name", NAME),
        _word("scopes", NAME),
        _moment("made_at"),
        _moment("until", null=True),
        _moment("used_at", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_token"),
        sa.UniqueConstraint("digest", name="uq_api_token_digest"),
        _of_account("api_token"),
        **TABLE_OPTIONS,
    )
    op.create_index("ix_api_token_account", "api_token", ["account"])


def _of_account(table: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_user_account"
    return sa.ForeignKeyConstraint(["account"], ["user_account.name"], name=name, ondelete="CASCADE")


def downgrade() -> None:
    for table in ("api_token", "session", "user_account"):
        op.drop_table(table)
