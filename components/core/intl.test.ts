import { describe, expect, it } from "vitest";
import { ago, canonical, day, number, rightToLeft } from "./intl.ts";

describe("numbers", () => {
  it.each([
    ["en", "1500", 3, "1,500"],
    ["en", "1499.9999", 3, "1,499.999"],
    ["en", "0.0004", 3, "0"],
    ["en", "9223372036854.775807", 6, "9,223,372,036,854.775807"],
    ["en", "12345678901234567890.123456", 6, "12,345,678,901,234,567,890.123456"],
    ["de", "1500.5", 3, "1.500,5"],
    ["fr", "1500.5", 3, "1\u202f500,5"],
    ["ja", "1500", 3, "1,500"],
    ["ar-EG", "1500", 3, "١٬٥٠٠"],
  ])("%s writes %s with %i places as %s", (locale, decimal, scale, shown) => {
    expect(number(locale, decimal, scale)).toBe(shown);
  });
});

describe("dates", () => {
  const now = "2027-01-10T12:00:00.000000Z";

  it("leave out the year where it is this year's, by the server's clock", () => {
    expect(day("en", "2027-01-31T12:00:00.123456Z", now)).toBe("Jan 31");
    expect(day("en", "2028-01-31T12:00:00.000000Z", now)).toBe("Jan 31, 2028");
    expect(day("de", "2027-01-31T12:00:00.000000Z", now)).toBe("31. Jan.");
  });

  it.each([
    [400, "1 sec. ago"],
    [42_000, "42 sec. ago"],
    [125_000, "2 min. ago"],
    [3 * 3_600_000, "3 hr. ago"],
  ])("an age of %i ms is %s", (elapsed_ms, shown) => {
    expect(ago("en", -elapsed_ms)).toBe(shown);
  });
});

describe("language tags", () => {
  it.each([
    ["de-at", "de-AT"],
    ["pt_BR", "pt-BR"],
    ["not a tag", "en"],
    ["", "en"],
  ])("%j is taken as %s", (tag, locale) => {
    expect(canonical(tag)).toBe(locale);
  });

  it("know their direction", () => {
    expect(["ar", "ar-EG", "he", "fa-IR", "ur"].every(rightToLeft)).toBe(true);
    expect(["en", "de", "ja", "arn", "fas"].some(rightToLeft)).toBe(false);
  });
});
