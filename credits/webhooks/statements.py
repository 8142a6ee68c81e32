"""The statements of webhooks that write the outbox, lock, or sweep. Instants are the database's real time.

Order of locks, everywhere: endpoint, lane, delivery.
"""

from credits.db import Prepared

_TOLD = """json_to_recordset(CAST(CAST($1 AS text) AS json))
  AS told (position int, workspace_id int, customer_id bigint, key uuid, type text, body text)"""
_WANTS = "e.enabled AND (told.type = ANY (e.events) OR '*' = ANY (e.events))"

# insert_messages, insert_deliveries, hold_lanes -- What is told, in the database transaction of the fact: the message,
# one delivery for each endpoint that wants it, and the lane that it waits in. One parameter, so that the batch writer
# can send all three with its COMMIT. A fact that was told before is not told again. The lane is written also where it
# is there: that locks it, and a sender that is about to end it waits, and then finds what is new; see 0009_webhooks.sql.
INSERT_MESSAGES = f"""
INSERT INTO webhook_messages (customer_id, key, created_at, workspace_id, type, body)
SELECT told.customer_id, told.key, clock_timestamp(), told.workspace_id, told.type, told.body FROM {_TOLD}
 WHERE EXISTS (SELECT FROM webhook_endpoints e WHERE e.workspace_id = told.workspace_id AND {_WANTS})
 ORDER BY told.position
    ON CONFLICT DO NOTHING
"""  # noqa: S608 -- no name from outside
INSERT_DELIVERIES = f"""
INSERT INTO webhook_deliveries (customer_id, message, created_at, workspace_id, endpoint_id)
SELECT m.customer_id, m.key, m.created_at, m.workspace_id, e.id
  FROM {_TOLD}
  JOIN webhook_messages m ON m.customer_id = told.customer_id AND m.key = told.key
  JOIN webhook_endpoints e ON e.workspace_id = told.workspace_id AND {_WANTS}
 ORDER BY told.position, e.id
    ON CONFLICT DO NOTHING
"""  # noqa: S608 -- no name from outside
HOLD_LANES = f"""
INSERT INTO webhook_lanes (customer_id, endpoint_id, next_at, workspace_id)
SELECT DISTINCT d.customer_id, d.endpoint_id, statement_timestamp(), d.workspace_id
  FROM {_TOLD}
  JOIN webhook_deliveries d ON d.customer_id = told.customer_id AND d.message = told.key AND d.status = 'WAITING'
 ORDER BY d.customer_id, d.endpoint_id
    ON CONFLICT (customer_id, endpoint_id) DO UPDATE SET next_at = webhook_lanes.next_at
"""  # noqa: S608 -- no name from outside
TELL = tuple(
    Prepared(name, sql, 1)
    for name, sql in (
        ("insert_messages", INSERT_MESSAGES),
        ("insert_deliveries", INSERT_DELIVERIES),
        ("hold_lanes", HOLD_LANES),
    )
)

# wanted -- what the enabled endpoints of the workspace want
WANTED = "SELECT events FROM webhook_endpoints WHERE workspace_id = scrip_workspace() AND enabled"

# low_thresholds -- below what a balance is low, where the customer's own recharge rule says so
LOW_THRESHOLDS = """
SELECT customer_id, credit_type_id, threshold FROM recharge_rules WHERE customer_id = ANY($1::bigint[]) AND enabled
"""

# claim_lanes -- Lanes where something is due, leased to whoever asks; $3 and $4 say how many requests it has under way
# to which endpoints. What another process is just claiming or writing is passed over: the next look finds it.
CLAIM_LANES = """
WITH due AS (
  SELECT found.customer_id, found.endpoint_id
    FROM webhook_endpoints e
   CROSS JOIN LATERAL (
     SELECT l.customer_id, l.endpoint_id FROM webhook_lanes l
      WHERE l.endpoint_id = e.id AND l.next_at <= statement_timestamp()
      ORDER BY l.next_at
      LIMIT greatest(0, $2::int - coalesce((SELECT busy.requests FROM unnest($3::int[], $4::int[]) AS busy (id, requests)
                                             WHERE busy.id = e.id), 0))
        FOR UPDATE SKIP LOCKED) AS found
   WHERE e.workspace_id = $1 AND e.enabled
)
UPDATE webhook_lanes l
   SET next_at = statement_timestamp() + $5::interval, leased_until = statement_timestamp() + $5::interval,
       leases = l.leases + 1
  FROM due WHERE l.customer_id = due.customer_id AND l.endpoint_id = due.endpoint_id
RETURNING l.customer_id, l.endpoint_id, l.leases
"""

# keep_lane -- The lease goes on, if it is still ours; the row stays locked, so nothing more is told meanwhile.
KEEP_LANE = """
UPDATE webhook_lanes SET next_at = statement_timestamp() + $4::interval, leased_until = statement_timestamp() + $4::interval
 WHERE customer_id = $1 AND endpoint_id = $2 AND leases = $3
RETURNING true
"""

# read_head -- What goes next in a lane: a row without an id where nothing does, none where the endpoint is gone.
READ_HEAD = """
SELECT e.id AS endpoint_id, e.enabled, e.url, e.salt, e.previous_salt, e.rotated_at, clock_timestamp() AS now,
       next.id, next.message, next.step, next.attempts, next.body
  FROM webhook_endpoints e
  LEFT JOIN LATERAL (
    SELECT d.id, d.message, d.step, d.attempts, m.body
      FROM webhook_deliveries d
      JOIN webhook_messages m ON m.customer_id = d.customer_id AND m.key = d.message
     WHERE d.endpoint_id = e.id AND d.customer_id = $1 AND d.status = 'WAITING'
     ORDER BY d.id LIMIT 1) AS next ON true
 WHERE e.id = $2
"""

# leave_lane, end_lane -- Ours no more: to go on at once or after a while, or because nothing waits in it.
LEAVE_LANE = """
UPDATE webhook_lanes SET next_at = statement_timestamp() + $4::interval, leased_until = NULL
 WHERE customer_id = $1 AND endpoint_id = $2 AND leases = $3
"""
END_LANE = "DELETE FROM webhook_lanes WHERE customer_id = $1 AND endpoint_id = $2 AND leases = $3"

# note_success, note_failure -- How an endpoint is doing. Of many successes one a second is noted.
NOTE_SUCCESS = """
UPDATE webhook_endpoints SET failures = 0, failing_since = NULL, last_delivery_at = statement_timestamp()
 WHERE id = $1 AND (failures > 0 OR last_delivery_at IS NULL OR last_delivery_at < statement_timestamp() - interval '1 second')
"""
NOTE_FAILURE = """
UPDATE webhook_endpoints SET failures = failures + 1, failing_since = coalesce(failing_since, statement_timestamp())
 WHERE id = $1
RETURNING failing_since <= statement_timestamp() - $2::interval AS hopeless
"""

# begin_attempt -- Counted before it is made: who dies of it has made it.
BEGIN_ATTEMPT = """
UPDATE webhook_deliveries SET attempts = attempts + 1, attempted_at = statement_timestamp()
 WHERE customer_id = $1 AND id = $2
"""

# note_attempt -- What came of one attempt. $6: when the next one is due; null where it is closed.
NOTE_ATTEMPT = """
UPDATE webhook_deliveries
   SET step = step + 1, status = $3, response_code = $4, error = $5, next_at = statement_timestamp() + $6::interval,
       closed_at = CASE WHEN $3 = 'WAITING' THEN NULL ELSE statement_timestamp() END
 WHERE customer_id = $1 AND id = $2 AND status = 'WAITING'
"""

# replay_delivery, hurry_lane -- Once more, from the beginning of the schedule. A lane that is leased is left to its sender.
REPLAY_DELIVERY = """
UPDATE webhook_deliveries d SET status = 'WAITING', closed_at = NULL, next_at = NULL, step = 0
  FROM (SELECT customer_id, id, status FROM webhook_deliveries WHERE customer_id = :customer_id AND id = :id FOR UPDATE) AS old
 WHERE d.customer_id = old.customer_id AND d.id = old.id
RETURNING d.endpoint_id, old.status
"""
_HURRY = """
    ON CONFLICT (customer_id, endpoint_id) DO UPDATE
   SET next_at = CASE WHEN webhook_lanes.leased_until > statement_timestamp() THEN webhook_lanes.next_at
                      ELSE statement_timestamp() END
"""
HURRY_LANE = f"""
INSERT INTO webhook_lanes (customer_id, endpoint_id, next_at, workspace_id)
VALUES (:customer_id, :endpoint_id, statement_timestamp(), scrip_workspace()) {_HURRY}
"""  # noqa: S608 -- no name from outside

# hurry_lanes -- All of an endpoint that is to be called again.
HURRY_LANES = f"""
INSERT INTO webhook_lanes (customer_id, endpoint_id, next_at, workspace_id)
SELECT DISTINCT customer_id, endpoint_id, statement_timestamp(), workspace_id
  FROM webhook_deliveries WHERE endpoint_id = :endpoint_id AND status = 'WAITING' ORDER BY customer_id {_HURRY}
"""  # noqa: S608 -- no name from outside

# oldest_waiting -- How many seconds the oldest message has waited that is to be sent at all, and how many do.
OLDEST_WAITING = """
SELECT count(*) AS messages, coalesce(extract(epoch FROM clock_timestamp() - min(d.created_at)), 0)::float8 AS age_s
  FROM (SELECT created_at, endpoint_id FROM webhook_deliveries
         WHERE workspace_id = $1 AND status = 'WAITING' ORDER BY created_at LIMIT 10000) AS d
  JOIN webhook_endpoints e ON e.id = d.endpoint_id AND e.enabled
"""

# forget_* -- What is no longer of use, a bounded number of rows at a time: what was closed long ago, or waits for an
# endpoint that is gone, or for one that nobody has enabled again; then lanes and messages that nothing needs.
FORGET_DELIVERIES = """
DELETE FROM webhook_deliveries WHERE (customer_id, id) IN (
  SELECT customer_id, id FROM webhook_deliveries
   WHERE workspace_id = $1 AND closed_at < statement_timestamp() - $2::interval
   ORDER BY closed_at LIMIT $3 FOR UPDATE SKIP LOCKED)
"""
FORGET_WAITING = """
DELETE FROM webhook_deliveries WHERE (customer_id, id) IN (
  SELECT d.customer_id, d.id FROM webhook_deliveries d LEFT JOIN webhook_endpoints e ON e.id = d.endpoint_id
   WHERE d.workspace_id = $1 AND d.status = 'WAITING'
     AND (e.id IS NULL OR (NOT e.enabled AND d.created_at < statement_timestamp() - $2::interval))
   LIMIT $3 FOR UPDATE OF d SKIP LOCKED)
"""
FORGET_LANES = """
DELETE FROM webhook_lanes WHERE (customer_id, endpoint_id) IN (
  SELECT l.customer_id, l.endpoint_id FROM webhook_lanes l
   WHERE l.workspace_id = $1 AND NOT EXISTS (SELECT FROM webhook_endpoints e WHERE e.id = l.endpoint_id)
     AND $2::interval IS NOT NULL
   LIMIT $3 FOR UPDATE SKIP LOCKED)
"""
FORGET_MESSAGES = """
DELETE FROM webhook_messages WHERE (customer_id, key) IN (
  SELECT m.customer_id, m.key FROM webhook_messages m
   WHERE m.workspace_id = $1 AND m.created_at < statement_timestamp() - $2::interval
     AND NOT EXISTS (SELECT FROM webhook_deliveries d WHERE d.customer_id = m.customer_id AND d.message = m.key)
   ORDER BY m.created_at LIMIT $3)
"""
FORGET = (FORGET_DELIVERIES, FORGET_WAITING, FORGET_LANES, FORGET_MESSAGES)
