/** The one script that a host page loads: registers the elements, and hands out what pages may call. */
import { defineBalance } from "../components/balance/balance.ts";
import { defineDashboard } from "../components/dashboard/dashboard.ts";
import { defineExpirations } from "../components/expirations/expirations.ts";
import { defineGate } from "../components/gate/gate.ts";
import { defineLedger } from "../components/ledger/ledger.ts";
import { defineProvider } from "../components/provider/provider.ts";
import { defineRecharge } from "../components/recharge/recharge.ts";
import { defineRunway } from "../components/runway/runway.ts";
import { defineTopUp } from "../components/top-up/top-up.ts";
import { defineUsage } from "../components/usage/usage.ts";

defineProvider();
defineBalance();
defineExpirations();
defineRunway();
defineUsage();
defineLedger();
defineGate();
defineTopUp();
defineRecharge();
defineDashboard();

export { type BalanceEvents, ScripBalance } from "../components/balance/balance.ts";
export { VERSION as version } from "../components/core/define.ts";
export { type Messages, registerLocale } from "../components/core/messages.ts";
export type { FetchToken, TokenAnswer, TokenReason } from "../components/core/tokens.ts";
export { ScripDashboard } from "../components/dashboard/dashboard.ts";
export { type ExpirationsEvents, ScripExpirations } from "../components/expirations/expirations.ts";
export { type GateEvents, ScripGate } from "../components/gate/gate.ts";
export { type LedgerEvents, ScripLedger } from "../components/ledger/ledger.ts";
export { ScripProvider } from "../components/provider/provider.ts";
export { type RechargeEvents, ScripRecharge } from "../components/recharge/recharge.ts";
export { ScripRunway } from "../components/runway/runway.ts";
export { ScripTopUp, type TopUpEvents } from "../components/top-up/top-up.ts";
export { ScripUsage, type UsageEvents } from "../components/usage/usage.ts";
