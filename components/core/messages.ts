import type en from "../locales/en.json";
import { first } from "../locales/first.ts";
import { surroundingsChanged } from "./surroundings.ts";

declare const SCRIP_VERSION: string;

/** What elements say to people. `{a}` and the like are places for values. */
export type Messages = typeof en;
export interface Spoken {
  texts: Messages;
  /** The language the text is really in. */
  localeTag: string;
}

/**
 * Texts by their names, or in the order of the English ones with those apart that names of the wire are looked up in.
 * Here they have names and places: the build writes places where the sources have names.
 */
const read = (texts: object, named?: object): Messages => Object.assign(Object.values(texts), texts, named) as never;

/** What is in the script: enough for a balance, and for what goes wrong. */
export const few: Spoken = { texts: read(first), localeTag: "en" };

interface Language {
  /** Undefined until it has come for the first time. */
  spoken?: Spoken;
  hasFailed?: boolean;
  asked_ms: number;
}
const languages = new Map<string, Language>();
/** By tags in small letters: what pages have added. */
const registered = new Map<string, Partial<Messages>>();
/** Languages that come with the server as files. */
const SHIPPED = /^(ar|de|en|es|fr|ja)$/;
const LOAD_MS_MAX = 5_000;

/** Adds a language, or replaces texts of one; what is left out is said in English. */
export function registerLocale(locale: string, messages: Partial<Messages>): void {
  const tag = locale.toLowerCase();
  registered.set(tag, messages);
  languages.delete(tag);
  surroundingsChanged();
}

/**
 * The texts for a locale; undefined while they are being fetched. Where they can't be had it is English, because numbers
 * matter more than their language, and where that can't either, or where they are enough, the few in the script.
 */
export function messagesFor(locale: string, endpoint: string | undefined, areFewEnough: boolean): Spoken | undefined {
  const tags = [locale.toLowerCase(), locale.split("-")[0] as string, "en"];
  for (const tag of tags) {
    const own = registered.get(tag);
    if (!own && (!SHIPPED.test(tag) || (areFewEnough && tag === "en"))) continue;
    const language = languages.get(tag) ?? { asked_ms: 0 };
    languages.set(tag, language);
    // Whoever asks again later finds out whether it can be had by then.
    if (endpoint && !language.spoken && language.asked_ms < Date.now() - LOAD_MS_MAX) {
      language.asked_ms = Date.now();
      load(own ? "en" : tag, endpoint, own)
        .then((texts) => {
          language.spoken = { texts, localeTag: tag };
        })
        .catch(() => {
          language.hasFailed = true;
        })
        .then(surroundingsChanged);
    }
    if (!language.hasFailed || language.spoken) return language.spoken;
  }
  return few;
}

/** Texts are data: they come by `fetch`, not as a script, so the hash of the one script covers all code. */
async function load(language: string, endpoint: string, own: object | undefined): Promise<Messages> {
  const response = await fetch(`${endpoint}/embed/${SCRIP_VERSION}/locales/${language}.json`, {
    signal: AbortSignal.timeout(LOAD_MS_MAX),
  });
  // What is no list, such as the answer that there is no such file, throws.
  const [texts, named] = await response.json();
  return read({ ...texts, ...own }, named);
}

/** A text with its places filled: strings and nodes, never markup. */
export const fill = (text: string, values: Record<string, unknown>): unknown[] =>
  text.split(/\{(\w+)\}/).map((part, index) => (index % 2 ? values[part] : part));
