const sheets = new Map<string, CSSStyleSheet>();

/** Constructed sheets are the one kind of style that a strict content policy lets a script make. */
export function sheetOf(css: string): CSSStyleSheet {
  let sheet = sheets.get(css);
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    sheets.set(css, sheet);
  }
  return sheet;
}
