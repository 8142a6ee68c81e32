import { en } from "../locales/en.ts";
import type { enBuying } from "../locales/en_buying.ts";
import type { enLists } from "../locales/en_lists.ts";
import { surroundingsChanged } from "./surroundings.ts";

declare const SCRIP_VERSION: string;

/** What elements say to people. `{a}` and the like are places for values. */
export type Messages = typeof en & typeof enLists & typeof enBuying;
export interface Spoken {
  texts: Messages;
  /** The language the text is really in. */
  localeTag: string;
}

export const english: Spoken = { texts: en as unknown as Messages, localeTag: "en" };
const spoken = new Map<string, Spoken>([["en", english]]);
const loading = new Set<string>();
/** Languages that come with the server as files; English is in the script. */
const SHIPPED = /^(ar|de|es|fr|ja)$/;
const LOAD_MS_MAX = 5_000;

/** What was fetched: texts in the order of the English ones, some of which are of elements that are not here yet. */
const files = new Map<Messages, string[]>();

/** Adds a language, or replaces texts of one; what is left out is said in English. */
export function registerLocale(locale: string, messages: Partial<Messages>): Messages {
  const texts: Messages = Object.assign(Object.create(english.texts), messages);
  spoken.set(locale.toLowerCase(), { texts, localeTag: locale });
  surroundingsChanged();
  return texts;
}

/** Elements that come later bring their own English along. */
export function addTexts(more: Partial<Messages>): void {
  Object.assign(english.texts, more);
  for (const [texts, file] of files) Object.assign(texts, named(file));
}

const named = (file: string[]): Partial<Messages> =>
  Object.fromEntries(Object.keys(english.texts).map((key, index) => [key, file[index]]));

/** The texts for a locale; undefined while they are being fetched. */
export function messagesFor(locale: string, endpoint: string | undefined): Spoken | undefined {
  const language = locale.split("-")[0] ?? "en";
  const known = spoken.get(locale.toLowerCase()) ?? spoken.get(language);
  if (known || !SHIPPED.test(language)) return known ?? english;
  if (endpoint && !loading.has(language)) {
    loading.add(language);
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
    const file: string[] = await response.json();
    files.set(registerLocale(language, named(file)), file);
  } catch {
    spoken.set(language, english); // numbers matter more than their language
    surroundingsChanged();
  }
}

/** A text with its places filled: strings and nodes, never markup. */
export const fill = (text: string, values: Record<string, unknown>): unknown[] =>
  text.split(/\{(\w+)\}/).map((part, index) => (index % 2 ? values[part] : part));
