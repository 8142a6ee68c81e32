/** As much of GraphQL as the elements write: aliases, arguments that are variables, selections, and `... on`. */
interface Field {
  alias: string;
  name: string;
  args: Record<string, string>;
  fields: Field[];
}

export type Variables = Record<string, unknown>;
type Resolver = (args: Record<string, unknown>) => unknown;

/** The root fields of a document. */
export function parse(document: string): Field[] {
  const words = document.slice(document.indexOf("{")).match(/\.\.\.|\$?\w+|[{}():[\]]/g) ?? [];
  let at = 0;
  const args = (): Field["args"] => {
    const found: Field["args"] = {};
    for (at++; words[at] !== ")"; at += 3) found[`${words[at]}`] = `${words[at + 2]}`;
    at++;
    return found;
  };
  const selection = (): Field[] => {
    const found: Field[] = [];
    for (at++; words[at] !== "}"; ) {
      if (words[at] === "...") {
        at += 3;
        found.push(...selection());
        continue;
      }
      let name = `${words[at++]}`;
      const alias = name;
      if (words[at] === ":") {
        name = `${words[at + 1]}`;
        at += 2;
      }
      const given = words[at] === "(" ? args() : {};
      found.push({ alias, name, args: given, fields: words[at] === "{" ? selection() : [] });
    }
    at++;
    return found;
  };
  return selection();
}

/** What is asked of `value`, and nothing else: an element that forgets a field does not get it here either. */
export function select(value: unknown, fields: Field[], variables: Variables): unknown {
  if (Array.isArray(value)) return value.map((each) => select(each, fields, variables));
  if (!fields.length || value === null || typeof value !== "object") return value ?? null;
  const answer: Record<string, unknown> = {};
  for (const { alias, name, args, fields: inner } of fields) {
    const found = (value as Record<string, unknown>)[name];
    const given = Object.fromEntries(
      Object.entries(args).map(([key, text]) => [key, text.startsWith("$") ? variables[text.slice(1)] : text]),
    );
    answer[alias] = select(typeof found === "function" ? (found as Resolver)(given) : found, inner, variables);
  }
  return answer;
}
