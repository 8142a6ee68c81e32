import { describe, expect, it } from "vitest";
import { floor, text, units } from "./decimal.ts";

describe("decimals", () => {
  it.each([
    ["0", 6, "0"],
    ["1500", 3, "1500"],
    ["1500.000000", 3, "1500"],
    ["0.0004", 3, "0"],
    ["0.9999", 3, "0.999"],
    ["1499.999999", 0, "1499"],
    ["9223372036854.775807", 6, "9223372036854.775807"],
    ["123456789012345678901234567890.123456", 2, "123456789012345678901234567890.12"],
    ["-0.0004", 3, "-0.001"],
    ["-41", 3, "-41"],
    ["-41.0000001", 6, "-41.000001"],
    ["-0.5", 0, "-1"],
  ])("%s with %i places is shown as %s, never as more than it is", (decimal, scale, shown) => {
    expect(floor(decimal, scale)).toBe(shown);
  });

  it("keeps every digit there and back", () => {
    for (const decimal of ["0", "-0.000001", "1", "10.01", "99999999999999999999.999999999999"]) {
      expect(text(units(decimal))).toBe(decimal);
    }
  });

  it.each(["", "1e3", "NaN", "Infinity", "1.", ".5", "0x10", "1,000", " 1", "1_000", "+1", "--1"])(
    "refuses %j",
    (decimal) => {
      expect(() => units(decimal)).toThrow();
    },
  );
});
