/**
 * Templates: as much of Lit's as the elements write, in a quarter of its size. Text and whole or parts of
 * attributes, `?flag=`, `@event=`, and as a child a text, a node, a template, or an array of these.
 *
 * Only what stands in the source becomes markup. Values are set as text, as attributes and as listeners, so no name
 * of the catalog can ever be one.
 */
export class Template {
  constructor(
    readonly strings: TemplateStringsArray,
    readonly values: unknown[],
  ) {}
}

export const html = (strings: TemplateStringsArray, ...values: unknown[]): Template => new Template(strings, values);

/** Where a value goes, until the markup has been read: no template has one of its own. */
const PLACE = "~";
/** The markup of all templates: the build takes them out, and leaves their numbers for `strings`. */
declare const SCRIP_TEXTS: readonly string[] | undefined;
/** Takes as many values as it has places. */
type Fill = (values: unknown[]) => void;
/** Which node of the template, counted in the order of the document, and which of its attributes. */
type Spot = [index: number, attribute?: string, texts?: string[]];

interface Markup {
  createHTML(markup: string): string;
}
const { trustedTypes } = globalThis as {
  trustedTypes?: { createPolicy(name: string, rules: Markup): Markup };
};
const trusted = trustedTypes?.createPolicy("scrip", { createHTML: (markup) => markup });

const nodesOf = (root: Node): Node[] => {
  const walker = document.createTreeWalker(root, 129); // elements and comments
  const nodes: Node[] = [];
  while (walker.nextNode()) nodes.push(walker.currentNode);
  return nodes;
};

const read = new Map<TemplateStringsArray, [DocumentFragment, Spot[]]>();
/** The nodes of a template, of which copies are made, and where its values go. */
function prepare(strings: TemplateStringsArray): [DocumentFragment, Spot[]] {
  let known = read.get(strings);
  if (known) return known;
  // Outside of tags a place is a child's, and needs a node; within one it is an attribute's.
  const text = SCRIP_TEXTS ? (SCRIP_TEXTS[strings as never] as string) : strings.join(PLACE);
  const markup = text.replace(/(?<=(^|>)[^<]*)~/g, "<!--~-->");
  const isSvg = /^<(g|rect)/.test(markup);
  const whole = isSvg ? `<svg>${markup}</svg>` : markup;
  const template = document.createElement("template");
  template.innerHTML = trusted?.createHTML(whole) ?? whole;
  const { content } = template;
  if (isSvg) content.replaceChildren(...(content.firstChild as Node).childNodes);
  const spots: Spot[] = [];
  nodesOf(content).forEach((node, index) => {
    if (node.nodeValue === PLACE) spots.push([index]);
    for (const { name, value } of [...((node as Element).attributes ?? [])]) {
      if (!value.includes(PLACE)) continue;
      (node as Element).removeAttribute(name);
      spots.push([index, name, value.split(PLACE)]);
    }
  });
  known = [content, spots];
  read.set(strings, known);
  return known;
}

/** One copy of a template, and what fills it. */
function create(strings: TemplateStringsArray): [DocumentFragment, Fill] {
  const [content, spots] = prepare(strings);
  const fragment = document.importNode(content, true);
  const nodes = nodesOf(fragment);
  const fills = spots.map(([index, name, texts = ["", ""]]): [Fill, number] => [
    name ? attribute(nodes[index] as Element, name, texts) : child(nodes[index] as ChildNode)[0],
    texts.length - 1,
  ]);
  return [
    fragment,
    (values) => {
      let next = 0;
      for (const [fill, count] of fills) {
        fill(values.slice(next, next + count));
        next += count;
      }
    },
  ];
}

function attribute(node: Element, name: string, texts: string[]): Fill {
  const bare = name.slice(1);
  if (name[0] === "@") {
    let listener: EventListener;
    node.addEventListener(bare, (event) => listener(event));
    return ([value]) => {
      listener = value as EventListener;
    };
  }
  if (name[0] === "?") return ([value]) => void node.toggleAttribute(bare, !!value);
  return (values) => {
    const text = texts.reduce((all, text, index) => all + (values[index - 1] ?? "") + text);
    if (text !== node.getAttribute(name)) node.setAttribute(name, text);
  };
}

/** What stands before `end`: a text, which is there from the beginning, and behind it whatever else. */
function child(end: ChildNode): [Fill, Text] {
  const start = new Text();
  end.before(start);
  let shown: unknown;
  let update: Fill;
  let items: [Fill, Text][];
  const clear = (from: ChildNode, text = "", next?: unknown): void => {
    while (from.nextSibling !== end) from.nextSibling?.remove();
    if (start.data !== text) start.data = text;
    shown = next;
  };
  const fill: Fill = ([value]) => {
    if (Array.isArray(value)) {
      if (!items || shown !== items) {
        items = [];
        clear(start, "", items);
      }
      value.forEach((each, index) => {
        if (!items[index]) {
          const last = new Comment();
          end.before(last);
          items[index] = child(last);
        }
        items[index]?.[0]([each]);
      });
      const [first] = items.splice(value.length);
      if (first) {
        clear(first[1], "", items);
        first[1].remove();
      }
    } else if (value instanceof Node) {
      if (shown === value) return;
      clear(start, "", value);
      end.before(value);
    } else if (value instanceof Template) {
      // By who made it: somebody may have put `strings` on a prototype, and data must not become markup.
      const { strings, values } = value;
      if (shown === strings) return update(values);
      const [fragment, filled] = create(strings);
      clear(start, "", strings);
      update = filled;
      update(values);
      end.before(fragment);
    } else clear(start, `${value || value === 0 ? value : ""}`);
  };
  return [fill, start];
}

const roots = new WeakMap<Node, Fill>();
/** Draws into a node that nothing else draws into. What has not changed stays as it is. */
export function render(value: unknown, root: ParentNode & Node): void {
  let fill = roots.get(root);
  if (!fill) {
    const end = new Comment();
    root.append(end);
    [fill] = child(end);
    roots.set(root, fill);
  }
  fill([value]);
}
