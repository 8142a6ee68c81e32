-- Webhooks out: who is told what, what there is to tell, and what became of it.
--
-- All instants here are real time, the database's: an endpoint lives outside of the workspace and its clock.

-- Where a workspace wants to be told. Its signing secrets are derived from the salts and the server's secret key: see
-- credits/webhooks/signing.py. What is stolen from this table signs nothing.
CREATE TABLE webhook_endpoints (
  id               int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  workspace_id     int NOT NULL REFERENCES workspaces,
  url              text NOT NULL,
  events           text[] NOT NULL,            -- `*`: all of them
  enabled          boolean NOT NULL DEFAULT true,
  disabled_because text,                       -- what an operator is to be told, where the system has done it
  salt             bytea NOT NULL,
  previous_salt    bytea,                      -- signs too, for a while after rotated_at
  rotated_at       timestamptz,
  failures         int NOT NULL DEFAULT 0,     -- attempts in a row
  failing_since    timestamptz,                -- the first of them
  last_delivery_at timestamptz,
  created_at       timestamptz NOT NULL,
  CONSTRAINT endpoint_wants_something CHECK (cardinality(events) > 0),
  CONSTRAINT endpoint_failures_have_a_beginning CHECK (failures >= 0 AND (failures = 0) = (failing_since IS NULL)),
  CONSTRAINT endpoint_rotation_has_its_instant CHECK ((previous_salt IS NULL) = (rotated_at IS NULL))
);
CREATE INDEX webhook_endpoints_of_workspace ON webhook_endpoints (workspace_id, id);

-- The outbox: written with the fact that it tells of, never changed, forgotten when all its deliveries are.
CREATE TABLE webhook_messages (
  customer_id  bigint NOT NULL,                -- 0: the workspace's own
  key          uuid NOT NULL,                  -- of the fact: the same one is told once
  created_at   timestamptz NOT NULL,
  workspace_id int NOT NULL,
  type         text NOT NULL,
  body         text NOT NULL,                  -- to the byte as it is signed and sent
  PRIMARY KEY (customer_id, key)
);
CREATE INDEX webhook_messages_old ON webhook_messages (workspace_id, created_at);  -- what may be forgotten
CREATE TRIGGER webhook_messages_are_never_changed BEFORE UPDATE ON webhook_messages FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- One message on its way to one endpoint.
CREATE TABLE webhook_deliveries (
  customer_id   bigint NOT NULL,
  id            bigint GENERATED ALWAYS AS IDENTITY,  -- ascends in the order in which a customer's messages were written
  message       uuid NOT NULL,
  created_at    timestamptz NOT NULL,
  attempted_at  timestamptz,                   -- the last attempt
  next_at       timestamptz,                   -- when the next one is due, where one has failed
  closed_at     timestamptz,
  workspace_id  int NOT NULL,
  endpoint_id   int NOT NULL,
  attempts      int NOT NULL DEFAULT 0,
  step          int NOT NULL DEFAULT 0,        -- in the schedule of retries; begins anew with a replay
  response_code smallint,
  status        text NOT NULL DEFAULT 'WAITING',
  error         text,
  PRIMARY KEY (customer_id, id),
  CONSTRAINT delivery_is_one UNIQUE (customer_id, message, endpoint_id),
  CONSTRAINT delivery_counts_not_negative CHECK (attempts >= 0 AND step >= 0),
  CONSTRAINT delivery_closed_has_its_instant CHECK ((status = 'WAITING') = (closed_at IS NULL)),
  CONSTRAINT delivery_status CHECK (status IN (
    'WAITING',    -- → delivered, failed
    'DELIVERED',  -- → waiting, when it is replayed
    'FAILED'      -- given up; → waiting, when it is replayed
  ))
);
CREATE INDEX deliveries_waiting ON webhook_deliveries (endpoint_id, customer_id, id) WHERE status = 'WAITING';  -- the next of a lane
CREATE INDEX deliveries_of_endpoint ON webhook_deliveries (endpoint_id, id);                                   -- the log
CREATE INDEX deliveries_oldest ON webhook_deliveries (workspace_id, created_at) WHERE status = 'WAITING';      -- what operators watch
CREATE INDEX deliveries_closed ON webhook_deliveries (workspace_id, closed_at) WHERE closed_at IS NOT NULL;    -- what may be forgotten

-- What waits for one endpoint about one customer goes one after the other: the row is there as long as anything waits,
-- and whoever has leased it sends. Without a row nothing is sent, so whoever tells something makes it, or locks it:
-- what is told while a sender finds nothing more to send is then found, or makes the row anew.
CREATE TABLE webhook_lanes (
  customer_id  bigint NOT NULL,
  endpoint_id  int NOT NULL,
  next_at      timestamptz NOT NULL,           -- not before; of a leased one the end of its lease
  leased_until timestamptz,
  workspace_id int NOT NULL,
  leases       int NOT NULL DEFAULT 0,         -- which of them is the present one
  PRIMARY KEY (customer_id, endpoint_id)
);
CREATE INDEX webhook_lanes_due ON webhook_lanes (endpoint_id, next_at);

-- Up to which expiry the grants of a workspace have been told of, so many days before it; by the workspace's clock.
-- The rest of the place: several grants end at one instant.
CREATE TABLE expiry_horizons (
  workspace_id   int NOT NULL,
  days           smallint NOT NULL,
  expires_at     timestamptz NOT NULL,
  customer_id    bigint NOT NULL,
  credit_type_id int NOT NULL,
  number         int NOT NULL,
  PRIMARY KEY (workspace_id, days)
);
-- Never changed by a burn: nothing in it is, so its updates stay on their page.
CREATE INDEX grants_ending ON grants (workspace_id, expires_at, customer_id, credit_type_id, number) WHERE expires_at IS NOT NULL;

-- ─── walls ───────────────────────────────────────────────────────────────────────────────────────────────
GRANT SELECT, INSERT, DELETE ON webhook_messages TO scrip_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_endpoints, webhook_deliveries, webhook_lanes, expiry_horizons TO scrip_app;

DO $$
DECLARE t text; own text;
BEGIN
  FOREACH t IN ARRAY ARRAY['webhook_endpoints', 'webhook_messages', 'webhook_deliveries', 'webhook_lanes', 'expiry_horizons'] LOOP
    own := '(workspace_id = (SELECT scrip_workspace()))';
    -- As for the ledger's tables: looked up by customer, never by workspace.
    IF t IN ('webhook_messages', 'webhook_deliveries', 'webhook_lanes') THEN
      own := format('(coalesce(%s, false))', own);
    END IF;
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY own_workspace ON %I USING %s WITH CHECK %s', t, own, own);
  END LOOP;
END $$;
