/** Byte strings. */

export type Bytes = Uint8Array<ArrayBuffer>;

export function hex(data: Bytes): string {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function fromBase64(text: string): Bytes {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

export function concat(...parts: Bytes[]): Bytes {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function equal(a: Bytes, b: Bytes): boolean {
  return hex(a) === hex(b);
}

/** The big-endian number in `data`. */
export function number(data: Bytes): bigint {
  return data.length ? BigInt("0x" + hex(data)) : 0n;
}
