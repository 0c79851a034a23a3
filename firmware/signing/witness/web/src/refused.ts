/** What does not hold: `code` is that of firmware/errors.py, `details` fill its sentence in. */
export class Refused extends Error {
  constructor(
    readonly code: string,
    readonly details: Record<string, string | number> = {},
  ) {
    super(code);
  }
}

/** Returns when `holds`; throws Refused otherwise. */
export function require(holds: boolean, code: string, details: Record<string, string | number> = {}): asserts holds {
  if (!holds) throw new Refused(code, details);
}
