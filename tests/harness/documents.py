"""The GraphQL documents of the tests. Constants, so that the server parses each of them once."""

ENTRY = """fragment E on LedgerEntry {
  id sequence kind creditType { key } amount heldAmount balanceAfter heldAfter occurredAt recordedAt late
  quantity idempotencyKey hold { id } allocations { grant { id } amount overdraft } hash previousHash
}"""
# What an answer is asked for: no more than its own row, so that the load of a test is the write, not the reading.
TOLD = """fragment T on LedgerEntry {
  id sequence kind amount heldAmount balanceAfter heldAfter occurredAt recordedAt late idempotencyKey hash
}"""
GRANT = """fragment G on Grant {
  id status amount remaining held priority effectiveAt expiresAt source
}"""
HOLD = """fragment H on Hold { id status amount settled openedAt expiresAt closedAt }"""
BALANCE = """fragment B on Balance {
  creditType { key } balance held available overdraftLimit granted burned expired version asOf
}"""
DECISION = """fragment D on Decision { allowed wouldBlock mode cost reason { __typename code } }"""
DISPUTE = """fragment C on Dispute {
  id status reason amount givenBack openedAt dueAt resolvedAt resolution assignee { name }
  timeline { at action note actor { kind name } }
}"""
REFUSAL = """fragment R on Refusal {
  code message
  ... on InvalidInput { field }
  ... on InsufficientCredits { needed available shortfall overdraftLeft }
  ... on IdempotencyConflict { firstSeenAt }
  ... on LimitReached { used resetsAt limit { id } }
}"""
LIMIT = """fragment S on SpendLimit { id creditType { key } amount window member group feature used resetsAt }"""

TOP_UP = """fragment P on TopUp {
  id status quantity credits price { amount currency } automatic paymentIntent checkoutUrl clientSecret failure
  createdAt settledAt
}"""
_TOP_UP_OK = "__typename ... on TopUpOk { topUp { ...P } } ...R"
_TOP_UP_PARTS = f"{TOP_UP} {REFUSAL}"
WEBHOOK = """fragment W on WebhookEndpoint {
  id url events enabled disabledBecause secret failures lastDeliveryAt rotatedAt createdAt
}"""
DELIVERY = """fragment V on WebhookDelivery {
  id messageId type status attempts responseCode error createdAt lastAttemptAt nextAttemptAt closedAt
}"""
WEBHOOKS = f"""{{ webhookEndpoints {{ ...W deliveries(first: 500) {{ ...V }} }} }} {WEBHOOK} {DELIVERY}"""

_BURN_OK = "__typename ... on BurnOk { replayed entry { ...T } balance { ...B } decision { ...D } } ...R"
_GRANT_OK = "__typename ... on GrantOk { replayed grant { ...G } entry { ...T } balance { ...B } } ...R"
_HOLD_OK = "__typename ... on HoldOk { replayed hold { ...H } balance { ...B } decision { ...D } } ...R"
_SETTLE_OK = "__typename ... on SettleOk { replayed hold { ...H } entry { ...T } balance { ...B } } ...R"
_DISPUTE_OK = "__typename ... on DisputeOk { dispute { ...C } } ...R"
_WEBHOOK_OK = "__typename ... on WebhookOk { endpoint { ...W } } ...R"
_WEBHOOK_PARTS = f"{WEBHOOK} {REFUSAL}"
_BURN_PARTS = f"{TOLD} {BALANCE} {DECISION} {REFUSAL}"
_GRANT_PARTS = f"{TOLD} {GRANT} {BALANCE} {REFUSAL}"
_HOLD_PARTS = f"{HOLD} {BALANCE} {DECISION} {REFUSAL}"
_DISPUTE_PARTS = f"{DISPUTE} {REFUSAL}"
_SETTLE_PARTS = f"{HOLD} {TOLD} {BALANCE} {REFUSAL}"

# Verb → mutation. The answer is aliased `answer`, so that one reader does for all.
MUTATIONS = {
    "createWebhookEndpoint": f"""mutation($url: String!, $events: [String!]!) {{
        answer: createWebhookEndpoint(url: $url, events: $events) {{ {_WEBHOOK_OK} }} }} {_WEBHOOK_PARTS}""",
    "removeWebhookEndpoint": f"""mutation($id: ID!) {{
        answer: removeWebhookEndpoint(id: $id) {{ {_WEBHOOK_OK} }} }} {_WEBHOOK_PARTS}""",
    "rotateWebhookSecret": f"""mutation($id: ID!) {{
        answer: rotateWebhookSecret(id: $id) {{ {_WEBHOOK_OK} }} }} {_WEBHOOK_PARTS}""",
    "enableWebhookEndpoint": f"""mutation($id: ID!, $enabled: Boolean!) {{
        answer: enableWebhookEndpoint(id: $id, enabled: $enabled) {{ {_WEBHOOK_OK} }} }} {_WEBHOOK_PARTS}""",
    "replayWebhook": f"""mutation($id: ID!) {{ answer: replayWebhook(id: $id) {{
        __typename ... on WebhookDeliveryOk {{ delivery {{ ...V }} }} ...R }} }} {DELIVERY} {REFUSAL}""",
    "upsertCustomer": """mutation($input: CustomerInput!) { answer: upsertCustomer(input: $input) {
        __typename ... on CustomerOk { created customer { id key name } } ...R } } """
    + REFUSAL,
    "grantCredits": f"mutation($input: GrantInput!) {{ answer: grantCredits(input: $input) {{ {_GRANT_OK} }} }} {_GRANT_PARTS}",
    "grantMany": f"mutation($inputs: [GrantInput!]!) {{ answer: grantMany(inputs: $inputs) {{ {_GRANT_OK} }} }} {_GRANT_PARTS}",
    "burn": f"mutation($input: BurnInput!) {{ answer: burn(input: $input) {{ {_BURN_OK} }} }} {_BURN_PARTS}",
    "burnMany": f"mutation($inputs: [BurnInput!]!) {{ answer: burnMany(inputs: $inputs) {{ {_BURN_OK} }} }} {_BURN_PARTS}",
    "hold": f"mutation($input: HoldInput!) {{ answer: hold(input: $input) {{ {_HOLD_OK} }} }} {_HOLD_PARTS}",
    "settle": f"mutation($input: SettleInput!) {{ answer: settle(input: $input) {{ {_SETTLE_OK} }} }} {_SETTLE_PARTS}",
    "release": f"""mutation($hold: ID!, $idempotencyKey: String!) {{
        answer: release(hold: $hold, idempotencyKey: $idempotencyKey) {{ {_HOLD_OK} }} }} {_HOLD_PARTS}""",
    "extendHold": f"""mutation($hold: ID!, $ttl: String!) {{
        answer: extendHold(hold: $hold, ttl: $ttl) {{ {_HOLD_OK} }} }} {_HOLD_PARTS}""",
    "voidGrant": f"""mutation($grant: ID!, $reason: ReasonCode!, $note: String, $idempotencyKey: String!) {{
        answer: voidGrant(grant: $grant, reason: $reason, note: $note, idempotencyKey: $idempotencyKey) {{
        {_GRANT_OK} }} }} {_GRANT_PARTS}""",
    "extendGrant": f"""mutation($grant: ID!, $expiresAt: DateTime, $reason: ReasonCode!, $note: String, $idempotencyKey: String!) {{
        answer: extendGrant(grant: $grant, expiresAt: $expiresAt, reason: $reason, note: $note,
                            idempotencyKey: $idempotencyKey) {{ {_GRANT_OK} }} }} {_GRANT_PARTS}""",
    "reverseBurn": f"""mutation($entry: ID!, $amount: Decimal, $reason: ReasonCode!, $note: String, $idempotencyKey: String!) {{
        answer: reverseBurn(entry: $entry, amount: $amount, reason: $reason, note: $note,
                            idempotencyKey: $idempotencyKey) {{ {_BURN_OK} }} }} {_BURN_PARTS}""",
    "openDispute": f"""mutation($entries: [ID!]!, $reason: String!) {{
        answer: openDispute(entries: $entries, reason: $reason) {{ {_DISPUTE_OK} }} }} {_DISPUTE_PARTS}""",
    "withdrawDispute": f"""mutation($id: ID!) {{ answer: withdrawDispute(id: $id) {{ {_DISPUTE_OK} }} }}
        {_DISPUTE_PARTS}""",
    "updateDispute": f"""mutation($id: ID!, $status: DisputeStatus, $assignee: String, $note: String) {{
        answer: updateDispute(id: $id, status: $status, assignee: $assignee, note: $note) {{
        {_DISPUTE_OK} }} }} {_DISPUTE_PARTS}""",
    "resolveDispute": f"""mutation($id: ID!, $uphold: Boolean!, $amount: Decimal, $resolution: String!, $idempotencyKey: String!) {{
        answer: resolveDispute(id: $id, uphold: $uphold, amount: $amount, resolution: $resolution,
                               idempotencyKey: $idempotencyKey) {{ {_DISPUTE_OK} }} }} {_DISPUTE_PARTS}""",
    "startTopUp": f"mutation($input: TopUpInput!) {{ answer: startTopUp(input: $input) {{ {_TOP_UP_OK} }} }} {_TOP_UP_PARTS}",
    "setRecharge": """mutation($input: RechargeInput!) { answer: setRecharge(input: $input) {
        __typename ... on RechargeOk { rule { enabled threshold suspendedReason } } ...R } } """
    + REFUSAL,
    "cancelTopUp": f"mutation($id: ID!) {{ answer: cancelTopUp(id: $id) {{ {_TOP_UP_OK} }} }} {_TOP_UP_PARTS}",
    "refundTopUp": f"""mutation($id: ID!, $amount: MoneyInput, $reason: ReasonCode!, $note: String, $idempotencyKey: String!) {{
        answer: refundTopUp(id: $id, amount: $amount, reason: $reason, note: $note, idempotencyKey: $idempotencyKey) {{
        {_TOP_UP_OK} }} }} {_TOP_UP_PARTS}""",
    "ingestEvents": """mutation($events: [EventInput!]!) { answer: ingestEvents(events: $events) {
        __typename accepted duplicates rejected { index id outcome message } } }""",
    "applyCatalog": """mutation($document: JSON!, $dryRun: Boolean = false) {
        answer: applyCatalog(document: $document, dryRun: $dryRun) {
        __typename ... on CatalogOk { catalog { version } changes { action path } } ...R } } """
    + REFUSAL,
    "setPolicy": """mutation($input: PolicyInput!) { answer: setPolicy(input: $input) {
        __typename ... on PolicyOk { policy { id mode rolloutPercent overdraftLimit } } ...R } } """
    + REFUSAL,
    "removePolicy": """mutation($id: ID!) { answer: removePolicy(id: $id) {
        __typename ... on PolicyOk { policy { id } } ...R } } """
    + REFUSAL,
    "upsertMember": """mutation($customer: String!, $key: String!, $name: String, $group: String) {
        answer: upsertMember(customer: $customer, key: $key, name: $name, group: $group) {
        __typename ... on MemberOk { member { key name group } } ...R } } """
    + REFUSAL,
    "setLimit": """mutation($customer: String!, $input: LimitInput!) {
        answer: setLimit(customer: $customer, input: $input) { __typename ... on LimitOk { limit { ...S } } ...R } } """
    + LIMIT
    + REFUSAL,
    "removeLimit": """mutation($id: ID!) {
        answer: removeLimit(id: $id) { __typename ... on LimitOk { limit { ...S } } ...R } } """
    + LIMIT
    + REFUSAL,
    "createEmbedToken": """mutation($input: EmbedTokenInput!) { answer: createEmbedToken(input: $input) {
        __typename ... on EmbedTokenOk { token expiresAt } ...R } } """
    + REFUSAL,
    "createApiKey": """mutation($name: String!, $role: Role!) { answer: createApiKey(name: $name, role: $role) {
        __typename ... on ApiKeyOk { secret apiKey { id } } ...R } } """
    + REFUSAL,
    "revokeApiKey": """mutation($id: ID!) { answer: revokeApiKey(id: $id) {
        __typename ... on ApiKeyOk { apiKey { id revokedAt } } ...R } } """
    + REFUSAL,
    "advanceClock": """mutation($to: DateTime!) { answer: advanceClock(to: $to) {
        __typename ... on ClockOk { now happened } ...R } } """
    + REFUSAL,
}

LIMITS = "query($key: String!) { customer(key: $key) { limits { ...S } } } " + LIMIT
NOW = "{ viewer { now testMode } }"
CHECK = (
    """query($input: SpendInput!) { check(input: $input) {
    __typename ... on Decision { allowed wouldBlock mode cost reason { __typename code } balance { ...B } }
    ... on InvalidInput { code message field } ... on NotFound { code message } } } """
    + BALANCE
)
BALANCES = "query($key: String!) { customer(key: $key) { balances { ...B } } } " + BALANCE
BALANCE_OF = (
    "query($key: String!, $type: String!) { customer(key: $key) { balance(creditType: $type) { ...B } } } " + BALANCE
)
LEDGER = (
    """query($key: String!, $type: String, $after: String) { customer(key: $key) {
    ledger(filter: { creditType: $type }, first: 500, after: $after) {
    edges { node { ...E } } pageInfo { hasNextPage endCursor } } } } """
    + ENTRY
)
GRANTS = (
    """query($key: String!, $type: String, $after: String) { customer(key: $key) {
    grants(creditType: $type, first: 500, after: $after) {
    edges { node { ...G } } pageInfo { hasNextPage endCursor } } } } """
    + GRANT
)
HOLDS = (
    """query($key: String!, $status: HoldStatus, $after: String) { customer(key: $key) {
    holds(status: $status, first: 500, after: $after) {
    edges { node { ...H creditType { key } entries { id sequence kind } } } pageInfo { hasNextPage endCursor } } } } """
    + HOLD
)
EVENT = (
    """query($source: String!, $id: String!) { event(source: $source, eventId: $id) {
    eventId source type occurredAt receivedAt data outcome entries { ...E } } } """
    + ENTRY
)
DEAD_LETTERS = """query($outcome: EventOutcome, $after: String) {
    deadLetters(outcome: $outcome, first: 500, after: $after) {
    edges { node { id event outcome message customer attempts resolvedAt } } pageInfo { hasNextPage endCursor } } }"""
BALANCE_UPDATED = (
    "subscription($customer: String, $type: String) { balanceUpdated(customer: $customer, creditType: $type) { ...B } } "
    + BALANCE
)
DISPUTE_UPDATED = (
    "subscription($customer: String) { disputeUpdated(customer: $customer) { ...C customer { key } } } " + DISPUTE
)
ENTRY_ADDED = (
    "subscription($customer: String, $type: String) { ledgerEntryAdded(customer: $customer, creditType: $type) { ...E } } "
    + ENTRY
)
