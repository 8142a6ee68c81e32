"""Every technical maximum, with its reason. (A *limit* is a cap on spending; these are bounds.)"""

from datetime import timedelta

BURNS_PER_REQUEST_MAX = 1_000  # contract: burnMany, grantMany
EVENTS_PER_REQUEST_MAX = 10_000  # contract: /v1/events, ingestEvents
BODY_BYTES_MAX = 10 * 1024 * 1024  # contract: /v1/events; secret keys on /graphql
TOKEN_BODY_BYTES_MAX = 64 * 1024  # contract: customer tokens on /graphql
PAGE_MAX = 500  # contract: `first` is 1 to 500
IDEMPOTENCY_KEY_MAX = 255  # contract
CUSTOMER_KEY_MAX = 255  # as long as an idempotency key: hosts use UUIDs, e-mails, URLs
NAME_MAX = 255  # a name is one line
NOTE_MAX = 2_000  # a note is a paragraph
JSON_BYTES_MAX = 16 * 1024  # metadata and dimensions of one row; beyond it belongs into the host's own store
JSON_DEPTH_MAX = 16  # deeper documents are attacks or mistakes; json parsers recurse
DIMENSIONS_MAX = 50  # scalar fields of one event
NUMBER_DIGITS_MAX = 64  # digits and exponent of a number within JSON: 1e999999 would be a megabyte in plain notation
EVENT_NAME_MAX = 255  # id, source and type of an event; sources are URLs, and every row carries them
EVENT_BYTES_MAX = 64 * 1024  # one event; a larger one is a poisoned batch, not usage
GRANTS_OPEN_MAX = 10_000  # open grants of one account: each write reads them
BATCH_COMMANDS_MAX = (
    500  # commands that share one database transaction: it bounds what one lock holder makes others wait
)
BATCH_EVENTS_MAX = (
    1_000  # events that share one database transaction; larger requests become several, one after another
)
KNOWN_CUSTOMERS_MAX = 100_000  # customers whose ids a process remembers: 20 MB
LANE_CUSTOMERS_MAX = 10_000  # customers of a workspace whose lane is chosen: any of the others are too small to matter
LOCK_PATIENCE = timedelta(milliseconds=400)  # how long a batch waits for somebody else's lock with all who are in it
LOCK_PATIENCE_ALONE = timedelta(milliseconds=1_200)  # and then those alone whom it concerns: UNAVAILABLE within 2 s
LOCKS_AWAITED_MAX = 3  # batches of one lane that wait alone: each takes a connection
QUEUE_COMMANDS_MAX = 20_000  # waiting commands per workspace and process; beyond it callers are told to come back
FUTURE_SKEW = timedelta(minutes=5)  # contract: events ahead of our clock
LATE_AFTER = timedelta(minutes=5)  # contract: `late` marks what was recorded longer than this after it occurred
LATE_CUTOFF_MAX = timedelta(days=400)  # whoever settles once a year has a month to do it
DISPUTE_SLA = timedelta(days=5)  # until a dispute is to be decided; a setting and each workspace override it
DISPUTE_ENTRIES_MAX = 100  # entries of one dispute: a person looks at each of them
DISPUTES_LISTED_MAX = 1_000  # disputes of one list: what is due first stands first
TOP_UPS_OPEN_MAX = 100  # purchases that one customer has begun and not ended: each is asked about again and again
TOP_UP_QUANTITY_MAX = 10_000  # bundles of one top-up; more is a contract
REFUND_LIFETIME = timedelta(days=30)  # contract: what is given back after its grant has ended; a setting overrides it
HOLD_TTL_MAX = timedelta(days=30)  # a hold is for work in progress; a longer one is a grant taken away
SWEEP_ACCOUNTS_MAX = 500  # accounts that one sweep books per transaction
DISK_FREE_MIN_BYTES = (
    512 * 1024 * 1024
)  # below it writes are refused: a second of writing plus a checkpoint fits well into it
CREDIT_TYPES_MAX = 100  # of one workspace: every balance list shows them
FEATURES_MAX = 1_000  # of one workspace: `catalog` answers with all of them
BUNDLES_MAX = 1_000  # likewise
COHORTS_MAX = 200  # in one document
RATES_MAX = 5_000  # of one rate card: every process keeps every version in memory
SHAPES_MAX = 50  # different sets of dimensions that one feature's rates name: each burn may ask them all
PROBLEMS_MAX = 10  # problems of one document that one refusal tells
RECONCILE_AT_ONCE_ENTRIES_MAX = 100_000  # entries that are reconciled while somebody waits: about two seconds
POLICIES_MAX = 10_000  # of one workspace: every process keeps all of them in memory
LIMITS_MAX = 1_000  # spend limits of one customer: each batch with it reads them all
USAGE_POINTS_MAX = 10_000  # of one usage series: a year of hours
URL_MAX = 2_000  # what every client and proxy takes
WEBHOOK_ENDPOINTS_MAX = 20  # of one workspace: each message is written once for each that wants it
WEBHOOK_OVERLAP = timedelta(hours=24)  # the secret before the last rotation signs too: time to exchange it everywhere
WEBHOOK_LEASE = timedelta(seconds=60)  # of a lane: an attempt takes 15 s at most, who dies is waited for this long
WEBHOOK_TIMEOUT = timedelta(seconds=15)  # a receiver stores and answers; it works afterwards
WEBHOOK_RESPONSE_BYTES_MAX = 16 * 1024  # what is read of an answer
WEBHOOK_ERROR_MAX = 500  # characters of it that the log keeps
WEBHOOK_RETRY_AFTER_MAX = timedelta(hours=24)  # a receiver may ask for patience, not for silence
WEBHOOK_RETRIES = tuple(  # ten attempts within three days
    timedelta(seconds=seconds) for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
WEBHOOK_DISABLED_AFTER = timedelta(days=5)  # of nothing but failures: longer than a weekend, and than all its retries
WEBHOOK_KEPT = timedelta(days=30)  # how long the log shows what was delivered or given up
WEBHOOK_FORGOTTEN_AT_ONCE = 1_000  # rows of one sweep's database transaction
WEBHOOK_ENDPOINT_CONCURRENCY = 4  # requests to one endpoint at once, of one process
WEBHOOK_LANE_TURN = 20  # messages of one customer before another one's turn
WEBHOOK_EVENTS_TOLD_MAX = 20  # dead letters that one message names
EXPIRING_DAYS = (30, 7, 1)  # contract: how long before a grant's end it is told of
EXPIRING_AT_ONCE = 500  # grants that one database transaction tells of
REVENUE_ROWS_MAX = 10_000  # of one revenue report: a year of days for 27 credit types
JOURNAL_LINES_MAX = 10_000  # of one answer; whoever needs more takes the CSV export, which has no end
