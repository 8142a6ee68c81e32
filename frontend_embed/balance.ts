/** The balance and what it needs, and nothing else: what the budget of the balance alone is measured on. */
import { defineBalance } from "../components/balance/balance.ts";
import { defineProvider } from "../components/provider/provider.ts";

defineProvider();
defineBalance();
