-- Time travel. Sections: entries out of order · standings · what was known of holds and scheduled grants.

-- ─── entries out of order ────────────────────────────────────────────────────────────────────────────────
-- How far `occurred_at` lies from `recorded_at`: null within 10 s before and 30 s after, which is most entries, and they
-- pay nothing for it; −1 further ahead of its recording; 1, 2, 3 … late by at least 30 s, 2 min, 8 min …, each four
-- times the one before (credits/ledger/travel.py: LATE). What occurred by an instant and was recorded after it lies, within
-- each class, in one stretch before the instant: finding it costs at most four times what is found.
-- Generated, so that no writer can leave it out; a column, because behind row-level security no index serves a
-- condition that calls a function. (The table is written anew once, about two seconds a million entries.)
ALTER TABLE entries ADD COLUMN lag smallint GENERATED ALWAYS AS (
  CASE
    WHEN occurred_at IS NULL THEN NULL
    WHEN recorded_at - occurred_at >= interval '30 s' THEN width_bucket(recorded_at - occurred_at, ARRAY[
      '30 s', '120 s', '480 s', '1920 s', '7680 s', '30720 s', '122880 s', '491520 s', '1966080 s', '7864320 s',
      '31457280 s', '125829120 s']::interval[])
    WHEN occurred_at - recorded_at > interval '10 s' THEN -1
  END) STORED;
CREATE INDEX entries_out_of_order ON entries (customer_id, credit_type_id, lag, occurred_at) WHERE lag IS NOT NULL;

-- ─── standings ───────────────────────────────────────────────────────────────────────────────────────────
-- An account as it stood at one of its entries, every few hundred entries: what grants and holds kept, and how much of
-- which kind there had been so far. Made from the entries, in the background, and made again when they are gone: nothing
-- is true because it stands here.
CREATE TABLE standings (
  customer_id    bigint NOT NULL,
  workspace_id   int NOT NULL,
  credit_type_id int NOT NULL,
  sequence       int NOT NULL CHECK (sequence > 0),  -- the last entry that counts in it
  form           smallint NOT NULL,            -- how `state` is written (credits/ledger/standing.py); others are passed over
  state          bytea NOT NULL,
  PRIMARY KEY (customer_id, credit_type_id, form, sequence)
);

-- ─── what was known of holds and scheduled grants ────────────────────────────────────────────────────────
-- Extending a hold moves nothing, so there is no entry of it. Until `known_at` the hold was to end at `expires_at`.
CREATE TABLE hold_ends (
  customer_id    bigint NOT NULL,
  known_at       timestamptz NOT NULL,
  expires_at     timestamptz NOT NULL,
  workspace_id   int NOT NULL,
  credit_type_id int NOT NULL,
  number         int NOT NULL,                 -- of the hold
  PRIMARY KEY (customer_id, credit_type_id, number, known_at)
);

-- Grants that were given before they began. A grant that begins at once pays nothing for it.
CREATE INDEX grants_scheduled ON grants (customer_id, credit_type_id, effective_at) WHERE effective_at > created_at;

GRANT SELECT, INSERT ON standings, hold_ends TO scrip_app;
CREATE TRIGGER hold_ends_are_never_changed   BEFORE UPDATE OR DELETE ON hold_ends FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER hold_ends_are_never_truncated BEFORE TRUNCATE ON hold_ends FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['standings', 'hold_ends'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    -- As for the rest of the ledger: a bare equality would mislead the planner (0001_foundation.sql).
    EXECUTE format('CREATE POLICY own_workspace ON %I USING (coalesce((workspace_id = (SELECT scrip_workspace())), false)) '
                   'WITH CHECK (coalesce((workspace_id = (SELECT scrip_workspace())), false))', t);
  END LOOP;
END $$;
