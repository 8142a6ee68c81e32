import { en } from "../locales/en.ts";
import { surroundingsChanged } from "./surroundings.ts";

declare const SCRIP_VERSION: string;

/** What elements say to people. `{a}` and the like are places for values. */
export type Messages = typeof en;
export interface Spoken {
  texts: Messages;
  /** The language the text is really in. */
  localeTag: string;
}

export const english: Spoken = { texts: en, localeTag: "en" };
/** By language; undefined while it is fetched. */
const spoken = new Map<string, Spoken | undefined>([["en", english]]);
/** Languages that come with the server as files; English is in the script. */
const SHIPPED = /^(ar|de|es|fr|ja)$/;
const LOAD_MS_MAX = 5_000;

/** Adds a language, or replaces texts of one; what is left out is said in English. */
export function registerLocale(locale: string, messages: Partial<Messages>): void {
  spoken.set(locale.toLowerCase(), { texts: { ...en, ...messages }, localeTag: locale });
  surroundingsChanged();
}

/** The texts for a locale; undefined while they are being fetched. */
export function messagesFor(locale: string, endpoint: string | undefined): Spoken | undefined {
  const language = locale.split("-")[0] ?? "en";
  const known = spoken.get(locale.toLowerCase()) ?? spoken.get(language);
  if (known || !SHIPPED.test(language)) return known ?? english;
  if (endpoint && !spoken.has(language)) {
    spoken.set(language, undefined);
    load(language, endpoint);
  }
  return undefined;
}

/** Texts are data: they come by `fetch`, not as a script, so the hash of the one script covers all code. */
async function load(language: string, endpoint: string): Promise<void> {
  try {
    const response = await fetch(`${endpoint}/embed/${SCRIP_VERSION}/locales/${language}.json`, {
      credentials: "omit",
      signal: AbortSignal.timeout(LOAD_MS_MAX),
    });
    if (!response.ok) throw new Error(response.statusText);
    // The file has the texts in the order of the English ones, without their names.
    const file: string[] = await response.json();
    registerLocale(language, Object.fromEntries(Object.keys(en).map((key, index) => [key, file[index]])));
  } catch {
    spoken.set(language, english); // numbers matter more than their language
    surroundingsChanged();
  }
}

/** A text with its places filled: strings and nodes, never markup. */
export const fill = (text: string, values: Record<string, unknown>): unknown[] =>
  text.split(/\{(\w+)\}/).map((part, index) => (index % 2 ? values[part] : part));
