/**
 * What the gallery shows: by element, its states as a page writes them. `state` is one of those that `testing.js` hands
 * out; `content` stands between the tags.
 */
const BUY = '<a slot="action" href="#buying">Top up</a>';
const GENERATE = '<button slot="allowed" type="button">Generate an image</button>';
const NETWORK = [
  { label: "Loading", state: "slow" },
  { label: "Offline", state: "offline" },
  { label: "Error", state: "broken" },
];
const everywhere = (attributes = "", content = "") => NETWORK.map((each) => ({ ...each, attributes, content }));

export const GALLERY = {
  "scrip-balance": [
    { label: "Ready", state: "plain", content: BUY },
    { label: "Many grants, held", state: "many", attributes: "show-held", content: BUY },
    { label: "Low", state: "low", attributes: 'low="100" show-held', content: BUY },
    { label: "Compact", state: "low", attributes: 'compact low="100"' },
    { label: "Debt", state: "debt" },
    { label: "Empty", state: "empty" },
    { label: "Huge", state: "huge" },
    ...everywhere(),
    { label: "Forbidden", state: "forbidden" },
  ],
  "scrip-usage": [
    { label: "By feature", state: "plain", attributes: 'group-by="feature"' },
    { label: "By day", state: "plain" },
    { label: "By hour", state: "plain", attributes: 'interval="hour" range="P2D"' },
    { label: "By week, member", state: "plain", attributes: 'interval="week" group-by="member"' },
    { label: "Table", state: "plain", attributes: 'group-by="feature" view="table"' },
    { label: "Empty", state: "empty" },
    ...everywhere('group-by="feature"'),
  ],
  "scrip-runway": [
    { label: "Ready", state: "plain", content: BUY },
    { label: "Nothing used", state: "empty" },
    ...everywhere(),
  ],
  "scrip-expirations": [
    { label: "Ready", state: "plain" },
    { label: "Many", state: "many" },
    { label: "Empty", state: "empty" },
    ...everywhere(),
  ],
  "scrip-ledger": [
    { label: "Ready", state: "book", attributes: "live disputable" },
    { label: "Burns alone", state: "book", attributes: 'kinds="BURN"' },
    { label: "Empty", state: "empty" },
    { label: "Loading", state: "slow" },
    { label: "Offline", state: "stopped", attributes: "live" },
    { label: "Error", state: "broken" },
  ],
  "scrip-top-up": [
    { label: "Ready", state: "plain" },
    { label: "Waiting", state: "waiting" },
    { label: "Paid", state: "paid" },
    { label: "Declined", state: "declined" },
    { label: "Nothing on sale", state: "empty" },
    ...everywhere(),
  ],
  "scrip-recharge": [
    { label: "Ready", state: "plain" },
    { label: "Stopped", state: "suspended" },
    { label: "Read only", state: "reader" },
    ...everywhere(),
  ],
  "scrip-gate": [
    { label: "Allowed", state: "plain", content: GENERATE },
    { label: "Blocked", state: "blocked", content: GENERATE },
    {
      label: "Blocked, your words",
      state: "blocked",
      content: `${GENERATE}<a slot="blocked" href="#buying">Buy credits to generate</a>`,
    },
    { label: "Warned", state: "warned", content: GENERATE },
    ...everywhere("", `${GENERATE}<span slot="loading">One moment…</span>`),
  ],
  "scrip-dashboard": [
    { label: "Ready", state: "book" },
    { label: "Loading", state: "slow" },
    { label: "Offline", state: "stopped" },
    { label: "Error", state: "broken" },
  ],
};

/** The attribute without which an element shows nothing. */
export const key = (tag) => (tag === "scrip-gate" ? 'feature="images"' : 'credit-type="ai"');
