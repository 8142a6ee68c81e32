/** What every host page loads: registers the elements, brings the others when there is one, and hands out what pages may call. */
import { defineBalance } from "../components/balance/balance.ts";
import * as first from "../components/core/first.ts";
import { whenNeeded } from "../components/core/later.ts";
import { defineExpirations } from "../components/expirations/expirations.ts";
import { defineGate } from "../components/gate/gate.ts";
import { defineLedger } from "../components/ledger/ledger.ts";
import { defineProvider } from "../components/provider/provider.ts";
import { defineRunway } from "../components/runway/runway.ts";
import { defineUsage } from "../components/usage/usage.ts";

defineProvider();
defineBalance();
defineExpirations();
defineRunway();
defineUsage();
defineLedger();
defineGate();

/** Registers the elements of the second script too: for pages that have them in shadow roots of their own. */
export const loadBuying = whenNeeded(first);

export { type BalanceEvents, ScripBalance } from "../components/balance/balance.ts";
export { VERSION as version } from "../components/core/define.ts";
export { type Messages, registerLocale } from "../components/core/messages.ts";
export type { FetchToken, TokenAnswer, TokenReason } from "../components/core/tokens.ts";
export { type ExpirationsEvents, ScripExpirations } from "../components/expirations/expirations.ts";
export { type GateEvents, ScripGate } from "../components/gate/gate.ts";
export { type LedgerEvents, ScripLedger } from "../components/ledger/ledger.ts";
export { ScripProvider } from "../components/provider/provider.ts";
export { ScripRunway } from "../components/runway/runway.ts";
export { ScripUsage, type UsageEvents } from "../components/usage/usage.ts";
