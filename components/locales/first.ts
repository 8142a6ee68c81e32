import {
  balance,
  empty,
  expiring,
  failed,
  held,
  loading,
  low,
  more,
  never,
  offline,
  retry,
  stale,
  updated,
} from "./en.json";

/**
 * What stays in the script: all that a balance says, so that it waits for nothing, and what can be said offline. They
 * stand first in every file, in this order.
 */
export const first = {
  loading,
  retry,
  failed,
  stale,
  offline,
  updated,
  low,
  held,
  expiring,
  never,
  more,
  empty,
  balance,
};
