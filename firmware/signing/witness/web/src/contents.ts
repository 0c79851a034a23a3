/** What `c1kiosk witness-page` has put into this page (firmware/signing/witness/contents.py): public, and believed. */

import { type Bytes, fromBase64 } from "./bytes";
import type { Mode } from "./statement";

export type Language = "id" | "en";
export type Texts = Record<Language, string>;

export interface Contest {
  title: Texts;
  results: { id: string; label: Texts; name: string }[];
}

export interface Contents {
  election: { name: string; mode: Mode; edition: number };
  /** Hexadecimal SHA-256 of the root certificate; empty: an unsigned development election. */
  root: string;
  /** Hexadecimal fingerprint of the trust folder. */
  folder: string;
  /** Base64 of DER: the root (or ""), and who may issue device certificates. */
  authorities: { root: string; issuers: string[] };
  devices: Packed[];
  /** By key id: revoked devices. */
  revoked: Record<string, { since: number; reason: string }>;
  contests: Record<string, Contest>;
  /** By TPS code; the place is empty where there are too many. */
  stations: Record<string, string>;
  /** By province, the first two digits of a TPS code: name and hours from UTC. */
  zones: Record<string, [string, number]>;
  sentences: Record<Language, Record<string, string>>;
}

/** Certificates of the same shape: the bytes of the first, the runs [start, length] that differ, and those per row. */
export interface Packed {
  first: string;
  runs: [number, number][];
  rows: string;
}

export function readContents(): Contents {
  return JSON.parse(document.getElementById("contents")?.textContent ?? "") as Contents;
}

/** The certificates (DER) of a group. */
export function* unpack(group: Packed): Generator<Bytes> {
  const first = fromBase64(group.first);
  const rows = fromBase64(group.rows);
  yield first;
  for (let at = 0; at < rows.length; ) {
    const certificate = first.slice();
    for (const [start, length] of group.runs) {
      certificate.set(rows.subarray(at, at + length), start);
      at += length;
    }
    yield certificate;
  }
}
