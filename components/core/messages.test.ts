import { describe, expect, it, vi } from "vitest";
import { FakeScrip } from "../../frontend_embed/testing/fake_scrip.ts";
import { settle } from "../../frontend_embed/testing/harness.ts";
import { install } from "../../frontend_embed/testing/install.ts";
import ar from "../locales/ar.json" with { type: "json" };
import de from "../locales/de.json" with { type: "json" };
import en from "../locales/en.json" with { type: "json" };
import es from "../locales/es.json" with { type: "json" };
import { first } from "../locales/first.ts";
import fr from "../locales/fr.json" with { type: "json" };
import ja from "../locales/ja.json" with { type: "json" };
import { few, fill, type Messages, messagesFor, registerLocale } from "./messages.ts";

const places = (text: string): string[] => [...text.matchAll(/\{\w+\}/g)].map(String).sort();

describe.each(Object.entries({ ar, de, es, fr, ja }))("the texts in %s", (_, messages: Messages) => {
  it("are all there, and no others, in one order: their names are left out of what is sent", () => {
    expect(Object.keys(messages)).toEqual(Object.keys(en));
  });
  it("have the same places as in English", () => {
    for (const key of Object.keys(en) as (keyof Messages)[]) {
      expect({ key, places: places(messages[key]) }).toEqual({ key, places: places(en[key]) });
    }
  });
});

describe("the few texts in the script", () => {
  it("stand first in every file, in their order, because their names are left out too", () => {
    expect(Object.entries(first)).toEqual(Object.entries(en).slice(0, Object.keys(first).length));
  });
});

const endpoint = "https://messages.test";
/** What is said in the end, and which files were asked for on the way. */
async function said(locale: string, areFewEnough = false, locales: object = { en, de }) {
  const asked: string[] = [];
  const uninstall = install(new FakeScrip(), endpoint, { ...locales });
  const { fetch } = globalThis;
  globalThis.fetch = (input, init) => {
    asked.push(`${input}`.replace(/^.*\//, ""));
    return fetch(input, init);
  };
  const before = messagesFor(locale, endpoint, areFewEnough);
  await settle();
  const spoken = messagesFor(locale, endpoint, areFewEnough);
  globalThis.fetch = fetch;
  uninstall();
  return { asked, before, spoken, texts: spoken?.texts };
}

describe("the texts of a language", () => {
  it("are there when they have been fetched, and are not fetched again", async () => {
    const { asked, before, spoken, texts } = await said("de-AT");
    expect({ asked, before, localeTag: spoken?.localeTag }).toEqual({
      asked: ["de.json"],
      before: undefined,
      localeTag: "de",
    });
    expect(texts).toMatchObject(de);
    expect((await said("de")).asked).toEqual([]);
  });
  it("need no fetching where the few English ones are enough", async () => {
    const { asked, before } = await said("en-GB", true);
    expect({ asked, before }).toEqual({ asked: [], before: few });
  });
  it("are English where there are none, also of a language that nobody registered", async () => {
    expect((await said("sw")).texts).toMatchObject(en);
    const { asked, spoken } = await said("fr", false, { en });
    expect({ asked, localeTag: spoken?.localeTag }).toEqual({ asked: ["fr.json"], localeTag: "en" });
  });
  it("are the few where nothing can be fetched, until somebody asks later", async () => {
    const { spoken } = await said("es", true, {});
    expect(spoken).toBe(few);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 6_000 });
    expect((await said("es", true, { es })).texts).toMatchObject(es);
    vi.useRealTimers();
  });
});

describe("registerLocale", () => {
  it("adds a language, and says in English what it leaves out", async () => {
    registerLocale("pt", { retry: "Tentar de novo" });
    expect((await said("pt")).texts?.retry).toBe("Tentar de novo");
    expect((await said("pt-PT")).texts?.low).toBe(en.low);
    expect((await said("pt-PT")).texts?.[6 as never]).toBe(en.low);
    expect((await said("pt")).texts?.BURN).toBe(en.BURN);
  });
  it("lets a region differ from its language", async () => {
    registerLocale("pt-BR", { retry: "Tente outra vez" });
    expect((await said("pt-BR")).texts?.retry).toBe("Tente outra vez");
    expect((await said("pt")).texts?.retry).toBe("Tentar de novo");
  });
  it("replaces texts of a language that is shipped, whichever was first", async () => {
    registerLocale("de", { retry: "Los" });
    expect((await said("de")).texts).toMatchObject({ ...en, retry: "Los" });
    registerLocale("en", { retry: "Again" });
    expect((await said("en", true)).texts).toMatchObject({ ...en, retry: "Again" });
  });
});

describe("fill", () => {
  it("puts values into places, in the order of the language", () => {
    expect(fill("{d}まで{a}", { a: "500", d: "1月31日" }).join("")).toBe("1月31日まで500");
  });
});
