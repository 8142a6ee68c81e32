-- Revenue: what became of the money that was paid for credits. Derived: entries, grants and money movements say it all, and
-- everything here can be made from them anew. Money is in the smallest unit of its currency, as numeric: a cost basis given by
-- a host times an amount of credits may leave 64 bits, and sums must never fail.

-- How far each account's entries are told.
CREATE TABLE revenue_watermarks (
  customer_id    bigint NOT NULL,
  workspace_id   int NOT NULL,
  credit_type_id int NOT NULL,
  sequence       int NOT NULL,                 -- of the last entry
  highest        int NOT NULL,                 -- number of the grants that entries up to there have named
  PRIMARY KEY (customer_id, credit_type_id)
);

-- What is deferred of each grant that money was paid for, as at the watermark.
CREATE TABLE revenue_grants (
  customer_id    bigint NOT NULL,
  amount         bigint NOT NULL,              -- credits that `paid` was paid for
  remaining      bigint NOT NULL,              -- of late placement, within an account's batch, below zero for a moment
  adjusted       bigint NOT NULL,              -- by hand, signed: credits that were given for nothing, or taken
  burned         bigint NOT NULL,              -- net of what was given back
  ended          bigint NOT NULL,              -- credits that its latest expiry, move or clawback took …
  paid           numeric NOT NULL CHECK (paid > '-Infinity' AND paid < 'Infinity'),
  deferred       numeric NOT NULL CHECK (deferred > '-Infinity' AND deferred < 'Infinity'),
  earned         numeric NOT NULL CHECK (earned > '-Infinity' AND earned < 'Infinity'),
  ended_minor    numeric NOT NULL CHECK (ended_minor > '-Infinity' AND ended_minor < 'Infinity'),  -- … and the money that went with them
  workspace_id   int NOT NULL,
  credit_type_id int NOT NULL,
  number         int NOT NULL,
  currency       text NOT NULL,
  PRIMARY KEY (customer_id, credit_type_id, number),
  CONSTRAINT deferred_within_what_was_paid CHECK (deferred BETWEEN 0 AND paid)
);
CREATE INDEX revenue_grants_deferred ON revenue_grants (workspace_id) INCLUDE (credit_type_id, currency, deferred) WHERE deferred > 0;

-- What one entry did to money: all of the journal. Entries that moved no cent have none.
CREATE TABLE revenue_lines (
  customer_id    bigint NOT NULL,
  at             timestamptz NOT NULL,         -- when the entry was recorded
  workspace_id   int NOT NULL,
  credit_type_id int NOT NULL,
  sequence       int NOT NULL,                 -- of the entry
  kind           smallint NOT NULL,            -- of the entry: credits/ledger/entries.py
  elsewhere      boolean NOT NULL,             -- sold by the host, by its word; else through a top-up
  currency       text NOT NULL COLLATE "C",
  sold           numeric NOT NULL CHECK (sold > '-Infinity' AND sold < 'Infinity'),
  earned         numeric NOT NULL CHECK (earned > '-Infinity' AND earned < 'Infinity'),
  returned       numeric NOT NULL CHECK (returned > '-Infinity' AND returned < 'Infinity'),  -- of what was earned: paid back
  breakage       numeric NOT NULL CHECK (breakage > '-Infinity' AND breakage < 'Infinity'),
  refunded       numeric NOT NULL CHECK (refunded > '-Infinity' AND refunded < 'Infinity'),
  PRIMARY KEY (customer_id, credit_type_id, sequence, currency),
  CONSTRAINT line_says_something CHECK (sold <> 0 OR earned <> 0 OR returned <> 0 OR breakage <> 0 OR refunded <> 0)
);
-- The journal, in its order: at the end of a month thousands of grants may end at one instant.
CREATE INDEX revenue_lines_at ON revenue_lines (workspace_id, at, customer_id, credit_type_id, sequence, currency);

-- The lines of each day (UTC), summed per account: what reports read.
CREATE TABLE revenue_days (
  customer_id    bigint NOT NULL,
  workspace_id   int NOT NULL,
  credit_type_id int NOT NULL,
  day            date NOT NULL,
  currency       text NOT NULL COLLATE "C",
  sold           numeric NOT NULL CHECK (sold > '-Infinity' AND sold < 'Infinity'),
  earned         numeric NOT NULL CHECK (earned > '-Infinity' AND earned < 'Infinity'),
  returned       numeric NOT NULL CHECK (returned > '-Infinity' AND returned < 'Infinity'),
  breakage       numeric NOT NULL CHECK (breakage > '-Infinity' AND breakage < 'Infinity'),
  refunded       numeric NOT NULL CHECK (refunded > '-Infinity' AND refunded < 'Infinity'),
  lines          int NOT NULL,
  PRIMARY KEY (customer_id, credit_type_id, day, currency)
);
CREATE INDEX revenue_days_of ON revenue_days (workspace_id, currency, credit_type_id, day);  -- reports; which currencies there are

-- Which accounts have anything to tell.
CREATE INDEX grants_with_cost ON grants (workspace_id, customer_id, credit_type_id) WHERE cost_amount > 0;

-- Money that came or went without credits is in no entry: reports read it where it is.
CREATE INDEX movements_without_entry ON money_movements (workspace_id, at) WHERE sequence IS NULL;

-- Derived: what is wrong is made anew, so these may be deleted.
GRANT SELECT, INSERT, UPDATE, DELETE ON revenue_watermarks, revenue_grants, revenue_lines, revenue_days TO scrip_app;

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['revenue_watermarks', 'revenue_grants', 'revenue_lines', 'revenue_days'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY own_workspace ON %I USING (workspace_id = (SELECT scrip_workspace())) '
                   'WITH CHECK (workspace_id = (SELECT scrip_workspace()))', t);
  END LOOP;
END $$;
