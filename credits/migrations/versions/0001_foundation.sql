-- Scrip, the foundation. Sections: role · workspaces and access · customers · catalog · policies · ledger · usage · walls.
--
-- Amounts are micro-credits (10⁻⁶ credit) in bigint. Every table that belongs to a workspace says which; row-level
-- security shows a connection the rows of one workspace alone. Every table that a customer owns leads its primary
-- key with the customer: that is the shard key. Foreign keys stop at the ledger's door: its rows are written in
-- batches of thousands, and the one writer has just read what they point to.

-- ─── role ────────────────────────────────────────────────────────────────────────────────────────────────
-- The application acts as scrip_app; the owner of the tables migrates and nothing else.
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'scrip_app') THEN
    CREATE ROLE scrip_app NOLOGIN;
  END IF;
  -- PostgreSQL 16 on: a creator who is no superuser may act as the role only when told so.
  IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    EXECUTE format('GRANT scrip_app TO %I WITH INHERIT FALSE, SET TRUE', current_user);
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL;  -- another database of the same server was migrated at the same moment
END $$;

GRANT USAGE ON SCHEMA public TO scrip_app;

-- The workspace that this database transaction may see; null shows nothing.
CREATE FUNCTION scrip_workspace() RETURNS int LANGUAGE sql STABLE PARALLEL SAFE
  RETURN nullif(current_setting('scrip.workspace', true), '')::int;

-- ─── workspaces and access ───────────────────────────────────────────────────────────────────────────────
CREATE TABLE workspaces (
  id              int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name            text NOT NULL UNIQUE,
  test_mode       boolean NOT NULL,
  clock_offset_us bigint NOT NULL DEFAULT 0,   -- what advanceClock has added to real time, microseconds
  late_cutoff_s   bigint,                      -- null: the setting
  config_version  int NOT NULL DEFAULT 0,      -- grows with every change of catalog or policies: caches compare it
  catalog_version int NOT NULL DEFAULT 0,
  created_at      timestamptz NOT NULL,
  CONSTRAINT clock_moves_in_test_alone CHECK (clock_offset_us = 0 OR test_mode),
  CONSTRAINT clock_moves_forward CHECK (clock_offset_us >= 0)
);

-- Who acts: an API key, an operator, a customer, a payment provider. The system itself is no row (null).
CREATE TABLE actors (
  id           int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  workspace_id int NOT NULL REFERENCES workspaces,
  kind         text NOT NULL CHECK (kind IN ('API_KEY', 'OPERATOR', 'CUSTOMER', 'STRIPE')),
  subject      text NOT NULL,                  -- public id of whoever acts
  name         text NOT NULL,
  CONSTRAINT actor_is_one UNIQUE (workspace_id, kind, subject)
);

CREATE TABLE api_keys (
  id           int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  workspace_id int NOT NULL REFERENCES workspaces,
  actor_id     int NOT NULL REFERENCES actors,
  name         text NOT NULL,
  prefix       text NOT NULL,                  -- what people may see of the secret
  secret_hash  bytea NOT NULL UNIQUE,          -- HMAC-SHA-256 under the server's secret: a stolen table opens nothing
  role         text NOT NULL CHECK (role IN ('VIEWER', 'INGEST', 'BACKEND', 'SUPPORT', 'SALES', 'FINANCE', 'ADMIN')),
  created_at   timestamptz NOT NULL,
  last_used_at timestamptz,
  revoked_at   timestamptz
);

-- ─── customers ───────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE customers (
  id                bigint PRIMARY KEY,        -- random: ids tell nobody how many customers there are
  workspace_id      int NOT NULL REFERENCES workspaces,
  key               text NOT NULL COLLATE "C",
  name              text NOT NULL,
  email             text,
  timezone          text NOT NULL DEFAULT 'UTC',
  locale            text,
  cohort            text NOT NULL DEFAULT 'default',
  rate_card_version int,                       -- null until its first grant or burn
  metadata          jsonb NOT NULL DEFAULT '{}',
  created_at        timestamptz NOT NULL,
  CONSTRAINT customer_key_is_one UNIQUE (workspace_id, key)
);

-- ─── catalog: reference tables ───────────────────────────────────────────────────────────────────────────
CREATE TABLE credit_types (
  id             int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  workspace_id   int NOT NULL REFERENCES workspaces,
  key            text NOT NULL,
  name           text NOT NULL,
  unit_singular  text NOT NULL,
  unit_plural    text NOT NULL,
  scale          smallint NOT NULL CHECK (scale BETWEEN 0 AND 6),
  burn_order     text NOT NULL CHECK (burn_order IN ('PRIORITY_THEN_EXPIRY', 'EXPIRY_FIRST', 'PAID_LAST', 'OLDEST_FIRST')),
  default_expiry text,
  archived       boolean NOT NULL DEFAULT false,
  position       int NOT NULL DEFAULT 0,       -- its place in the document
  CONSTRAINT credit_type_key_is_one UNIQUE (workspace_id, key)
);

CREATE TABLE features (
  id           int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  workspace_id int NOT NULL REFERENCES workspaces,
  key          text NOT NULL,
  name         text NOT NULL,
  description  text,
  event_type   text,                           -- the usage events it meters; null: burned by name alone
  quantity     text NOT NULL DEFAULT '1',      -- the field of `data` to sum, or '1' to count events
  unit         text NOT NULL,
  archived     boolean NOT NULL DEFAULT false,
  position     int NOT NULL DEFAULT 0,
  CONSTRAINT feature_key_is_one UNIQUE (workspace_id, key)
);

-- A group of customers with prices of its own.
CREATE TABLE cohorts (
  workspace_id int NOT NULL REFERENCES workspaces,
  name         text NOT NULL,
  archived     boolean NOT NULL DEFAULT false, -- whoever has its prices keeps them; nobody new is given them
  position     int NOT NULL DEFAULT 0,
  PRIMARY KEY (workspace_id, name)
);

-- One published version of a cohort's prices. Never changed: every burn points to the price that made it.
CREATE TABLE rate_cards (
  id           int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  workspace_id int NOT NULL REFERENCES workspaces,
  cohort       text NOT NULL,
  version      int NOT NULL,
  published_at timestamptz NOT NULL,
  effective_at timestamptz NOT NULL,
  follow       boolean NOT NULL,               -- moves the cohort's customers at effective_at
  note         text,
  FOREIGN KEY (workspace_id, cohort) REFERENCES cohorts,
  CONSTRAINT rate_card_version_is_one UNIQUE (workspace_id, cohort, version)
);

CREATE TABLE rates (
  id             int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  workspace_id   int NOT NULL REFERENCES workspaces,
  rate_card_id   int NOT NULL REFERENCES rate_cards,
  feature_id     int NOT NULL REFERENCES features,
  credit_type_id int NOT NULL REFERENCES credit_types,
  match          jsonb NOT NULL DEFAULT '{}',
  per_unit       numeric(25, 12) NOT NULL CHECK (per_unit >= 0 AND per_unit < 'NaN'),  -- NaN >= 0 is true here
  rounding       text NOT NULL CHECK (rounding IN ('UP', 'HALF_EVEN', 'DOWN')),
  position       int NOT NULL
);
CREATE INDEX rates_of_card ON rates (rate_card_id);  -- catalog load

CREATE TABLE bundles (
  id             int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  workspace_id   int NOT NULL REFERENCES workspaces,
  key            text NOT NULL,
  name           text NOT NULL,
  credit_type_id int NOT NULL REFERENCES credit_types,
  amount         bigint NOT NULL CHECK (amount > 0),
  bonus          bigint NOT NULL CHECK (bonus >= 0),
  price          numeric(19, 6) NOT NULL CHECK (price >= 0 AND price < 'NaN'),
  currency       text NOT NULL,
  expires_after  text,
  priority       int NOT NULL DEFAULT 50,      -- of the grants it makes
  archived       boolean NOT NULL DEFAULT false,
  position       int NOT NULL DEFAULT 0,
  CONSTRAINT bundle_key_is_one UNIQUE (workspace_id, key)
);

-- ─── policies ────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE policies (
  id              int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  workspace_id    int NOT NULL REFERENCES workspaces,
  customer_id     bigint,
  feature_id      int REFERENCES features,
  credit_type_id  int REFERENCES credit_types,
  mode            text NOT NULL CHECK (mode IN ('OFF', 'SHADOW', 'SOFT', 'ENFORCE')),
  failure_policy  text CHECK (failure_policy IN ('FAIL_OPEN', 'FAIL_CLOSED')),  -- null: the next wider policy
  rollout_percent smallint NOT NULL CHECK (rollout_percent BETWEEN 0 AND 100),
  overdraft_limit bigint CHECK (overdraft_limit >= 0),                          -- null: the next wider policy
  updated_at      timestamptz NOT NULL,
  updated_by      int REFERENCES actors,
  CONSTRAINT policy_scope_is_one UNIQUE NULLS NOT DISTINCT (workspace_id, customer_id, feature_id, credit_type_id)
);

-- ─── ledger ──────────────────────────────────────────────────────────────────────────────────────────────
-- One customer's ledger in one credit type: the running state that its entries add up to.
CREATE TABLE accounts (
  customer_id    bigint NOT NULL,
  balance        bigint NOT NULL DEFAULT 0,    -- Σ remaining of live grants − overdraft
  held           bigint NOT NULL DEFAULT 0,
  overdraft      bigint NOT NULL DEFAULT 0,    -- burned beyond all grants, not yet repaid
  granted        bigint NOT NULL DEFAULT 0,    -- lifetime totals
  burned         bigint NOT NULL DEFAULT 0,
  expired        bigint NOT NULL DEFAULT 0,
  recorded_at    timestamptz NOT NULL,         -- of the last entry: the account's clock never goes back
  due_at         timestamptz,                  -- nothing falls due before this
  workspace_id   int NOT NULL,
  credit_type_id int NOT NULL,
  sequence       int NOT NULL DEFAULT 0,       -- of the last entry
  grants         int NOT NULL DEFAULT 0,       -- numbers given out
  holds          int NOT NULL DEFAULT 0,
  head           bytea NOT NULL,               -- hash of the last entry
  PRIMARY KEY (customer_id, credit_type_id),
  CONSTRAINT account_conservation CHECK (balance = granted - burned - expired),
  CONSTRAINT account_held_not_negative CHECK (held >= 0),
  CONSTRAINT account_overdraft_not_negative CHECK (overdraft >= 0)
) WITH (fillfactor = 80);                      -- updated by every batch: room for the new row version on the same page
CREATE INDEX accounts_due ON accounts (workspace_id, due_at) WHERE due_at IS NOT NULL;  -- sweep

-- Credits given; also the lot that burns draw on.
CREATE TABLE grants (
  customer_id    bigint NOT NULL,
  amount         bigint NOT NULL,
  remaining      bigint NOT NULL,
  held           bigint NOT NULL DEFAULT 0,
  burned         bigint NOT NULL DEFAULT 0,
  expired        bigint NOT NULL DEFAULT 0,
  voided         bigint NOT NULL DEFAULT 0,
  clawed_back    bigint NOT NULL DEFAULT 0,
  given_back     bigint NOT NULL DEFAULT 0,
  effective_at   timestamptz NOT NULL,
  expires_at     timestamptz,                  -- null: never
  created_at     timestamptz NOT NULL,
  fingerprint    bigint,
  workspace_id   int NOT NULL,
  credit_type_id int NOT NULL,
  number         int NOT NULL,
  priority       int NOT NULL,
  actor_id       int,
  open           boolean NOT NULL,             -- may still change: scheduled, or something remains
  state          text NOT NULL,
  source         text NOT NULL,
  reason         text,
  note           text,
  cost_amount    numeric(25, 12),              -- money paid per credit
  cost_currency  text,
  metadata       text,                         -- canonical JSON
  key            text COLLATE "C",             -- idempotency key
  PRIMARY KEY (customer_id, credit_type_id, number),
  CONSTRAINT grant_amount_positive CHECK (amount > 0),
  CONSTRAINT grant_cost_is_a_number CHECK (cost_amount >= 0 AND cost_amount < 'NaN'),
  CONSTRAINT grant_conservation CHECK (amount + given_back = remaining + burned + expired + voided + clawed_back),
  CONSTRAINT grant_held_within_remaining CHECK (held BETWEEN 0 AND remaining),
  CONSTRAINT grant_parts_not_negative CHECK (least(burned, expired, voided, clawed_back, given_back) >= 0),
  CONSTRAINT grant_closed_holds_nothing CHECK (open OR held = 0),
  CONSTRAINT grant_live_interval CHECK (expires_at > effective_at),
  CONSTRAINT grant_state CHECK (state IN (
    'SCHEDULED',  -- → active, by the clock
    'ACTIVE',     -- → depleted, expired, voided
    'DEPLETED',   -- → active, when something is given back
    'EXPIRED',    -- final, but for what open holds still keep
    'VOIDED'      -- final, but for what open holds still keep
  )),
  CONSTRAINT grant_source CHECK (source IN
    ('PURCHASE', 'RECHARGE', 'PLAN', 'TRIAL', 'PROMOTION', 'MANUAL', 'REFUND', 'ROLLOVER', 'ADJUSTMENT'))
) WITH (fillfactor = 80);
CREATE INDEX grants_open ON grants (customer_id, credit_type_id) WHERE open;                       -- every write, every balance
CREATE UNIQUE INDEX grant_key_is_one ON grants (customer_id, key) WHERE key IS NOT NULL;           -- replay

-- Credits set aside for work in progress.
CREATE TABLE holds (
  customer_id    bigint NOT NULL,
  amount         bigint NOT NULL CHECK (amount >= 0),
  remaining      bigint NOT NULL,              -- what is still set aside
  settled        bigint NOT NULL DEFAULT 0 CHECK (settled >= 0),
  opened_at      timestamptz NOT NULL,
  expires_at     timestamptz NOT NULL,         -- lapses by itself
  closed_at      timestamptz,
  workspace_id   int NOT NULL,
  credit_type_id int NOT NULL,
  number         int NOT NULL,
  feature_id     int,
  rate_id        int,
  status         text NOT NULL,
  member         text,
  dimensions     text,                         -- canonical JSON
  parts          bigint[] NOT NULL,            -- grant, amount, grant, amount …: what each grant still sets aside; grant 0: none, overdraft
  PRIMARY KEY (customer_id, credit_type_id, number),
  CONSTRAINT hold_remaining_within_amount CHECK (remaining BETWEEN 0 AND amount),
  CONSTRAINT hold_closed_keeps_nothing CHECK ((status = 'OPEN') = (closed_at IS NULL) AND (status = 'OPEN' OR remaining = 0)),
  CONSTRAINT hold_status CHECK (status IN (
    'OPEN',      -- → settled, released, lapsed
    'SETTLED',   -- final
    'RELEASED',  -- final
    'LAPSED'     -- final, by the clock
  ))
) WITH (fillfactor = 80);
CREATE INDEX holds_open ON holds (customer_id, credit_type_id, expires_at) WHERE status = 'OPEN';  -- what lapses; the list of open holds

-- What happened, for ever. `kind` is credits/ledger/entries.py: Kind.
CREATE TABLE entries (
  customer_id    bigint NOT NULL,
  amount         bigint NOT NULL,              -- effect on the posted balance
  balance_after  bigint NOT NULL,
  held_amount    bigint,                       -- effect on what is held; null: none (most entries: 8 bytes each)
  held_after     bigint,                       -- null: nothing held
  recorded_at    timestamptz NOT NULL,         -- when the book learned of it
  occurred_at    timestamptz,                  -- when it happened; null: when it was recorded
  fingerprint    bigint,                       -- of the payload that came with the idempotency key
  key_hash       bigint GENERATED ALWAYS AS (hashtextextended(key, 0)) STORED,  -- finds the key; see entry_key_is_one
  workspace_id   int NOT NULL,
  credit_type_id int NOT NULL,
  sequence       int NOT NULL,
  actor_id       int,                          -- null: the system
  feature_id     int,
  rate_id        int,
  hold_number    int,
  grant_number   int,                          -- the one grant that bore all of it …
  kind           smallint NOT NULL CHECK (kind BETWEEN 1 AND 13),
  hash           bytea NOT NULL,               -- SHA-256(hash of the entry before ‖ this entry)
  allocations    bigint[],                     -- … or grant, amount, grant, amount …; grant 0: overdraft; −g: overdraft that grant g repaid
  quantity       numeric,
  exact_amount   numeric,                      -- before rounding; null: the amount itself
  event          uuid,                         -- usage_events.key
  key            text COLLATE "C",             -- idempotency key
  member         text,
  note           text,
  reason         text,
  dimensions     text,                         -- canonical JSON: its bytes are hashed
  PRIMARY KEY (customer_id, credit_type_id, sequence),
  CONSTRAINT entry_quantity_is_a_number CHECK (quantity > '-Infinity' AND quantity < 'Infinity'),  -- NaN is above all
  CONSTRAINT entry_exact_amount_is_a_number CHECK (exact_amount > '-Infinity' AND exact_amount < 'Infinity')
);
-- Replay. By a hash: the key itself would make an entry 45 bytes larger. A customer's next key after a million meets the
-- hash of another with a chance of 1 in 10¹³; it is refused then, never mistaken.
CREATE UNIQUE INDEX entry_key_is_one ON entries (customer_id, key_hash) WHERE key IS NOT NULL;

-- The entries of one hold. Only they are in it: a burn pays nothing for it.
CREATE INDEX entries_of_hold ON entries (customer_id, credit_type_id, hold_number) WHERE hold_number IS NOT NULL;

-- ─── usage ───────────────────────────────────────────────────────────────────────────────────────────────
-- Events as they came. The primary key is (workspace, hash of source and id): the same source and id is a duplicate
-- whatever else it says, also under another customer. `outcome` is credits/posting/outcomes.py: EventOutcome.
CREATE TABLE usage_events (
  key          uuid NOT NULL,                  -- SHA-256(source ‖ NUL ‖ id), first 16 bytes; random for what has neither
  customer_id  bigint,                         -- null: unknown
  received_at  timestamptz NOT NULL,
  occurred_at  timestamptz NOT NULL,
  content      bigint NOT NULL,                -- fingerprint of the envelope: tells a repeat from a contradiction
  workspace_id int NOT NULL,
  outcome      smallint NOT NULL,
  attempts     smallint NOT NULL DEFAULT 1,
  source       text NOT NULL,
  event_id     text NOT NULL,
  type         text NOT NULL,
  subject      text NOT NULL,
  data         json NOT NULL,                  -- as received: a number stays the decimal it was written as
  entries      int[],                          -- credit type, sequence, credit type, sequence …
  message      text,                           -- why it is a dead letter
  resolved_at  timestamptz,
  PRIMARY KEY (workspace_id, key)
);
CREATE INDEX usage_events_dead ON usage_events (workspace_id, received_at, key) WHERE message IS NOT NULL;  -- dead letters

-- ─── walls ───────────────────────────────────────────────────────────────────────────────────────────────
-- Append-only also to our own code: rights first, triggers second (they stop the owner too), the chain third.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER entries_are_never_changed   BEFORE UPDATE OR DELETE ON entries FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entries_are_never_truncated BEFORE TRUNCATE ON entries FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER rate_cards_are_never_changed BEFORE UPDATE OR DELETE ON rate_cards FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER rate_cards_are_never_truncated BEFORE TRUNCATE ON rate_cards FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER rates_are_never_changed     BEFORE UPDATE OR DELETE ON rates FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER rates_are_never_truncated   BEFORE TRUNCATE ON rates FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT, INSERT ON entries, rate_cards, rates, actors, workspaces TO scrip_app;
GRANT SELECT, INSERT, UPDATE ON customers, api_keys, accounts, grants, holds, usage_events, credit_types, features, cohorts, bundles TO scrip_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON policies TO scrip_app;
GRANT USAGE ON SEQUENCE api_keys_id_seq TO scrip_app;  -- a key's actor carries the key's id, which is drawn first
GRANT UPDATE (clock_offset_us, config_version, catalog_version, late_cutoff_s) ON workspaces TO scrip_app;

-- The second fence: with the application's own checks switched off, a foreign query still sees nothing.
DO $$
DECLARE t text; own text;
BEGIN
  FOREACH t IN ARRAY ARRAY['actors', 'api_keys', 'customers', 'credit_types', 'features', 'cohorts', 'rate_cards', 'rates', 'bundles',
                           'policies', 'accounts', 'grants', 'holds', 'entries', 'usage_events'] LOOP
    -- The sub-select is evaluated once per statement, not once per row.
    own := '(workspace_id = (SELECT scrip_workspace()))';
    -- The ledger is looked up by customer, never by workspace, and its statistics lag behind. A bare equality tells the
    -- planner that a workspace sees one row in 200: it then reads the table whole and compares each row with each key of
    -- the batch, 70 times slower at 10,000 entries. Of what it cannot look into it assumes every second row.
    IF t IN ('accounts', 'grants', 'holds', 'entries') THEN
      own := format('(coalesce(%s, false))', own);
    END IF;
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY own_workspace ON %I USING %s WITH CHECK %s', t, own, own);
  END LOOP;
  ALTER TABLE workspaces ENABLE ROW LEVEL SECURITY;
  ALTER TABLE workspaces FORCE ROW LEVEL SECURITY;
  CREATE POLICY own_workspace ON workspaces USING (id = (SELECT scrip_workspace())) WITH CHECK (id = (SELECT scrip_workspace()));
END $$;

-- Before a credential is known there is no workspace. These three look across them, and tell no more than they must.
-- Row-level security is forced on the owner too, who runs them: it needs a policy of its own on these two tables.
CREATE POLICY owner_looks_up ON workspaces TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY owner_looks_up ON api_keys FOR SELECT TO CURRENT_USER USING (true);
CREATE FUNCTION find_api_key(hash bytea) RETURNS TABLE (workspace_id int, key_id int, actor_id int, role text, name text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public
  BEGIN ATOMIC
    SELECT k.workspace_id, k.id, k.actor_id, k.role, k.name FROM api_keys k WHERE k.secret_hash = hash AND k.revoked_at IS NULL;
  END;
CREATE FUNCTION list_workspaces() RETURNS TABLE (id int, name text, test_mode boolean)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public
  BEGIN ATOMIC
    SELECT w.id, w.name, w.test_mode FROM workspaces w ORDER BY w.id;
  END;
CREATE FUNCTION create_workspace(name text, test_mode boolean, now timestamptz) RETURNS int
  LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public
  BEGIN ATOMIC
    INSERT INTO workspaces (name, test_mode, created_at) VALUES (name, test_mode, now) RETURNING id;
  END;
-- Functions are everybody's unless it is said: other roles of the server have no business here.
REVOKE EXECUTE ON FUNCTION find_api_key(bytea), list_workspaces(), create_workspace(text, boolean, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_api_key(bytea), list_workspaces(), create_workspace(text, boolean, timestamptz) TO scrip_app;
