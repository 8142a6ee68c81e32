/** What the elements that show lists, tables and figures have in common. */
export const lists = /* css */ `
  [part="card"] {
    gap: 0.5em;
    container-type: inline-size;
  }
  .top {
    flex-wrap: wrap;
  }
  .muted,
  [part="more"] {
    color: var(--_muted);
  }
  .small,
  [part="stale"] {
    font-size: 0.875em;
  }
  .row {
    display: flex;
    align-items: baseline;
    justify-content: space-between;
    gap: 0.125em 1em;
  }
  .row > :last-child {
    text-align: end;
  }
  .whole {
    white-space: nowrap;
  }
  .fill {
    flex: 1;
  }
  [part="stale"] {
    min-block-size: 1.75em;
  }
  /* A direction of their own: a sign stays before its number on a page that runs the other way. */
  strong,
  strong ~ span,
  [part="basis"] {
    unicode-bidi: plaintext;
  }
  time,
  td {
    font-variant-numeric: tabular-nums;
    overflow-wrap: anywhere;
  }
  [part="amount"] {
    font-weight: 600;
  }
  input,
  select,
  textarea {
    padding: 0.125em 0.5em;
    border: 1px solid var(--scrip-color-border, var(--_faint));
    border-radius: 0.5em;
    background: transparent;
    color: inherit;
    font: inherit;
    max-inline-size: 100%;
  }
  option {
    background: Canvas;
    color: CanvasText;
  }
  button:is(:disabled, [aria-disabled="true"]) {
    opacity: 0.6;
    cursor: default;
  }
  .tools {
    display: flex;
    gap: 0.5em;
    white-space: nowrap;
  }
  table {
    inline-size: 100%;
    border-collapse: collapse;
  }
`;
