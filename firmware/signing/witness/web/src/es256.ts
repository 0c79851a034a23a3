/**
 * ECDSA over P-256 with SHA-256: WebCrypto where the browser offers it, else @noble/curves in plain JavaScript. A page
 * opened from a file or over plain http is no secure context in every browser, and has no `crypto.subtle` there.
 */

import { p256 } from "@noble/curves/nist.js";
import type { Bytes } from "./bytes";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" };

/** Who verifies on this device. */
export function engine(): "webcrypto" | "noble" {
  return globalThis.crypto?.subtle ? "webcrypto" : "noble";
}

/** Whether `signature` (r || s, 64 bytes) of `message` holds; `publicKey` is the uncompressed point, 65 bytes. */
export async function holds(publicKey: Bytes, message: Bytes, signature: Bytes): Promise<boolean> {
  if (engine() === "noble") return nobleHolds(publicKey, message, signature);
  const key = await crypto.subtle.importKey("raw", publicKey, ALGORITHM, false, ["verify"]);
  return crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, signature, message);
}

/** Refuses what it cannot even parse (r or s of zero, a point off the curve) with an exception of its own. */
function nobleHolds(publicKey: Bytes, message: Bytes, signature: Bytes): boolean {
  try {
    return p256.verify(signature, message, publicKey, { lowS: false });
  } catch {
    return false;
  }
}
