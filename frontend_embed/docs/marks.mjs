/** Comment, string, tag or word of a language: as much colour as helps reading. */
const MARKS =
  /(?<comment><!--[\s\S]*?-->|\{#.*?#\}|<%#.*?%>|(?<=^|\s)(?:\/\/|# ).*$|\/\*[\s\S]*?\*\/|"""[\s\S]*?""")|(?<string>"[^"\n]*"|'[^'\n]*'|`[^`]*`)|(?<tag><\/?[\w-]+|\/?>)|(?<word>\b(?:await|async|class|const|def|do|done|else|end|export|for|from|function|if|import|in|let|new|return|type|with)\b(?![-=]))/gm;

/**
 * Code in pieces, each with what it is; most are nothing.
 * @param {string} code
 * @returns {{kind: string, text: string}[]}
 */
export function pieces(code) {
  const found = [];
  let at = 0;
  for (const match of code.matchAll(MARKS)) {
    const [kind] = Object.entries(match.groups ?? {}).find(([, text]) => text !== undefined) ?? [""];
    found.push({ kind: "", text: code.slice(at, match.index) }, { kind, text: match[0] });
    at = match.index + match[0].length;
  }
  return [...found, { kind: "", text: code.slice(at) }].filter(({ text }) => text);
}
