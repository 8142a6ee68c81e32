/** What a person finds in an element, without knowing how it is built: for tests of pages that embed one. */
export class ElementHarness {
  readonly element: HTMLElement;

  constructor(element: HTMLElement | null) {
    if (!element) throw new Error("there is no such element");
    this.element = element;
  }

  /** The first element with this part name, inside. */
  part(name: string): HTMLElement | null {
    return this.element.shadowRoot?.querySelector<HTMLElement>(`[part~="${name}"]`) ?? null;
  }
  parts(name: string): HTMLElement[] {
    return [...(this.element.shadowRoot?.querySelectorAll<HTMLElement>(`[part~="${name}"]`) ?? [])];
  }
  text(name: string): string | undefined {
    return this.part(name)?.textContent?.trim();
  }
  get isLoading(): boolean {
    return this.part("card")?.getAttribute("aria-busy") === "true";
  }
}

export class BalanceHarness extends ElementHarness {
  /** The number as it is written. */
  get value(): string | undefined {
    return this.text("value");
  }
  /** The number as it is. */
  get exact(): string | null | undefined {
    return this.part("value")?.getAttribute("value");
  }
  get buckets(): (string | undefined)[] {
    return this.parts("bucket").map((bucket) => bucket.querySelector("span")?.textContent?.trim());
  }
}
