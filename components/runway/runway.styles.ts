export const styles = /* css */ `
  :host {
    min-block-size: 14em;
  }
  [part="date"] {
    font-size: clamp(1.25em, 8cqi, 1.75em);
    font-weight: 650;
    line-height: 1.25;
    letter-spacing: -0.01em;
  }
  /* The server's words, which may begin the line. */
  p::first-letter {
    text-transform: uppercase;
  }
  p.row {
    margin-block-end: 0.25em;
    flex-wrap: wrap;
  }
  div.row {
    align-items: center;
  }
`;
