/** The receipt statement (`receipt` in record.cddl), as firmware/signing/statement.py. */

import type { Bytes } from "./bytes";
import { type CborMap, decode, hasKeys, isBytes, type Item } from "./cbor";
import { require } from "./refused";

export type Mode = "real" | "training" | "development";

const MODES: readonly Mode[] = ["real", "training", "development"];
const KEYS = [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n] as const;
const HASH_BYTES = 32;
const MAX_RESULTS = 200;
const MAX_VALUE = 999_999;
const MAX_LOG_SIZE = 999_999;
const MAX_UNIX = 9_999_999_999;
const TPS_DIGITS = 13;
const NAME = /^[a-z0-9][a-z0-9.-]{0,63}$/;

/** What a receipt code says. A value of null: nothing is written in the box. */
export interface Statement {
  record: Bytes;
  mode: Mode;
  tps: string;
  contest: string;
  values: (number | null)[];
  log: { size: number; root: Bytes };
  unix: number;
}

/** The statement in a payload; throws Refused. */
export function readStatement(payload: Bytes): Statement {
  const map = decode(payload);
  require(map instanceof Map && hasKeys(map, KEYS), "schema");
  const mode = MODES[integer(map.get(2n), MODES.length - 1)];
  const contest = map.get(4n);
  const values = map.get(5n);
  require(mode !== undefined && typeof contest === "string" && NAME.test(contest), "schema");
  require(Array.isArray(values) && values.length >= 1 && values.length <= MAX_RESULTS, "schema");
  return {
    record: hash(map, 1n),
    mode,
    tps: String(integer(map.get(3n), 10 ** TPS_DIGITS - 1)).padStart(TPS_DIGITS, "0"),
    contest,
    values: values.map((value) => (value === null ? null : integer(value, MAX_VALUE))),
    log: { size: integer(map.get(6n), MAX_LOG_SIZE), root: hash(map, 7n) },
    unix: integer(map.get(8n), MAX_UNIX),
  };
}

function integer(item: Item | undefined, most: number): number {
  require(typeof item === "bigint" && item >= 0n && item <= BigInt(most), "schema");
  return Number(item);
}

function hash(map: CborMap, key: bigint): Bytes {
  const item = map.get(key);
  require(isBytes(item, HASH_BYTES), "schema");
  return item;
}
