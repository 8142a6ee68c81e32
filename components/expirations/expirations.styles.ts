export const styles = /* css */ `
  :host {
    min-block-size: 17.25em;
  }
  li {
    padding-block: 0.375em;
    border-block-start: 1px solid var(--_faint);
  }
  li:first-child {
    border: 0;
  }
  [part="source"] {
    margin-inline-end: 0.5em;
  }
`;
