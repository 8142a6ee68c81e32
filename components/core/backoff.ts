/**
 * Milliseconds to wait before the next try. Full jitter: any moment up to the ceiling is as
 * likely, so that the pages which lost one server don't all come back in the same second.
 */
export const backoff = (attempt: number, cap = 30_000): number => Math.random() * Math.min(cap, 1000 * 2 ** attempt);
