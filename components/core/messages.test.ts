import { describe, expect, it } from "vitest";
import ar from "../locales/ar.json" with { type: "json" };
import de from "../locales/de.json" with { type: "json" };
import { en } from "../locales/en.ts";
import es from "../locales/es.json" with { type: "json" };
import fr from "../locales/fr.json" with { type: "json" };
import ja from "../locales/ja.json" with { type: "json" };
import { fill, type Messages, messagesFor, registerLocale } from "./messages.ts";

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

describe("registerLocale", () => {
  it("adds a language, and says in English what it leaves out", () => {
    registerLocale("pt", { retry: "Tentar de novo" });
    expect(messagesFor("pt", undefined)?.texts.retry).toBe("Tentar de novo");
    expect(messagesFor("pt-PT", undefined)?.texts.low).toBe(en.low);
  });
  it("lets a region differ from its language", () => {
    registerLocale("pt-BR", { retry: "Tente outra vez" });
    expect(messagesFor("pt-BR", undefined)?.texts.retry).toBe("Tente outra vez");
    expect(messagesFor("pt", undefined)?.texts.retry).toBe("Tentar de novo");
  });
  it("leaves languages that nobody registered to English", () => {
    expect(messagesFor("sw", undefined)?.localeTag).toBe("en");
  });
});

describe("fill", () => {
  it("puts values into places, in the order of the language", () => {
    expect(fill("{d}まで{a}", { a: "500", d: "1月31日" }).join("")).toBe("1月31日まで500");
  });
});
