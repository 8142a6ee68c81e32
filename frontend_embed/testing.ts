/** What tests of host pages load: a fake Scrip for the page or behind a port, and what reads elements as a person does. */
export { BalanceHarness, ElementHarness } from "./testing/element_harness.ts";
export type {
  FakeBalance,
  FakeBucket,
  FakeCreditType,
  FakeDispute,
  FakeEntry,
  FakeExpiration,
  FakeRunway,
} from "./testing/fake_data.ts";
export { type BalanceOption, type FakeScripOptions, fakeScrip } from "./testing/fake_options.ts";
export type { FakeBundle, FakeMoney, FakeRule, FakeTopUp } from "./testing/fake_payments.ts";
export { FakeScrip } from "./testing/fake_scrip.ts";
export { install, type Locales } from "./testing/install.ts";
export { states } from "./testing/states.ts";
