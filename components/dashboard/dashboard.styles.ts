export const styles = /* css */ `
  :host {
    display: block;
    container-type: inline-size;
  }
  :host([hidden]) {
    display: none;
  }
  [part="grid"] {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 1em;
  }
  /* Cards of one row end together; the ledger has a height of its own, and scrolls. */
  [part="grid"] > :not(scrip-ledger) {
    display: grid;
  }
  @container (min-width: 44em) {
    [part="grid"] {
      grid-template-columns: repeat(2, minmax(0, 1fr));
    }
    .wide {
      grid-column: 1 / -1;
    }
  }
`;
