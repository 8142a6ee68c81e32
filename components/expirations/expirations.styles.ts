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
  /* Where there is no room for both, what may be lost says more than how far away that is. */
  @container (max-width: 18em) {
    .far {
      display: none;
    }
  }
  [part="source"] {
    margin-inline-end: 0.5em;
  }
`;
