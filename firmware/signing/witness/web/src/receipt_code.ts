/** The text of a receipt's code: `C1R1:` and Base45 (RFC 9285). Only one text gives the same bytes. */

import type { Bytes } from "./bytes";
import { Refused } from "./refused";

export const PREFIX = "C1R1:";
/** An alphanumeric QR code of version 40 at level Q holds no more (ISO/IEC 18004, table 7). */
const MAX_CHARACTERS = 2420;
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/** The COSE bytes of a code's text; throws Refused("receipt-code"). */
export function decodeCode(text: string): Bytes {
  if (!text.startsWith(PREFIX) || text.length > MAX_CHARACTERS) throw new Refused("receipt-code");
  const digits = Array.from(text.slice(PREFIX.length), (character) => ALPHABET.indexOf(character));
  if (digits.includes(-1) || digits.length % 3 === 1) throw new Refused("receipt-code");
  const data: number[] = [];
  for (let at = 0; at < digits.length; at += 3) data.push(...group(digits.slice(at, at + 3)));
  return Uint8Array.from(data);
}

/** Three characters are two bytes, the last two may be one byte. */
function group(digits: number[]): number[] {
  const value = digits.reduceRight((sum, digit) => sum * ALPHABET.length + digit, 0);
  if (value >= 1 << (digits.length === 3 ? 16 : 8)) throw new Refused("receipt-code");
  return digits.length === 3 ? [value >> 8, value & 255] : [value];
}
