-- Payments: what was asked to be bought, what was paid for it, and what was paid back. Money is in the smallest unit of its
-- currency. Credits are micro-credits.

-- What money moved for credits, for ever: each beside the entry it made. Revenue is told from it.
CREATE TABLE money_movements (
  customer_id    bigint NOT NULL,
  minor          bigint NOT NULL,              -- of the price, before tax
  at             timestamptz NOT NULL,         -- on the workspace's clock
  workspace_id   int NOT NULL,
  number         int NOT NULL,                 -- 1, 2, 3 … of the customer
  credit_type_id int NOT NULL,
  grant_number   int NOT NULL,                 -- the grant that was bought
  sequence       int,                          -- of the entry it goes with; null: no credits moved
  kind           text NOT NULL,
  currency       text NOT NULL,
  reference      text NOT NULL,                -- public id of the top-up
  PRIMARY KEY (customer_id, number),
  CONSTRAINT movement_is_not_negative CHECK (minor >= 0),
  CONSTRAINT movement_kind CHECK (kind IN (
    'SALE',           -- with the GRANT entry
    'REFUND',         -- with a CLAWBACK entry, or none where it is less than the least credit
    'REFUND_FAILED',  -- with the REVERSE of that entry
    'CHARGEBACK',     -- with a CLAWBACK entry: a payment dispute took the money
    'CHARGEBACK_WON'  -- with the REVERSE of that entry: it came back
  )),
  CONSTRAINT sale_has_its_entry CHECK (kind <> 'SALE' OR sequence IS NOT NULL)
);
CREATE UNIQUE INDEX entry_has_one_movement ON money_movements (customer_id, credit_type_id, sequence) WHERE sequence IS NOT NULL;
CREATE INDEX movements_at ON money_movements (workspace_id, at);
CREATE TRIGGER money_movements_are_never_changed   BEFORE UPDATE OR DELETE ON money_movements FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER money_movements_are_never_truncated BEFORE TRUNCATE ON money_movements FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The intent to buy. It is there before anybody outside is asked for money.
CREATE TABLE top_ups (
  customer_id    bigint NOT NULL,
  credits        bigint NOT NULL,              -- bonus included
  price          bigint NOT NULL,              -- before tax
  paid           bigint,                       -- with tax; null until paid
  paid_back      bigint NOT NULL DEFAULT 0,    -- of what was paid: refunds and lost or open payment disputes
  clawed_back    bigint NOT NULL DEFAULT 0,    -- credits, for what was paid back
  fingerprint    bigint NOT NULL,              -- of what was asked for
  created_at     timestamptz NOT NULL,         -- these on the workspace's clock
  changed_at     timestamptz NOT NULL,
  settled_at     timestamptz,                  -- succeeded, failed or canceled
  asked_at       timestamptz NOT NULL,         -- in real time: created
  look_at        timestamptz,                  -- in real time: when the provider is asked again; null: it is not
  workspace_id   int NOT NULL,
  number         int NOT NULL,                 -- 1, 2, 3 … of the customer
  credit_type_id int NOT NULL,
  bundle_id      int NOT NULL REFERENCES bundles,
  quantity       int NOT NULL,
  priority       int NOT NULL,                 -- of the grant it makes
  version        int NOT NULL,                 -- grows by one with every change
  grant_number   int,                          -- once it is paid
  actor_id       int,
  automatic      boolean NOT NULL,             -- a recharge
  currency       text NOT NULL,
  expires_after  text,
  status         text NOT NULL,
  provider       text NOT NULL,
  mode           text NOT NULL,                -- HOSTED, ELEMENT, OFF_SESSION
  return_url     text,
  method         text,                         -- the payment method of a recharge, by the provider's id
  session        text,                         -- the provider's ids
  payment        text,
  checkout_url   text,
  client_secret  text,
  receipt_url    text,
  failure        text,
  decline_code   text,
  key            text COLLATE "C",             -- idempotency key; null: a recharge
  PRIMARY KEY (customer_id, number),
  CONSTRAINT top_up_has_something CHECK (quantity > 0 AND credits > 0 AND price >= 0),
  CONSTRAINT top_up_pays_back_at_most_what_was_paid CHECK (paid_back BETWEEN 0 AND coalesce(paid, 0)),
  CONSTRAINT top_up_claws_back_at_most_its_credits CHECK (clawed_back BETWEEN 0 AND credits),
  CONSTRAINT top_up_paid_has_its_grant CHECK ((status IN ('SUCCEEDED', 'REFUNDED', 'DISPUTED')) = (grant_number IS NOT NULL)),
  CONSTRAINT top_up_paid_is_known CHECK ((paid IS NULL) = (grant_number IS NULL)),
  CONSTRAINT top_up_open_is_not_settled CHECK ((status IN ('PENDING', 'REQUIRES_ACTION')) = (settled_at IS NULL)),
  CONSTRAINT top_up_status CHECK (status IN (
    'PENDING',          -- → requires action, succeeded, failed, canceled
    'REQUIRES_ACTION',  -- → pending, succeeded, failed, canceled
    'SUCCEEDED',        -- → refunded, disputed
    'FAILED',           -- → succeeded, where the provider says that it was paid after all
    'CANCELED',         -- → succeeded, likewise
    'REFUNDED',         -- all of it was paid back; → disputed, succeeded (a refund that failed)
    'DISPUTED'          -- the bank took the money; → succeeded, refunded when it is won
  )),
  CONSTRAINT top_up_mode CHECK (mode IN ('HOSTED', 'ELEMENT', 'OFF_SESSION'))
);
CREATE UNIQUE INDEX top_up_key_is_one ON top_ups (customer_id, key) WHERE key IS NOT NULL;
CREATE UNIQUE INDEX one_recharge_at_a_time ON top_ups (customer_id, credit_type_id)
  WHERE automatic AND status IN ('PENDING', 'REQUIRES_ACTION');
CREATE UNIQUE INDEX grant_is_of_one_top_up ON top_ups (customer_id, credit_type_id, grant_number) WHERE grant_number IS NOT NULL;
CREATE INDEX top_ups_to_look_at ON top_ups (workspace_id, look_at) WHERE look_at IS NOT NULL;

-- What was paid back of a top-up, or is about to be: refunds, and payment disputes at the customer's bank.
CREATE TABLE paybacks (
  customer_id    bigint NOT NULL,
  amount         bigint NOT NULL,              -- of what was paid, with tax
  counted        bigint NOT NULL DEFAULT 0,    -- of the amount: less where more went back in all than was ever paid
  minor          bigint NOT NULL DEFAULT 0,    -- of the price, before tax: what its money movement says
  credits        bigint NOT NULL DEFAULT 0,    -- that were clawed back for it
  fingerprint    bigint,
  created_at     timestamptz NOT NULL,
  settled_at     timestamptz,
  workspace_id   int NOT NULL,
  top_up         int NOT NULL,
  number         int NOT NULL,                 -- 1, 2, 3 … of the top-up
  sequence       int,                          -- of the CLAWBACK entry
  undone_by      int,                          -- sequence of the REVERSE entry
  actor_id       int,
  kind           text NOT NULL,                -- REFUND, CHARGEBACK
  status         text NOT NULL,
  provider_id    text,                         -- null until the provider has said so
  reason         text,
  note           text,
  key            text COLLATE "C",
  PRIMARY KEY (customer_id, top_up, number),
  CONSTRAINT payback_is_something CHECK (amount > 0 AND credits >= 0 AND minor >= 0),
  CONSTRAINT payback_counts_at_most_its_amount CHECK (counted BETWEEN 0 AND amount),
  CONSTRAINT payback_took_where_it_is_done CHECK (status IN ('DONE', 'UNDONE') OR (counted, minor, credits) = (0, 0, 0)),
  CONSTRAINT payback_kind CHECK (kind IN ('REFUND', 'CHARGEBACK')),
  CONSTRAINT payback_status CHECK (status IN (
    'ASKED',   -- our wish, before the provider's answer; → done, failed
    'DONE',    -- the money is gone, and the credits with it; → undone
    'FAILED',  -- nothing was ever taken back; → done, where the provider has paid it although it had refused
    'UNDONE'   -- final: a refund that failed later, a payment dispute that was won
  ))
);
CREATE UNIQUE INDEX payback_key_is_one ON paybacks (customer_id, key) WHERE key IS NOT NULL;
CREATE UNIQUE INDEX payback_is_one ON paybacks (customer_id, provider_id) WHERE provider_id IS NOT NULL;

-- Whom the provider knows as our customer.
CREATE TABLE payment_customers (
  customer_id  bigint NOT NULL,
  provider     text NOT NULL,
  workspace_id int NOT NULL,
  provider_id  text NOT NULL,
  PRIMARY KEY (customer_id, provider)
);

-- What a customer can be charged by without being asked. No card data: a label, and the provider's id.
CREATE TABLE payment_methods (
  customer_id  bigint NOT NULL,
  provider     text NOT NULL,
  provider_id  text NOT NULL,
  workspace_id int NOT NULL,
  label        text NOT NULL,                  -- "Visa •••• 4242"
  expires      text,                           -- "2030-04"
  is_default   boolean NOT NULL,
  saved_at     timestamptz NOT NULL,
  PRIMARY KEY (customer_id, provider, provider_id)
);
CREATE UNIQUE INDEX one_default_method ON payment_methods (customer_id, provider) WHERE is_default;

-- Recharge: the rule buys.
CREATE TABLE recharge_rules (
  customer_id      bigint NOT NULL,
  threshold        bigint NOT NULL,            -- credits
  target           bigint,                     -- credits; null: back to the threshold, at least one bundle
  cap              bigint NOT NULL,            -- money a calendar month of the customer's timezone
  changed_at       timestamptz NOT NULL,       -- these on the workspace's clock
  try_at           timestamptz,                -- not before it, after a failure
  capped_until     timestamptz,                -- not before it: the cap left no room; null again when the rule is set
  suspended_at     timestamptz,                -- until the payment method changes
  workspace_id     int NOT NULL,
  credit_type_id   int NOT NULL,
  bundle_id        int NOT NULL REFERENCES bundles,
  failures         int NOT NULL DEFAULT 0,     -- in a row
  version          int NOT NULL,
  actor_id         int,
  enabled          boolean NOT NULL,
  currency         text NOT NULL,
  suspended_reason text,
  PRIMARY KEY (customer_id, credit_type_id),
  CONSTRAINT rule_threshold CHECK (threshold >= 0),
  CONSTRAINT rule_target CHECK (target > threshold),
  CONSTRAINT rule_cap CHECK (cap >= 0),
  CONSTRAINT rule_suspended_has_its_reason CHECK ((suspended_at IS NULL) = (suspended_reason IS NULL))
);
CREATE INDEX rules_enabled ON recharge_rules (workspace_id) WHERE enabled;

-- What the provider has told us, each once and for ever.
CREATE TABLE payment_events (
  workspace_id int NOT NULL,
  id           text NOT NULL COLLATE "C",      -- the provider's
  provider     text NOT NULL,
  type         text NOT NULL,
  received_at  timestamptz NOT NULL,
  PRIMARY KEY (workspace_id, provider, id)
);

-- What does not fit together: no credits moved for it, and an operator looks at it.
CREATE TABLE payment_issues (
  workspace_id int NOT NULL,
  id           bigint GENERATED ALWAYS AS IDENTITY,
  customer_id  bigint,
  top_up       int,
  at           timestamptz NOT NULL,
  resolved_at  timestamptz,
  kind         text NOT NULL,                  -- AMOUNT, CURRENCY, CUSTOMER, MODE, UNKNOWN_ORDER …
  resolved_by  int,                            -- actor
  note         text,                           -- of whoever has resolved it
  message      text NOT NULL,
  event        text,                           -- the provider's id of what told us
  expected     text,
  actual       text,
  PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX issue_is_told_once ON payment_issues (workspace_id, customer_id, top_up, kind, actual) NULLS NOT DISTINCT;

-- How far the provider's own list of events has been read for the workspace.
CREATE TABLE payment_cursors (
  workspace_id int NOT NULL,
  provider     text NOT NULL,
  cursor       text NOT NULL,
  read_at      timestamptz NOT NULL,
  PRIMARY KEY (workspace_id, provider)
);

GRANT SELECT, INSERT ON money_movements, payment_events TO scrip_app;
GRANT SELECT, INSERT, UPDATE ON top_ups, paybacks, payment_customers, recharge_rules, payment_issues, payment_cursors TO scrip_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON payment_methods TO scrip_app;

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['money_movements', 'top_ups', 'paybacks', 'payment_customers', 'payment_methods', 'recharge_rules',
                           'payment_events', 'payment_issues', 'payment_cursors'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY own_workspace ON %I USING (workspace_id = (SELECT scrip_workspace())) '
                   'WITH CHECK (workspace_id = (SELECT scrip_workspace()))', t);
  END LOOP;
END $$;
