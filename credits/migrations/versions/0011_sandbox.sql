-- The sandbox: a payment provider that moves no money. Its own books, as an outside party would keep them: nothing here is
-- asked by the rest of Scrip but through `Provider`. Money is in the smallest unit of its currency; times are real.

CREATE TABLE sandbox_payments (
  customer_id  bigint NOT NULL,
  subtotal     bigint NOT NULL,
  paid_back    bigint NOT NULL DEFAULT 0,      -- refunds, and payment disputes that are open or lost
  created_at   timestamptz NOT NULL,
  changed_at   timestamptz NOT NULL,
  expires_at   timestamptz NOT NULL,           -- its page takes nothing from then on
  workspace_id int NOT NULL,
  number       int NOT NULL,                   -- of the order: with the customer, our id of it
  quantity     int NOT NULL,
  version      int NOT NULL,                   -- grows by one with every change
  state        text NOT NULL,
  mode         text NOT NULL,
  name         text NOT NULL,                  -- of what is bought
  currency     text NOT NULL,
  return_url   text,
  method       text,                           -- what an off-session charge was made by
  failure      text,
  decline_code text,
  PRIMARY KEY (customer_id, number),
  CONSTRAINT sandbox_pays_back_what_was_paid CHECK (paid_back = 0 OR (state = 'SUCCEEDED' AND paid_back BETWEEN 1 AND subtotal)),
  CONSTRAINT sandbox_state CHECK (state IN (
    'PENDING',          -- → requires action, succeeded, failed, canceled
    'REQUIRES_ACTION',  -- → succeeded, failed, canceled
    'SUCCEEDED',        -- final
    'FAILED',           -- declined; on a page → as pending; off-session: final
    'CANCELED'          -- final
  ))
);

-- What was paid back of a payment.
CREATE TABLE sandbox_paybacks (
  customer_id  bigint NOT NULL,
  amount       bigint NOT NULL,
  created_at   timestamptz NOT NULL,
  workspace_id int NOT NULL,
  number       int NOT NULL,                   -- of the order
  position     int NOT NULL,                   -- 1, 2, 3 … of the payment
  kind         text NOT NULL,                  -- REFUND, CHARGEBACK
  state        text NOT NULL,
  ours         text COLLATE "C",               -- the id of whoever asked for a refund: its idempotency key
  PRIMARY KEY (customer_id, number, position),
  CONSTRAINT sandbox_payback_is_something CHECK (amount > 0),
  CONSTRAINT sandbox_payback_state CHECK ((kind, state) IN (
    ('REFUND', 'DONE'),
    ('CHARGEBACK', 'OPEN'),  -- the bank has the money; → won, lost
    ('CHARGEBACK', 'WON'),   -- final: it came back
    ('CHARGEBACK', 'LOST')   -- final
  ))
);
CREATE UNIQUE INDEX sandbox_refund_is_one ON sandbox_paybacks (customer_id, ours) WHERE ours IS NOT NULL;
CREATE UNIQUE INDEX sandbox_chargeback_is_one_at_a_time ON sandbox_paybacks (customer_id, number) WHERE state = 'OPEN';

-- What a customer saved to be charged by. The newest is the default.
CREATE TABLE sandbox_methods (
  customer_id  bigint NOT NULL,
  saved_at     timestamptz NOT NULL,
  workspace_id int NOT NULL,
  number       int NOT NULL,                   -- 1, 2, 3 … of the customer
  kind         text NOT NULL,
  PRIMARY KEY (customer_id, number),
  CONSTRAINT sandbox_method_kind CHECK (kind IN ('ok', 'declining', 'authenticating'))
);

GRANT SELECT, INSERT, UPDATE ON sandbox_payments, sandbox_paybacks TO scrip_app;
GRANT SELECT, INSERT ON sandbox_methods TO scrip_app;

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['sandbox_payments', 'sandbox_paybacks', 'sandbox_methods'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY own_workspace ON %I USING (workspace_id = (SELECT scrip_workspace())) '
                   'WITH CHECK (workspace_id = (SELECT scrip_workspace()))', t);
  END LOOP;
END $$;

-- Its page is opened by a browser that shows no credential: who has the order's id may play with it. This tells in which
-- test workspace that is, and nothing else.
CREATE POLICY owner_looks_up ON sandbox_payments FOR SELECT TO CURRENT_USER USING (true);
CREATE FUNCTION find_sandbox_payment(customer bigint, order_number int) RETURNS int
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public
  BEGIN ATOMIC
    SELECT p.workspace_id FROM sandbox_payments p JOIN workspaces w ON w.id = p.workspace_id AND w.test_mode
     WHERE p.customer_id = customer AND p.number = order_number;
  END;
REVOKE EXECUTE ON FUNCTION find_sandbox_payment(bigint, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_sandbox_payment(bigint, int) TO scrip_app;
