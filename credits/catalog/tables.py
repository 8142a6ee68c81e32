"""The catalog's tables for ordinary queries. Columns, CHECKs and reasons: credits/migrations/versions/0001_foundation.sql."""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, Numeric, SmallInteger, Table, Text

from credits.db import metadata

credit_types = Table(
    "credit_types",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("workspace_id", Integer),
    *(Column(name, Text) for name in ("key", "name", "unit_singular", "unit_plural", "burn_order", "default_expiry")),
    Column("scale", SmallInteger),
    Column("archived", Boolean),
    Column("position", Integer),
)

features = Table(
    "features",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("workspace_id", Integer),
    *(Column(name, Text) for name in ("key", "name", "description", "event_type", "quantity", "unit")),
    Column("archived", Boolean),
    Column("position", Integer),
)

cohorts = Table(
    "cohorts",
    metadata,
    Column("workspace_id", Integer, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("archived", Boolean),
    Column("position", Integer),
)

rate_cards = Table(
    "rate_cards",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("workspace_id", Integer),
    Column("cohort", Text),
    Column("version", Integer),
    Column("published_at", DateTime(timezone=True)),
    Column("effective_at", DateTime(timezone=True)),
    Column("follow", Boolean),
    Column("note", Text),
)

bundles = Table(
    "bundles",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("workspace_id", Integer),
    *(Column(name, Text) for name in ("key", "name", "currency", "expires_after")),
    *(Column(name, Integer) for name in ("credit_type_id", "priority", "position")),
    *(Column(name, BigInteger) for name in ("amount", "bonus")),
    Column("price", Numeric),
    Column("archived", Boolean),
)
