export const styles = /* css */ `
  :host {
    min-block-size: 23em;
  }
  [part="legend"] {
    display: flex;
    flex-wrap: wrap;
    gap: 0 1em;
  }
  [part="readout"] {
    min-block-size: 3em;
  }
  [part="readout"] strong {
    font-size: 1.25em;
    font-weight: 650;
  }
  [part="chart"] {
    flex: 1;
    min-block-size: 6.5em;
    position: relative;
    border-block-end: 1px solid var(--_faint);
  }
  svg {
    display: block;
    position: absolute;
    inset: 0;
    inline-size: 100%;
    block-size: 100%;
    overflow: visible;
  }
  rect {
    fill: var(--_accent);
  }
  .hit {
    fill: transparent;
  }
  [part="bar"]:is(:hover, :focus) .hit {
    fill: var(--_faint);
  }
  [part="bar"]:focus {
    outline: none;
  }
  [part="bar"]:focus-visible .hit {
    stroke: var(--_accent);
    stroke-width: 2px;
    vector-effect: non-scaling-stroke;
  }
  .g1 {
    opacity: 0.6;
  }
  .g2 {
    opacity: 0.4;
  }
  .g3 {
    opacity: 0.25;
  }
  [part="legend"] svg {
    display: inline-block;
    position: static;
    inline-size: 0.625em;
    block-size: 0.625em;
    margin-inline-end: 0.5em;
  }
  [part="table"] {
    flex: 1 1 8em;
    block-size: 8em;
    overflow: auto;
  }
  :is(th, td) {
    padding: 0.25em 0;
    border-block-end: 1px solid var(--_faint);
    text-align: start;
    font-weight: inherit;
  }
  :is(th, td) + :is(th, td) {
    padding-inline-start: 1em;
    text-align: right;
    unicode-bidi: plaintext;
  }
  /* A border is seen in forced colours too, and beside the outline of focus; it takes no room. */
  [aria-pressed="true"] {
    margin: -1px 0;
    padding: 0 0.5em;
    border: 2px solid var(--_accent);
  }
  @media (forced-colors: active) {
    rect {
      fill: CanvasText;
    }
    [part="bar"]:is(:hover, :focus) .hit {
      fill: Highlight;
      fill-opacity: 0.3;
    }
  }
`;
