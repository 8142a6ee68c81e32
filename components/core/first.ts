/**
 * What the first script hands to the second: the modules that both need are in the first one alone. The build turns
 * every import of such a module in the second script into a name of this list.
 */
export { text, units } from "./decimal.ts";
export { define } from "./define.ts";
export { bones, FOLLOWED, FollowingElement, newest } from "./following.ts";
export { moment, price } from "./formats.ts";
export { lists } from "./lists.styles.ts";
export { addTexts, fill } from "./messages.ts";
export { html, render } from "./render.ts";
export { receive } from "./session.ts";
export { sheetOf } from "./sheet.ts";
export { theme } from "./theme.styles.ts";
