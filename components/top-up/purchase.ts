/** What of a purchase outlives a reload: its key, and its id once there is one. */
export interface Purchase {
  /** Begins with the bundle's key, so another bundle is another purchase. */
  key: string;
  id?: string | undefined;
}

const place = (creditType: string): string => `scrip-top-up ${creditType}`;

/** The purchase that has no definite answer yet. */
export function recall(creditType: string): Purchase | undefined {
  try {
    return JSON.parse(sessionStorage.getItem(place(creditType)) ?? "null") ?? undefined;
  } catch {
    return undefined; // where a page may not keep anything, a reload forgets
  }
}

export function remember(creditType: string, purchase?: Purchase): void {
  try {
    if (purchase) sessionStorage.setItem(place(creditType), JSON.stringify(purchase));
    else sessionStorage.removeItem(place(creditType));
  } catch {}
}

/** The key of this try to buy: that of the last one, as long as nobody knows what came of it. */
export function keyFor(creditType: string, bundle: string): string {
  const { key = "" } = recall(creditType) ?? {};
  return key.startsWith(`${bundle}:`) ? key : `${bundle}:${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;
}
