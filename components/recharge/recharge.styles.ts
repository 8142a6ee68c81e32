export const styles = /* css */ `
  :host {
    min-block-size: 29em;
  }
  @media (max-width: 26em) {
    :host {
      min-block-size: 33em;
    }
  }
  fieldset {
    display: grid;
    grid-template-columns: minmax(0, 2fr) minmax(0, 3fr);
    gap: 0.5em 1em;
    padding: 0;
    border: 0;
    min-inline-size: 0;
  }
  [part="field"] {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 0.125em;
    align-content: end;
    font-size: 0.875em;
  }
  .wide {
    grid-column: 1 / -1;
  }
  label.wide {
    display: flex;
    align-items: center;
    gap: 0.5em;
  }
  input,
  select {
    padding: 0.25em 0.5em;
    block-size: 2.125em;
  }
  input {
    inline-size: 100%;
  }
  [type="checkbox"] {
    inline-size: 1.125em;
    block-size: 1.125em;
    accent-color: var(--_accent);
  }
  :is(input, select):user-invalid {
    border-color: var(--_negative);
  }
  .row {
    flex-wrap: wrap;
    align-items: center;
  }
`;
