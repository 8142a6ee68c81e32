/** What elements in which somebody does something have in common. */
export const actions = /* css */ `
  [part="action"] {
    padding: 0.375em 0.875em;
    background-color: var(--scrip-color-accent, #3f58d8);
    color: var(--scrip-color-on-accent, #fff);
    font-weight: 600;
    white-space: nowrap;
  }
  /* A page that names one of the two colours only gets the other to suit it. */
  @supports (color: oklch(from red l 0 0)) {
    [part="action"] {
      color: var(
        --scrip-color-on-accent,
        oklch(from var(--scrip-color-accent, #3f58d8) calc((0.68 - l) * 1000) 0 0)
      );
    }
  }
  .row > * + :last-child {
    margin-inline-start: auto;
  }
  .bad {
    color: var(--_negative);
  }
  a {
    color: inherit;
  }
`;
