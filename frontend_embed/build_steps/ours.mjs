/**
 * Property names that only we use, and that the build may shorten: no names of the platform, of the
 * wire or of the host. One that is missing costs a few bytes; one that doesn't belong here would break
 * the bundle, so a test compares them with all names of the platform.
 */
export const OURS = `
  acceptToken announce args arrived baseUrl beside confirmed_ms declared emit failures follow headline
  isNewer listeners localeTag onClosed onDown onError onRenewed onSettled openStream probe renew
  requestUpdate retryNow scripSession seen_ms selection texts tokens topic totalUnits tree unwatch wake
  watchTopic
`
  .trim()
  .split(/\s+/);
