import { expect, it } from "vitest";
import { OURS } from "../../frontend_embed/build_steps/ours.mjs";
import en from "../locales/en.json" with { type: "json" };

it("names that the build shortens are none of the platform's, of the wire's or of the texts'", () => {
  const taken = new Set<string>(Object.keys(en));
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    taken.add(name);
    const value: unknown = Reflect.get(globalThis, name);
    if (typeof value !== "function" && typeof value !== "object") continue;
    for (const owner of [value, (value as { prototype?: object } | null)?.prototype]) {
      if (owner) for (const property of Object.getOwnPropertyNames(owner)) taken.add(property);
    }
  }
  const wire = "available held version asOf buckets amount expiresAt creditType key name unitSingular unitPlural scale";
  for (const name of `${wire} token reason signal query variables payload type id data errors`.split(" "))
    taken.add(name);
  expect(OURS.filter((name) => taken.has(name))).toEqual([]);
});
