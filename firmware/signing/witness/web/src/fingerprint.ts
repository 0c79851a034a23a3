/** The short fingerprint of a record, as printed on its strip (firmware/receipt/fingerprint.py). */

import { type Bytes, number } from "./bytes";

const ALPHABET = "3479ACDEFHJKMNPRTWXY";
const LETTERS = 16;

/** Sixteen letters in groups of four, such as "ACDE 3479 FHJK WXYM". */
export function shortFingerprint(sha256: Bytes): string {
  let rest = number(sha256);
  let letters = "";
  for (let place = 0; place < LETTERS; place++) {
    letters = (ALPHABET[Number(rest % BigInt(ALPHABET.length))] ?? "") + letters;
    rest /= BigInt(ALPHABET.length);
  }
  return letters.replace(/(.{4})(?=.)/g, "$1 ");
}
