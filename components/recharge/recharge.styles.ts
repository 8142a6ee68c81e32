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
    justify-content: start;
  }
  label.wide {
    grid-template-columns: auto auto;
    align-items: center;
    gap: 0.5em;
  }
  select {
    padding: 0.25em 0.5em;
  }
  input,
  select {
    box-sizing: border-box;
    block-size: 2.125em;
  }
  input {
    padding: 0.25em 0.5em;
    border: 1px solid var(--scrip-color-border, var(--_faint));
    border-radius: 0.5em;
    background: transparent;
    color: inherit;
    font: inherit;
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
