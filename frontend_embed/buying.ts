/** The second script: the elements with which somebody buys, and the page that has them all. */
import { defineDashboard } from "../components/dashboard/dashboard.ts";
import { defineRecharge } from "../components/recharge/recharge.ts";
import { defineTopUp } from "../components/top-up/top-up.ts";

defineTopUp();
defineRecharge();
defineDashboard();
