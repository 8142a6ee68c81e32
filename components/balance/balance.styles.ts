export const styles = /* css */ `
  :host {
    min-block-size: 10.75em;
  }
  :host([show-held]) {
    min-block-size: 12em;
  }
  .main {
    display: flex;
    align-items: center;
    min-block-size: 3.25em;
    container-type: inline-size;
  }
  p {
    flex: 1;
    line-height: 1.25;
  }
  .main :is(data, [part="skeleton"]) {
    font-size: clamp(1.25em, 11cqi, 2.25em);
    letter-spacing: -0.02em;
  }
  .main .long {
    font-size: 1.25em;
  }
  data {
    font-weight: 650;
  }
  [part="unit"],
  [part="held"] {
    color: var(--_muted);
  }
  [value^="-"] {
    color: var(--_negative);
  }
  .between {
    block-size: 1.375em;
    padding-block-start: 0.125em;
  }
  .bar {
    display: block;
    inline-size: 100%;
    block-size: 0.375em;
    border-radius: 1em;
    background: var(--_faint);
  }
  rect {
    height: 1px;
    fill: var(--_accent);
  }
  [part="bucket"]::before {
    border-color: var(--_accent);
    background: var(--_accent);
  }
  rect.c1,
  .c1::before {
    opacity: 0.5;
  }
  rect.c2,
  .c1 ~ li::before {
    opacity: 0.2;
  }
  ul {
    font-variant-numeric: tabular-nums;
  }
  li,
  .row,
  [part="held"] {
    font-size: 0.875em;
    line-height: 1.5;
  }
  li button {
    margin: -1em 0.25em;
    padding-inline: 0.375em;
  }
  :host([compact]) {
    display: inline-block;
    min-block-size: 1.5em;
    min-inline-size: 8em;
    vertical-align: bottom;
  }
  :host([compact]) [part="card"] {
    flex-direction: row;
    align-items: baseline;
    gap: 0.5em;
    padding: 0;
    border: 0;
    white-space: nowrap;
  }
  :host([compact]) :is(.top, [part="stale"] span, [part="error"] p) {
    position: fixed;
    clip-path: inset(50%);
  }
  :host([compact]) [part="error"]::before {
    content: "— ";
  }
`;
