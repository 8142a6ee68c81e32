-- Proof: the audit log, signed checkpoints of every chain, what the last reconciliation found, and the kill switch.

-- ─── audit log ───────────────────────────────────────────────────────────────────────────────────────────
-- Each change of configuration and each act of an operator, written with the change itself. Personal data stays in
-- `customers`: what is written here names a customer by id.
CREATE TABLE audit_log (
  id           bigint GENERATED ALWAYS AS IDENTITY,
  workspace_id int NOT NULL,
  at           timestamptz NOT NULL,           -- by the workspace's clock
  actor_id     int,                            -- null: the system
  action       text NOT NULL,                  -- `policy.set`
  subject      text NOT NULL,                  -- public id of what was changed, or a word for what there is one of
  before       jsonb,
  after        jsonb,
  PRIMARY KEY (workspace_id, id)
);
CREATE INDEX audit_log_of_subject ON audit_log (workspace_id, subject, id);

-- ─── checkpoints ─────────────────────────────────────────────────────────────────────────────────────────
-- Where every chain of a workspace stood at one instant, signed. credits/proof/checkpoints.py says what is hashed.
CREATE TABLE checkpoints (
  workspace_id int NOT NULL,
  number       int NOT NULL CHECK (number > 0),
  at           timestamptz NOT NULL,           -- real time
  accounts     bigint NOT NULL,
  entries      bigint NOT NULL,
  root         bytea NOT NULL,                 -- of the Merkle tree over all accounts
  previous     bytea NOT NULL,                 -- hash of the checkpoint before; the first: 32 zero bytes
  public_key   bytea NOT NULL,
  signature    bytea NOT NULL,
  PRIMARY KEY (workspace_id, number)
);

-- The accounts that had changed since the checkpoint before: at most a row for each entry, and a third of its size.
CREATE TABLE checkpoint_heads (
  customer_id    bigint NOT NULL,
  credit_type_id int NOT NULL,
  number         int NOT NULL,                 -- of the checkpoint
  sequence       int NOT NULL,
  workspace_id   int NOT NULL,
  head           bytea NOT NULL,               -- hash of the entry `sequence`
  PRIMARY KEY (customer_id, credit_type_id, number)
);

-- ─── reconciliation ──────────────────────────────────────────────────────────────────────────────────────
-- The last one of each workspace. `begun_at` is also who does it: one process of many takes the row.
CREATE TABLE reconciliations (
  workspace_id int PRIMARY KEY,
  begun_at     timestamptz NOT NULL,
  at           timestamptz,                    -- null: none has been finished
  found        jsonb
);

-- ─── kill switch ─────────────────────────────────────────────────────────────────────────────────────────
ALTER TABLE workspaces ADD COLUMN enforcement_off boolean NOT NULL DEFAULT false;  -- all of it, whatever policies say
GRANT UPDATE (enforcement_off) ON workspaces TO scrip_app;

-- ─── walls ───────────────────────────────────────────────────────────────────────────────────────────────
CREATE TRIGGER audit_log_is_never_changed   BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_log_is_never_truncated BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER checkpoints_are_never_changed   BEFORE UPDATE OR DELETE ON checkpoints FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER checkpoints_are_never_truncated BEFORE TRUNCATE ON checkpoints FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER checkpoint_heads_are_never_changed   BEFORE UPDATE OR DELETE ON checkpoint_heads FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER checkpoint_heads_are_never_truncated BEFORE TRUNCATE ON checkpoint_heads FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT, INSERT ON audit_log, checkpoints, checkpoint_heads TO scrip_app;
GRANT SELECT, INSERT, UPDATE ON reconciliations TO scrip_app;

DO $$
DECLARE t text; own text;
BEGIN
  FOREACH t IN ARRAY ARRAY['audit_log', 'checkpoints', 'checkpoint_heads', 'reconciliations'] LOOP
    own := '(workspace_id = (SELECT scrip_workspace()))';
    IF t = 'checkpoint_heads' THEN  -- looked up by customer: see 0001_foundation.sql
      own := format('(coalesce(%s, false))', own);
    END IF;
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY own_workspace ON %I USING %s WITH CHECK %s', t, own, own);
  END LOOP;
END $$;
