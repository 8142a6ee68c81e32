/** What waits for its turn, in the order in which it came. */
const waiting = new Set<() => unknown>();
let isTaken = false;
let channel: MessageChannel | undefined;

/** Whoever is at work for that long lets the browser draw and answer to people; nothing of ours takes many times longer. */
const SLICE_MS = 5;

/**
 * Does at once what comes first in a task; everything else waits for tasks of its own, as many as it takes. Work that
 * returns something is the last of its task: more comes of it, which no clock sees. Messages, because timers that follow
 * one another are slowed down.
 */
export function inTurn(work: () => unknown): void {
  waiting.add(work);
  if (!isTaken) next();
}

/** Whether something waits, or has just been done: tests wait for the end of it. */
export const isAtWork = (): boolean => isTaken;

function next(): void {
  isTaken = waiting.size > 0;
  if (!isTaken) return;
  channel ??= new MessageChannel();
  channel.port1.onmessage = next;
  channel.port2.postMessage(0);
  const until_ms = performance.now() + SLICE_MS;
  for (const work of waiting) {
    waiting.delete(work);
    if (work() || performance.now() > until_ms) break;
  }
}
