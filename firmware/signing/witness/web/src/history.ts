/**
 * One device, one history, as firmware/signing/history.py: a receipt of log size n is entry number n and names the root
 * over the entries before it. Two receipts that cannot both be true prove that the device kept two histories.
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { type Bytes, concat, hex } from "./bytes";
import { require } from "./refused";

/** What one receipt says of the log of its device. */
export interface Told {
  size: number;
  root: Bytes;
  /** SHA-256 of the record that comes next, number `size`. */
  record: Bytes;
}

/** Returns when all that one device told fits together; throws Refused("chain-fork" or "log-root"). */
export function checkHistory(told: readonly Told[]): void {
  const entries = new Map<number, Bytes>();
  const roots = new Map<number, Bytes>();
  for (const { size, root, record } of told) {
    require(size !== 0 || hex(root) === hex(merkleRoot([])), "log-root");
    one(entries, size, record);
    one(roots, size, root);
  }
  const known: Bytes[] = [];
  for (let next = entries.get(0); next; next = entries.get(known.length)) known.push(next);
  for (const [size, root] of roots) {
    require(size > known.length || hex(merkleRoot(known.slice(0, size))) === hex(root), "chain-fork", { sequence: size + 1 });
  }
}

function one(table: Map<number, Bytes>, at: number, value: Bytes): void {
  require(hex(table.get(at) ?? value) === hex(value), "chain-fork", { sequence: at + 1 });
  table.set(at, value);
}

/** RFC 9162, 2.1.1. */
function merkleRoot(entries: readonly Bytes[]): Bytes {
  if (!entries.length) return digest(new Uint8Array());
  const [only] = entries;
  if (only && entries.length === 1) return digest(concat(Uint8Array.of(0), only));
  let split = 1;
  while (split * 2 < entries.length) split *= 2;
  return digest(concat(Uint8Array.of(1), merkleRoot(entries.slice(0, split)), merkleRoot(entries.slice(split))));
}

function digest(data: Bytes): Bytes {
  return Uint8Array.from(sha256(data));
}
