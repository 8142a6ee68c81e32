export const styles = /* css */ `
  :host {
    min-block-size: 23.5em;
  }
  @media (max-width: 26em) {
    :host {
      min-block-size: 32em;
    }
  }
  [part="bundles"] {
    display: grid;
    flex: 1;
  }
  [part="bundle"] {
    align-items: center;
    padding-block: 0.5em;
    border-block-start: 1px solid var(--_faint);
  }
  [part="bundle"]:first-child {
    border: 0;
  }
  [part="suggested"] {
    color: var(--_accent);
    font-size: 0.75em;
    font-weight: 600;
  }
  [part="status"] {
    flex-wrap: wrap;
    align-content: center;
    align-items: center;
    min-block-size: 3.5em;
    margin-block-start: auto;
  }
  [part="stale"] {
    font-size: 1em;
    flex: 1;
  }
`;
