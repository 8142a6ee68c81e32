-- Disputes: what a customer contests, and what became of it.

ALTER TABLE workspaces ADD COLUMN dispute_sla_s bigint CHECK (dispute_sla_s > 0);  -- null: the setting
GRANT UPDATE (dispute_sla_s) ON workspaces TO scrip_app;

CREATE TABLE disputes (
  customer_id    bigint NOT NULL,
  amount         bigint NOT NULL,              -- what of its entries had not been given back when it was opened
  given_back     bigint NOT NULL DEFAULT 0,    -- by its resolution
  opened_at      timestamptz NOT NULL,
  due_at         timestamptz NOT NULL,
  changed_at     timestamptz NOT NULL,
  resolved_at    timestamptz,                  -- upheld, rejected or withdrawn
  fingerprint    bigint,                       -- of the resolution's payload
  workspace_id   int NOT NULL,
  number         int NOT NULL,                 -- 1, 2, 3 … of the customer
  version        int NOT NULL,                 -- grows by one with every change
  credit_type_id int NOT NULL,
  opened_by      int,
  assignee       int,
  sequences      int[] NOT NULL,               -- of the contested entries, ascending
  status         text NOT NULL,
  reason         text NOT NULL,
  resolution     text,
  key            text COLLATE "C",             -- idempotency key of the resolution
  PRIMARY KEY (customer_id, number),
  CONSTRAINT dispute_amount_positive CHECK (amount > 0),
  CONSTRAINT dispute_gives_back_at_most_its_amount CHECK (given_back BETWEEN 0 AND amount),
  CONSTRAINT dispute_only_upheld_gives_back CHECK (given_back = 0 OR status = 'UPHELD'),
  CONSTRAINT dispute_closed_has_its_instant CHECK ((status IN ('OPEN', 'INVESTIGATING')) = (resolved_at IS NULL)),
  CONSTRAINT dispute_status CHECK (status IN (
    'OPEN',           -- → investigating, upheld, rejected, withdrawn
    'INVESTIGATING',  -- → open, upheld, rejected, withdrawn
    'UPHELD',         -- final
    'REJECTED',       -- final
    'WITHDRAWN'       -- final
  ))
);
CREATE UNIQUE INDEX dispute_key_is_one ON disputes (customer_id, key) WHERE key IS NOT NULL;
CREATE INDEX disputes_due ON disputes (workspace_id, due_at);          -- the operators' list
CREATE INDEX disputes_changed ON disputes (workspace_id, changed_at);  -- who watches

-- Which entries are contested where; an entry may be in one open dispute only.
CREATE TABLE dispute_entries (
  customer_id    bigint NOT NULL,
  workspace_id   int NOT NULL,
  credit_type_id int NOT NULL,
  sequence       int NOT NULL,
  number         int NOT NULL,                 -- of the dispute
  open           boolean NOT NULL,
  PRIMARY KEY (customer_id, credit_type_id, sequence, number)
);
CREATE UNIQUE INDEX entry_is_in_one_open_dispute ON dispute_entries (customer_id, credit_type_id, sequence) WHERE open;

-- What happened in a dispute, for ever.
CREATE TABLE dispute_events (
  customer_id  bigint NOT NULL,
  at           timestamptz NOT NULL,
  workspace_id int NOT NULL,
  number       int NOT NULL,                   -- of the dispute
  position     int NOT NULL,                   -- 1, 2, 3 …
  actor_id     int,
  action       text NOT NULL,
  note         text,
  PRIMARY KEY (customer_id, number, position)
);
CREATE TRIGGER dispute_events_are_never_changed   BEFORE UPDATE OR DELETE ON dispute_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER dispute_events_are_never_truncated BEFORE TRUNCATE ON dispute_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT, INSERT, UPDATE ON disputes, dispute_entries TO scrip_app;
GRANT SELECT, INSERT ON dispute_events TO scrip_app;

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['disputes', 'dispute_entries', 'dispute_events'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY own_workspace ON %I USING (workspace_id = (SELECT scrip_workspace())) '
                   'WITH CHECK (workspace_id = (SELECT scrip_workspace()))', t);
  END LOOP;
END $$;
