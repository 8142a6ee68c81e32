import { afterEach, expect, it } from "vitest";
import { unreachable } from "../../frontend_embed/testing/accessible.ts";
import { describeDescription, described_as, names } from "../../frontend_embed/testing/described.ts";
import { FakeScrip } from "../../frontend_embed/testing/fake_scrip.ts";
import { unmountAll } from "../../frontend_embed/testing/harness.ts";
import { defineProvider, ScripProvider } from "../provider/provider.ts";
import { defineBalance, ScripBalance } from "./balance.ts";

defineProvider();
defineBalance();
afterEach(unmountAll);

describeDescription("scrip-balance", ScripBalance, [
  () => ({ session: "" }),
  () => ({ attributes: "show-held low=9999" }),
  () => {
    const fake = new FakeScrip();
    fake.set("ai", { version: 0, available: "0", buckets: [] });
    return { fake };
  },
  () => ({ fake: unreachable() }),
]);

it("all elements observe the attributes that one of them has, and no others", () => {
  const all = ["balance", "usage", "ledger", "expirations", "top-up", "recharge", "runway", "gate"].flatMap((name) =>
    names(described_as(`scrip-${name}`).attributes),
  );
  expect([...new Set(all)].sort()).toEqual([...ScripBalance.observedAttributes].sort());
});

it("custom-elements.json names the attributes of the provider", () => {
  expect(names(described_as("scrip-provider").attributes)).toEqual([...ScripProvider.observedAttributes].sort());
});
