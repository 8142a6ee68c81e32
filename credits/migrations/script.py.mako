"""${message}: see ${up_revision}_${"_".join(message.lower().split())}.sql."""

from pathlib import Path

from alembic import op
from sqlalchemy.util import await_only

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    # The driver's own execute takes many statements in one go; a prepared one would not.
    await_only(op.get_bind().connection.driver_connection.execute(script))


def downgrade() -> None:
    raise NotImplementedError("A ledger is never taken apart; restore a backup instead.")
