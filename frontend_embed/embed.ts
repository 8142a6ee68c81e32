/** Everything a host page loads: registers the elements, and hands out what pages may call. */
import { defineBalance } from "../components/balance/balance.ts";
import { defineProvider } from "../components/provider/provider.ts";

defineProvider();
defineBalance();

export { type BalanceEvents, ScripBalance } from "../components/balance/balance.ts";
export { VERSION as version } from "../components/core/define.ts";
export { type Messages, registerLocale } from "../components/core/messages.ts";
export type { FetchToken, TokenAnswer, TokenReason } from "../components/core/tokens.ts";
export { ScripProvider } from "../components/provider/provider.ts";
