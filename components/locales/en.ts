/** The source of all texts. The files beside it have the same keys and places, checked by a test. */
export const en = {
  loading: "Loading…",
  retry: "Try again",
  failed: "This can’t be shown right now",
  stale: "Not up to date",
  offline: "Offline",
  updated: "updated {t}",
  low: "Low",
  held: "{a} held",
  expiring: "{a} expiring {d}",
  never: "{a} without expiry",
  more: "{n} more",
  empty: "No {u} yet",
  balance: "{h}: {a} available",
};
