"""Clawbacks that are reversed: see 0012_clawback_reversals.sql."""

from pathlib import Path
from typing import Any

from alembic import op
from sqlalchemy.util import await_only

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    # The driver's own execute takes many statements in one go; a prepared one would not.
    driver: Any = op.get_bind().connection.driver_connection
    await_only(driver.execute(script))


def downgrade() -> None:
    raise NotImplementedError("A ledger is never taken apart; restore a backup instead.")
