/**
 * Deterministic CBOR (RFC 8949, 4.2.1), as firmware/signing/encoding.py: integers, byte and text strings, arrays, maps
 * whose keys are text or integers, true, false, null, and tag 18 as the outermost item. Everything else is refused, and
 * so are longer heads than needed, indefinite lengths, keys out of order or doubled, and bytes after the end.
 */

import { type Bytes, hex, number } from "./bytes";
import { Refused } from "./refused";

/** No text of a code gives more. */
const MAX_BYTES = 4096;
const MAX_DEPTH = 8;
const COSE_SIGN1_TAG = 18n;

export class Tagged {
  constructor(readonly value: Item) {}
}

export type CborMap = Map<string | bigint, Item>;
/** Integers are bigint: none is ever rounded. */
export type Item = bigint | string | boolean | null | Bytes | Item[] | CborMap | Tagged;

/** The value of `data`; throws Refused with a code that starts with `cbor-`. */
export function decode(data: Bytes): Item {
  if (data.length > MAX_BYTES) throw new Refused("cbor-too-large");
  const reader = new Reader(data);
  const value = reader.item(0);
  if (reader.at !== data.length) throw new Refused("cbor-trailing-bytes");
  return value;
}

/** The head of an item: `major` type and argument in as few bytes as it takes (arguments below 65,536). */
export function head(major: number, argument: number): Bytes {
  const first = major << 5;
  if (argument < 24) return Uint8Array.of(first | argument);
  if (argument < 256) return Uint8Array.of(first | 24, argument);
  return Uint8Array.of(first | 25, argument >> 8, argument & 255);
}

class Reader {
  at = 0;

  constructor(private readonly data: Bytes) {}

  item(depth: number): Item {
    if (depth > MAX_DEPTH) throw new Refused("cbor-too-deep");
    const [major, argument] = this.head();
    switch (major) {
      case 0:
        return argument;
      case 1:
        return -1n - argument;
      case 2:
        return this.take(argument);
      case 3:
        return this.text(argument);
      case 4:
        return Array.from({ length: this.count(argument) }, () => this.item(depth + 1));
      case 5:
        return this.map(this.count(argument), depth);
      case 6:
        return this.tag(argument, depth);
      default:
        return constant(argument);
    }
  }

  private head(): [number, bigint] {
    const first = this.take(1n)[0] ?? 0;
    const major = first >> 5;
    const short = first & 31;
    if (short < 24) return [major, BigInt(short)];
    if (short > 27 || major === 7) throw new Refused("cbor-unsupported");
    const size = 1 << (short - 24);
    const argument = number(this.take(BigInt(size)));
    if (argument < (size === 1 ? 24n : 1n << BigInt(4 * size))) throw new Refused("cbor-not-deterministic");
    return [major, argument];
  }

  private take(size: bigint): Bytes {
    const end = this.at + this.count(size);
    const part = this.data.slice(this.at, end);
    this.at = end;
    return part;
  }

  /** A number of bytes, or of items that take one byte at least: never more than are left. */
  private count(argument: bigint): number {
    if (argument > BigInt(this.data.length - this.at)) throw new Refused("cbor-truncated");
    return Number(argument);
  }

  private text(size: bigint): string {
    const data = this.take(size);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
    } catch {
      throw new Refused("cbor-unsupported");
    }
  }

  private map(count: number, depth: number): CborMap {
    const found: CborMap = new Map();
    let before = "";
    for (let index = 0; index < count; index++) {
      const start = this.at;
      const key = this.item(depth + 1);
      if (typeof key !== "string" && typeof key !== "bigint") throw new Refused("cbor-unsupported");
      const encoded = hex(this.data.slice(start, this.at));
      if (encoded <= before) throw new Refused("cbor-not-deterministic");
      before = encoded;
      found.set(key, this.item(depth + 1));
    }
    return found;
  }

  private tag(tag: bigint, depth: number): Tagged {
    if (tag !== COSE_SIGN1_TAG || depth) throw new Refused("cbor-unsupported");
    return new Tagged(this.item(depth + 1));
  }
}

function constant(argument: bigint): boolean | null {
  if (argument === 20n) return false;
  if (argument === 21n) return true;
  if (argument === 22n) return null;
  throw new Refused("cbor-unsupported");
}

export function isBytes(item: Item | undefined, size?: number): item is Bytes {
  return item instanceof Uint8Array && (size === undefined || item.length === size);
}

/** Whether a map has exactly these integer keys. */
export function hasKeys(map: CborMap, keys: readonly bigint[]): boolean {
  return map.size === keys.length && keys.every((key) => map.has(key));
}

