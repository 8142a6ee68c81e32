-- Phases of an account, so that what arrives late can be placed where it belongs; a cutoff of a customer's own.

-- An account's time, cut where more changed than burns can change. Derived: the ledger is the entries. A row is written
-- at each boundary, never for a burn, and what it drew changes when late usage is placed in it.
CREATE TABLE phases (
  customer_id    bigint NOT NULL,
  until          timestamptz NOT NULL,         -- the boundary that ended it
  workspace_id   int NOT NULL,
  credit_type_id int NOT NULL,
  number         int NOT NULL,                 -- of the account's phases, in the order they were written
  rank           smallint NOT NULL CHECK (rank BETWEEN 1 AND 4),      -- credits/ledger/phases.py: Rank
  boundary       smallint NOT NULL CHECK (boundary BETWEEN 1 AND 5),  -- credits/ledger/phases.py: Boundary
  moved          bigint[] NOT NULL,            -- what the boundary did: grant, amount, grant, amount …
  repaid         bigint[],                     -- overdraft that was paid there: grant, amount …
  drawn          bigint[],                     -- what its burns took: grant, amount …; grant 0: overdraft
  PRIMARY KEY (customer_id, credit_type_id, until, number)
) WITH (fillfactor = 90);

ALTER TABLE accounts
  ADD COLUMN phases    int NOT NULL DEFAULT 0, -- numbers given out
  ADD COLUMN phased_at timestamptz,            -- where the present phase began
  ADD COLUMN drawn     bigint[];               -- what burned in it: grant, amount …; grant 0: overdraft

ALTER TABLE customers
  ADD COLUMN late_cutoff_s bigint,             -- null: the workspace's
  ADD CONSTRAINT late_cutoff_not_negative CHECK (late_cutoff_s >= 0);
ALTER TABLE workspaces
  ADD CONSTRAINT late_cutoff_not_negative CHECK (late_cutoff_s >= 0);

GRANT SELECT, INSERT, UPDATE ON phases TO scrip_app;
ALTER TABLE phases ENABLE ROW LEVEL SECURITY;
ALTER TABLE phases FORCE ROW LEVEL SECURITY;
CREATE POLICY own_workspace ON phases USING (coalesce(workspace_id = (SELECT scrip_workspace()), false))
  WITH CHECK (coalesce(workspace_id = (SELECT scrip_workspace()), false));
