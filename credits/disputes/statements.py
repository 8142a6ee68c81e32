"""The statements of disputes that run within the writer's batch."""

# read_dispute -- What a resolution is decided on, and any other dispute that its key has resolved; under the lock.
READ_DISPUTE = """
SELECT d.number, d.status, d.version, d.key, d.fingerprint, d.resolved_at, d.workspace_id,
       (SELECT c.key FROM customers c WHERE c.id = d.customer_id) AS customer,
       (SELECT t.key FROM credit_types t WHERE t.id = d.credit_type_id) AS credit_type
  FROM disputes d
 WHERE d.customer_id = $1 AND (d.number = $2 OR d.key = $3)
"""

# resolve_dispute -- With the reversals, in the same database transaction.
RESOLVE_DISPUTE = """
UPDATE disputes SET status = $3, given_back = $4, resolution = $5, resolved_at = $6, changed_at = $6,
                    version = version + 1, key = $7, fingerprint = $8
 WHERE customer_id = $1 AND number = $2
"""
FREE_ENTRIES = "UPDATE dispute_entries SET open = false WHERE customer_id = $1 AND number = $2 AND open"
ADD_EVENT = """
INSERT INTO dispute_events (customer_id, number, position, workspace_id, at, actor_id, action, note)
SELECT customer_id, number, 1 + (SELECT max(position) FROM dispute_events e
                                  WHERE e.customer_id = d.customer_id AND e.number = d.number),
       workspace_id, $3, $4, $5, $6
  FROM disputes d WHERE customer_id = $1 AND number = $2
"""
