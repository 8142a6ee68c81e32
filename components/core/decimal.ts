/**
 * Credits are decimal strings from the ledger to the screen. `Number` holds 15 digits and would
 * show a balance that nobody has, so arithmetic happens on BigInt in units of 10⁻¹².
 */
const PLACES = 12;

/** Units of 10⁻¹². Throws SyntaxError for whatever is not a plain decimal. */
export function units(decimal: string): bigint {
  const [, whole, part = ""] = /^(-?\d+)(?:\.(\d{1,12}))?$/.exec(decimal) ?? [];
  return BigInt(whole + part.padEnd(PLACES, "0"));
}

/** Cut to `scale` places, towards less: nobody is shown more than they have. */
export function floor(decimal: string, scale: number): string {
  const step = 10n ** BigInt(PLACES - scale);
  const amount = units(decimal);
  const over = amount % step;
  return text(amount - over - (over < 0n ? step : 0n));
}

/** The shortest plain decimal of an amount in units of 10⁻¹². */
export function text(amount: bigint): string {
  const digits = `${amount < 0n ? -amount : amount}`.padStart(PLACES + 1, "0");
  const part = digits.slice(-PLACES).replace(/0+$/, "");
  return (amount < 0n ? "-" : "") + digits.slice(0, -PLACES) + (part && `.${part}`);
}
