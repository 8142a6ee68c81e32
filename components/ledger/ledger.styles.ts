export const styles = /* css */ `
  :host {
    block-size: 32em;
  }
  [part="card"] {
    block-size: 100%;
  }
  [part="table"] {
    flex: 1;
    overflow: auto;
    overscroll-behavior: contain;
    margin-inline: calc(-0.5 * var(--scrip-space, 1em));
    padding-inline: calc(0.5 * var(--scrip-space, 1em));
  }
  thead {
    position: fixed;
    clip-path: inset(50%);
  }
  td {
    padding: 0.625em 0;
    vertical-align: top;
  }
  [part="row"] {
    border-block-start: 1px solid var(--_faint);
  }
  thead + tbody > [part="row"] {
    border: 0;
  }
  td:last-child:not([colspan]) {
    padding-inline-start: 1em;
    text-align: end;
    white-space: nowrap;
  }
  .title {
    display: inline-flex;
    align-items: center;
    padding: 0;
    outline: 0;
    background: none;
    font-weight: 600;
    text-align: start;
  }
  .title::after {
    content: "";
    inline-size: 0.375em;
    block-size: 0.375em;
    margin-inline-start: 0.5em;
    border: solid;
    border-width: 0 1.5px 1.5px 0;
    transform: translateY(-0.2em) rotate(45deg);
    opacity: 0.6;
  }
  .title[aria-expanded="true"]::after {
    transform: rotate(225deg);
  }
  [part="dispute"] {
    margin-inline-start: 0.5em;
    color: var(--_warning);
    font-size: 0.875em;
  }
  [part="details"] td {
    padding-block-start: 0;
  }
  dl {
    display: grid;
    grid-template-columns: auto 1fr;
    gap: 0.125em 1em;
    margin-block-end: 0.625em;
  }
  dd {
    margin: 0;
    overflow-wrap: anywhere;
  }
  dt {
    color: var(--_muted);
  }
  textarea {
    display: block;
    inline-size: 100%;
    margin-block: 0.25em 0.5em;
    resize: vertical;
  }
  [part="more"] {
    display: block;
    margin: 0.5em auto;
  }
`;
