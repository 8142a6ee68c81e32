"""The statements of top-ups that run under the customer's lock, within the writer's batch, or that take work from a queue.

All of them run on either door: under the customer's lock, a top-up is changed by the same statements whether credits move
with it (then the batch writer holds the lock) or not.
"""

# read_top_up, read_paybacks -- What a truth is settled against; under the lock.
READ_TOP_UP = "SELECT * FROM top_ups WHERE customer_id = $1 AND number = $2"
READ_PAYBACKS = "SELECT * FROM paybacks WHERE customer_id = $1 AND top_up = $2 ORDER BY number"

# insert_top_up -- The intent, numbered under the lock.
INSERT_TOP_UP = """
INSERT INTO top_ups (customer_id, number, workspace_id, credit_type_id, bundle_id, quantity, credits, price, currency,
                     status, automatic, provider, mode, priority, expires_after, actor_id, return_url, method, key,
                     fingerprint, version, created_at, changed_at, asked_at, look_at)
SELECT $1, 1 + coalesce((SELECT max(number) FROM top_ups WHERE customer_id = $1), 0), scrip_workspace(), $2, $3, $4, $5,
       $6, $7, 'PENDING', $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, 1, $18, $18, $19, $20
RETURNING *
"""

# update_top_up -- Everything of it that ever changes. Only by who has read that version: under the lock there is no other.
UPDATE_TOP_UP = """
UPDATE top_ups SET status = $3, version = $4, changed_at = $5, settled_at = $6, look_at = $7, paid = $8, paid_back = $9,
                   clawed_back = $10, grant_number = $11, session = $12, payment = $13, checkout_url = $14,
                   client_secret = $15, receipt_url = $16, failure = $17, decline_code = $18
 WHERE customer_id = $1 AND number = $2 AND version = $4 - 1
"""

# keep_payback -- New, or what became of it.
KEEP_PAYBACK = """
INSERT INTO paybacks (customer_id, top_up, number, workspace_id, kind, status, amount, counted, minor, credits,
                      provider_id, sequence, undone_by, actor_id, reason, note, key, fingerprint, created_at, settled_at)
VALUES ($1, $2, $3, scrip_workspace(), $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
ON CONFLICT (customer_id, top_up, number) DO UPDATE
   SET status = excluded.status, amount = excluded.amount, counted = excluded.counted, minor = excluded.minor,
       credits = excluded.credits, provider_id = excluded.provider_id, sequence = excluded.sequence,
       undone_by = excluded.undone_by, settled_at = excluded.settled_at
"""

# tell_issue -- Once for what it says, also after an operator has resolved it.
TELL_ISSUE = """
INSERT INTO payment_issues (workspace_id, customer_id, top_up, at, kind, message, event, expected, actual)
VALUES (scrip_workspace(), $1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING
"""

# look_later -- When nothing of the top-up changed but the instant at which its provider is asked again.
LOOK_LATER = "UPDATE top_ups SET look_at = $3 WHERE customer_id = $1 AND number = $2 AND version = $4"

# claim_due -- Whose provider is to be asked now, each for one of all processes: the others see it later, and so does
# everybody where whoever has taken it dies. In the order in which they were due.
CLAIM_DUE = """
UPDATE top_ups t SET look_at = $3
  FROM (SELECT customer_id, number FROM top_ups
         WHERE workspace_id = $1 AND look_at <= $2 ORDER BY look_at LIMIT $4 FOR UPDATE SKIP LOCKED) AS due
 WHERE t.customer_id = due.customer_id AND t.number = due.number
RETURNING t.customer_id, t.number
"""

# know_payer -- By what id the provider knows the customer: the first one that was told, or that took the place of $4.
KNOW_PAYER = """
INSERT INTO payment_customers AS known (customer_id, provider, workspace_id, provider_id)
VALUES ($1, $2, scrip_workspace(), $3)
ON CONFLICT (customer_id, provider) DO UPDATE SET provider_id = excluded.provider_id WHERE known.provider_id = $4
"""

# read_rule -- A recharge rule; under the customer's lock where something is decided by it.
READ_RULE = "SELECT * FROM recharge_rules WHERE customer_id = $1 AND credit_type_id = $2"

# suffer -- What became of a rule by its attempts, under the customer's lock.
SUFFER = """
UPDATE recharge_rules
   SET failures = $3, try_at = $4, capped_until = $5, suspended_at = $6, suspended_reason = $7, version = version + 1
 WHERE customer_id = $1 AND credit_type_id = $2
"""

# forgive -- The payment method became another one: every rule of the customer goes on. It makes no more room in a month.
FORGIVE = """
UPDATE recharge_rules SET failures = 0, try_at = NULL, suspended_at = NULL, suspended_reason = NULL, version = version + 1
 WHERE customer_id = $1 AND (failures > 0 OR suspended_at IS NOT NULL)
"""

# other_method -- Whether the customer has another payment method than $3 since $4, so that what became of $3 says nothing
# about it. Instants are the workspace's.
OTHER_METHOD = """
SELECT (EXISTS (SELECT FROM payment_methods WHERE customer_id = $1 AND provider = $2)
        AND NOT EXISTS (SELECT FROM payment_methods WHERE customer_id = $1 AND provider = $2 AND provider_id = $3))
    OR EXISTS (SELECT FROM payment_methods
                WHERE customer_id = $1 AND provider = $2 AND provider_id <> $3 AND saved_at > $4) AS other
"""

# ahead_of -- What a rule looks at besides its account, under the customer's lock, which every top-up is written under:
# whether a recharge is under way, what open top-ups will bring ($3: asked for since), and what recharges of this month cost.
# In the order of the customer's own index: before there are statistics, that of the workspace's changes seems as good.
AHEAD_OF = """
SELECT coalesce(bool_or(automatic AND open), false) AS attempting,
       coalesce(sum(credits) FILTER (WHERE open AND (automatic OR asked_at >= $3)), 0)::bigint AS pending,
       coalesce(sum(price) FILTER (WHERE automatic AND currency = $4 AND created_at >= $5
                                     AND status NOT IN ('FAILED', 'CANCELED')), 0)::bigint AS spent
  FROM (SELECT *, status IN ('PENDING', 'REQUIRES_ACTION') AS open FROM top_ups
         WHERE customer_id = $1 AND credit_type_id = $2 ORDER BY customer_id, number) AS t
"""

# find_below, find_below_of -- Rules that have to buy: of the workspace, or of these accounts. Read without a lock, from the
# balances as booked; whoever then holds the lock decides, and by the clock. $3: what people have asked for since is pending.
_BELOW = """
SELECT r.customer_id, r.credit_type_id
  FROM {rules} LEFT JOIN accounts a ON (a.customer_id, a.credit_type_id) = (r.customer_id, r.credit_type_id)
 WHERE r.workspace_id = $1 AND r.enabled AND r.suspended_at IS NULL
   AND (r.try_at IS NULL OR r.try_at <= $2) AND (r.capped_until IS NULL OR r.capped_until <= $2)
   AND coalesce(a.balance - a.held, 0) < r.threshold
   AND NOT EXISTS (SELECT FROM top_ups t
                    WHERE (t.customer_id, t.credit_type_id) = (r.customer_id, r.credit_type_id)
                      AND t.automatic AND t.status IN ('PENDING', 'REQUIRES_ACTION'))
   AND coalesce(a.balance - a.held, 0) + coalesce(
         (SELECT sum(coming.credits)
            FROM (SELECT t.credits FROM top_ups t
                   WHERE (t.customer_id, t.credit_type_id) = (r.customer_id, r.credit_type_id)
                     AND NOT t.automatic AND t.status IN ('PENDING', 'REQUIRES_ACTION') AND t.asked_at >= $3
                   ORDER BY t.customer_id, t.number) AS coming), 0) < r.threshold
 LIMIT $4
"""
FIND_BELOW = _BELOW.format(rules="recharge_rules r")
FIND_BELOW_OF = _BELOW.format(
    rules="""unnest($5::bigint[], $6::int[]) AS noted (customer_id, credit_type_id)
  JOIN recharge_rules r ON (r.customer_id, r.credit_type_id) = (noted.customer_id, noted.credit_type_id)"""
)

# find_ruled -- Rules that were set since $2, and whether they watch their account now.
FIND_RULED = """
SELECT customer_id, credit_type_id, enabled, changed_at FROM recharge_rules WHERE workspace_id = $1 AND changed_at >= $2
"""

# find_unconfirmed -- Recharges that the customer should have confirmed at the bank: not in time, or another payment method
# was saved instead.
FIND_UNCONFIRMED = """
SELECT customer_id, number FROM top_ups t
 WHERE workspace_id = $1 AND look_at IS NOT NULL AND automatic AND status = 'REQUIRES_ACTION'
   AND (asked_at < $2 OR EXISTS (SELECT FROM payment_methods m
                                  WHERE m.customer_id = t.customer_id AND m.provider = t.provider
                                    AND m.provider_id <> t.method AND m.saved_at > t.created_at))
 ORDER BY asked_at LIMIT $3
"""
