/**
 * Property names that only we use, and that the build may shorten: no names of the platform, of the
 * wire or of the host. One that is missing costs a few bytes; one that doesn't belong here would break
 * the bundle, so a test compares them with all names of the platform.
 */
export const OURS = `
  acceptToken announce args arrived ask asked asked_ms balanceResource baseUrl beside besides captionText confirmed_ms css decimals declared emit
  failures fields follow hasFailed headline inCredits inDigits isBeside isFollowing isOpen isSilent isSvg isWordy listeners localeTag merge onClosed
  onDown onError onRenewed onSettled openOrClose openStream ownTopics parts pageSession probe propose pushed readAnew renew
  requestUpdate resources retryNow say scripSession seen_ms shortened spoken strings texts tokens topic topics totalUnits tree unwatch
  wake watchTopic whole word
`
  .trim()
  .split(/\s+/);
