/** What of a purchase outlives a reload: its key, its id once there is one, and where it leads back to. */
export interface Purchase {
  /** Begins with the bundle's key, so another bundle is another purchase; empty where none has begun since one was declined. */
  key: string;
  id?: string | undefined;
  /** A part of what was asked for: the same key with another one would be another purchase. */
  returnUrl?: string | undefined;
  /** What was declined, and could be paid yet on the page that has declined it: it ends when this one begins. */
  replaces?: string | undefined;
}

const place = (creditType: string): string => `scrip-top-up ${creditType}`;

/** The purchase that has no definite answer yet. */
export function recall(creditType: string): Purchase | undefined {
  try {
    return JSON.parse(sessionStorage[place(creditType)]) ?? undefined;
  } catch {
    return undefined; // where a page may not keep anything, a reload forgets
  }
}

export function remember(creditType: string, purchase?: Purchase): void {
  try {
    if (purchase) sessionStorage[place(creditType)] = JSON.stringify(purchase);
    else delete sessionStorage[place(creditType)];
  } catch {}
}

/** What was declined is to end, whatever is bought after it. */
export const declined = (creditType: string, replaces?: string): void =>
  remember(creditType, replaces ? { key: "", replaces } : undefined);

/** This try to buy: the last one again, as long as nobody knows what came of it. */
export function purchaseOf(creditType: string, bundle: string, returnUrl?: string, replaces?: string): Purchase {
  const last = recall(creditType);
  if (last?.key.startsWith(`${bundle}:`)) return last;
  const key = `${bundle}:${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;
  return { key, returnUrl, replaces: replaces ?? last?.replaces };
}

/** The purchase from which the payment page has led back here, in another tab or browser than it began in. */
export const returned = (): string | undefined => new URLSearchParams(location.search).get("scrip_top_up") ?? undefined;
