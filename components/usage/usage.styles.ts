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
  [dir="rtl"] svg {
    transform: scaleX(-1);
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
    opacity: 0.55;
  }
  .g2 {
    opacity: 0.3;
  }
  .g3 {
    opacity: 0.15;
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
    text-align: end;
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
