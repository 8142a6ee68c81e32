/**
 * What all elements look like. Without a theme an element takes the font and the colour of the text
 * around it; every other colour is mixed with that one, so it suits light and dark pages alike,
 * whether or not they declare a color-scheme.
 */
export const theme = /* css */ `
  :host {
    --_muted: var(--scrip-color-muted, color-mix(in srgb, currentColor 70%, transparent));
    /* Mixed with nothing, so that it is a colour: a paint or a background could load an image. */
    --_accent: color-mix(in srgb, var(--scrip-color-accent, color-mix(in srgb, #4f6ef7 75%, currentColor)) 100%, transparent);
    --_negative: var(--scrip-color-negative, color-mix(in srgb, #e5243b 70%, currentColor));
    --_warning: var(--scrip-color-warning, color-mix(in srgb, #d97706 55%, currentColor));
    --_faint: color-mix(in srgb, currentColor 12%, transparent);
    display: block;
    color: var(--scrip-color-text, inherit);
    font-family: var(--scrip-font, inherit);
    line-height: 1.5;
  }
  :host([hidden]) {
    display: none;
  }
  * {
    box-sizing: border-box;
    margin: 0;
  }
  [part="card"] {
    display: flex;
    flex-direction: column;
    padding: var(--scrip-space, 1em);
    border: 1px solid var(--scrip-color-border, var(--_faint));
    border-radius: var(--scrip-radius, 0.75em);
    background-color: var(--scrip-color-surface, transparent);
    box-shadow: var(--scrip-shadow, none);
    min-block-size: inherit;
  }
  .top,
  [part="stale"] {
    display: flex;
    align-items: center;
    justify-content: space-between;
    gap: 0.5em;
  }
  .top {
    font-size: 0.875em;
    font-weight: 500;
  }
  [part="heading"] {
    color: var(--_muted);
  }
  [part="low"],
  [part="loss"],
  [part="stale"] {
    color: var(--_warning);
  }
  [part="stale"] {
    font-size: 0.75em;
  }
  :is([part="low"], [part="loss"], [part="held"], [part="bucket"])::before {
    content: "";
    display: inline-block;
    inline-size: 0.5em;
    block-size: 0.5em;
    margin-inline-end: 0.5em;
    border: 1px solid;
    border-radius: 50%;
  }
  data {
    unicode-bidi: plaintext;
    font-variant-numeric: tabular-nums;
    overflow-wrap: anywhere;
  }
  ul {
    padding: 0;
    list-style: none;
  }
  [dir="rtl"] svg {
    transform: scaleX(-1);
  }
  [part="error"] {
    margin: auto;
    color: var(--_muted);
    text-align: center;
    font-size: 0.875em;
  }
  button {
    unicode-bidi: plaintext;
    padding: 0.125em 0.625em;
    border: 0;
    border-radius: 1em;
    background: var(--_faint);
    color: inherit;
    font: inherit;
    cursor: pointer;
  }
  button:hover {
    filter: contrast(0.75);
  }
  [part="skeleton"] {
    border-radius: 0.25em;
    background: var(--_faint);
  }
  /* Transparent until the system's own colours are forced upon the page, which drop backgrounds. */
  [part="skeleton"],
  button {
    outline: 1px solid transparent;
  }
  :host :focus-visible {
    outline: 2px solid var(--_accent);
    outline-offset: 2px;
  }
`;
