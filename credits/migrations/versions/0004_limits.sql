-- Members of a customer, spend limits with what counts towards them, and roll-ups of usage.
--
-- Nothing here is on the way of a burn by a customer without limits: `customers.limited` comes with the row that is locked
-- anyway, and roll-ups are made behind the writer's back.

-- ─── members ─────────────────────────────────────────────────────────────────────────────────────────────
-- Seats of a customer. An entry may name a member that was never upserted: that is one of the same key and name.
CREATE TABLE members (
  customer_id  bigint NOT NULL,
  workspace_id int NOT NULL,
  key          text NOT NULL COLLATE "C",
  name         text NOT NULL,
  group_name   text,
  created_at   timestamptz NOT NULL,
  PRIMARY KEY (customer_id, key),
  CONSTRAINT member_key_length CHECK (length(key) BETWEEN 1 AND 255)
);

-- ─── spend limits ────────────────────────────────────────────────────────────────────────────────────────
ALTER TABLE customers ADD COLUMN limited boolean NOT NULL DEFAULT false;  -- has spend limits: a batch then reads them

CREATE TABLE spend_limits (
  customer_id    bigint NOT NULL,
  number         int NOT NULL GENERATED ALWAYS AS IDENTITY,
  workspace_id   int NOT NULL,
  credit_type_id int NOT NULL REFERENCES credit_types,
  amount         bigint NOT NULL,
  window_kind    text NOT NULL,
  member         text COLLATE "C",             -- null: every member, and usage of none
  group_name     text,                         -- null: every group
  feature_id     int REFERENCES features,      -- null: every feature, and credits burned as they are
  counted_from   timestamptz NOT NULL,         -- a window that begins earlier and has no row is not counted yet, a later one is zero
  created_at     timestamptz NOT NULL,
  PRIMARY KEY (customer_id, number),
  CONSTRAINT limit_amount_positive CHECK (amount > 0),
  CONSTRAINT limit_window_kind CHECK (window_kind IN ('HOUR', 'DAY', 'WEEK', 'MONTH')),
  CONSTRAINT limit_scope_is_one UNIQUE NULLS NOT DISTINCT (customer_id, credit_type_id, window_kind, member, group_name, feature_id)
);

-- What counts towards a limit in one window. Only the writer adds to it, under the customer's lock.
CREATE TABLE limit_windows (
  customer_id  bigint NOT NULL,
  number       int NOT NULL,
  starts_at    timestamptz NOT NULL,
  workspace_id int NOT NULL,
  used         bigint NOT NULL,                -- no CHECK against negative: it would see the difference that an upsert adds
  PRIMARY KEY (customer_id, number, starts_at)
) WITH (fillfactor = 80);
CREATE INDEX limit_windows_old ON limit_windows (workspace_id, starts_at);  -- what may be forgotten

-- ─── usage roll-ups ──────────────────────────────────────────────────────────────────────────────────────
-- How far an account's entries are rolled up; what lies beyond is read from the entries themselves.
CREATE TABLE usage_watermarks (
  customer_id    bigint NOT NULL,
  credit_type_id int NOT NULL,
  workspace_id   int NOT NULL,
  sequence       int NOT NULL,
  PRIMARY KEY (customer_id, credit_type_id),
  CONSTRAINT watermark_within_entries CHECK (sequence >= 0)
);

-- Usage per quarter of an hour, UTC: every timezone's hours and days begin on one. Quarters of recording are told apart, so
-- that the entries behind a row lie close together: a border inside a quarter is answered from them.
CREATE TABLE usage_rollups (
  customer_id    bigint NOT NULL,
  credit_type_id int NOT NULL,
  starts_at      timestamptz NOT NULL,         -- quarter in which it occurred
  recorded_from  timestamptz NOT NULL,         -- quarter in which it was recorded
  feature_id     int NOT NULL,                 -- 0: none
  member         text NOT NULL COLLATE "C",    -- '': none
  source         text NOT NULL COLLATE "C",    -- of the usage events; '': asked for by a backend
  workspace_id   int NOT NULL,
  amount         bigint NOT NULL,              -- burned, net of reversals
  quantity       numeric NOT NULL,
  burns          bigint NOT NULL,              -- entries that burned
  events         bigint NOT NULL,              -- likewise, an event that burned for several features once
  first_sequence int NOT NULL,
  last_sequence  int NOT NULL,
  PRIMARY KEY (customer_id, credit_type_id, starts_at, recorded_from, feature_id, member, source),
  CONSTRAINT rollup_counts_not_negative CHECK (burns >= 0 AND events BETWEEN 0 AND burns),
  CONSTRAINT rollup_quantity_is_a_number CHECK (quantity > '-Infinity' AND quantity < 'Infinity'),
  CONSTRAINT rollup_sequences_in_order CHECK (first_sequence <= last_sequence)
) WITH (fillfactor = 80);

-- ─── walls ───────────────────────────────────────────────────────────────────────────────────────────────
GRANT SELECT, INSERT, UPDATE ON members, usage_watermarks TO scrip_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON spend_limits, limit_windows, usage_rollups TO scrip_app;

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['members', 'spend_limits', 'limit_windows', 'usage_watermarks', 'usage_rollups'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    -- As for the ledger's tables: looked up by customer, never by workspace.
    EXECUTE format('CREATE POLICY own_workspace ON %I USING ((coalesce((workspace_id = (SELECT scrip_workspace())), false))) '
                   'WITH CHECK ((coalesce((workspace_id = (SELECT scrip_workspace())), false)))', t);
  END LOOP;
END $$;
