export const styles = /* css */ `
  :host,
  div {
    display: contents;
  }
  /* Its room, and nothing that anybody could see or reach: nothing moves when it may be shown. */
  .wait {
    visibility: hidden;
  }
  :host([hidden]) {
    display: none;
  }
  p {
    margin: 0;
    font-size: 0.875em;
  }
  [part="warning"] {
    color: var(--scrip-color-warning, color-mix(in srgb, #d97706 55%, currentColor));
  }
  [part="reason"] {
    color: var(--scrip-color-muted, color-mix(in srgb, currentColor 70%, transparent));
  }
`;
