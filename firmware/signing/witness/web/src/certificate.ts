/**
 * The parts of an X.509 certificate that this page needs, and the signature of its issuer. Everything else that
 * firmware/signing/certificates.py demands was checked when the page was made: no other certificates are in it.
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { type Bytes, concat, equal, hex } from "./bytes";
import { holds } from "./es256";
import { Refused, require } from "./refused";
import type { Mode } from "./statement";

const KEY_ID_BYTES = 8;
const COORDINATE_BYTES = 32;
/** Algorithm identifiers of ECDSA with SHA-256, and of a P-256 key (RFC 5758, RFC 5480). */
const ECDSA_SHA256 = "300a06082a8648ce3d040302";
const P256_KEY = "301306072a8648ce3d020106082a8648ce3d030107";
/** OID 2.25.146278570020586028309131492375752768833 of the device's claims (firmware/signing/keys.py). */
const CLAIMS_OID = "06146981dc8c9d94d2af8ab4978b9ec78bf0d4f9fa41";

export interface Certificate {
  signed: Bytes;
  /** r || s. */
  signature: Bytes;
  issuer: Bytes;
  subject: Bytes;
  publicKey: Bytes;
  /** Unix times. */
  begin: number;
  end: number;
  extensions: Bytes;
}

/** What a device certificate says of its device. */
export interface Device {
  certificate: Certificate;
  world: Mode;
  serial: string;
  protection: string;
}

export function keyId(certificate: Bytes): string {
  return hex(Uint8Array.from(sha256(certificate)).slice(0, KEY_ID_BYTES));
}

/** The parts of a DER certificate; throws Refused("certificate-path"). */
export function open(der: Bytes): Certificate {
  const [signed, algorithm, bits] = items(content(der));
  const [, , , issuer, validity, subject, key, extensions] = items(content(signed));
  const [keyAlgorithm, point] = items(content(key));
  const [begin, end] = items(content(validity));
  require(hex(need(algorithm)) === ECDSA_SHA256 && hex(need(keyAlgorithm)) === P256_KEY, "certificate-key");
  return {
    signed: need(signed),
    signature: rawSignature(content(bits).slice(1)),
    issuer: need(issuer),
    subject: need(subject),
    publicKey: content(point).slice(1),
    begin: unixTime(need(begin)),
    end: unixTime(need(end)),
    extensions: content(items(content(extensions))[0]),
  };
}

/** Returns when `issuer` signed `certificate`; throws Refused("certificate-issuer"). */
export async function checkIssued(certificate: Certificate, issuer: Certificate): Promise<void> {
  require(equal(certificate.issuer, issuer.subject), "certificate-issuer");
  require(await holds(issuer.publicKey, certificate.signed, certificate.signature), "certificate-issuer");
}

/** The device of a certificate; throws Refused("certificate-claims"). */
export function deviceOf(certificate: Certificate): Device {
  for (const extension of items(certificate.extensions)) {
    const [oid, value] = items(content(extension));
    if (hex(need(oid)) !== CLAIMS_OID) continue;
    const texts = items(content(content(value))).map((text) => new TextDecoder().decode(content(text)));
    const [world, serial, protection] = texts;
    if (world === undefined || serial === undefined || protection === undefined) break;
    return { certificate, world: world as Mode, serial, protection };
  }
  throw new Refused("certificate-claims");
}

// --- DER ------------------------------------------------------------------------------------------------------------

/** The DER items in `data`, whole. */
function items(data: Bytes): Bytes[] {
  const found: Bytes[] = [];
  for (let at = 0; at < data.length; ) {
    const [start, size] = extent(data.subarray(at));
    require(at + start + size <= data.length, "certificate-path");
    found.push(data.slice(at, at + start + size));
    at += start + size;
  }
  return found;
}

function content(item: Bytes | undefined): Bytes {
  return need(item).slice(extent(need(item))[0]);
}

/** Where an item's content starts, and its size. */
function extent(item: Bytes): [number, number] {
  const short = item[1] ?? 0;
  if (short < 128) return [2, short];
  const start = 2 + (short & 127);
  return [start, item.slice(2, start).reduce((size, byte) => size * 256 + byte, 0)];
}

function need(item: Bytes | undefined): Bytes {
  if (!item) throw new Refused("certificate-path");
  return item;
}

/** r || s of a DER signature. */
function rawSignature(der: Bytes): Bytes {
  const halves = items(content(der)).map((integer) => {
    const digits = content(integer).slice(-COORDINATE_BYTES);
    return concat(new Uint8Array(COORDINATE_BYTES - digits.length), digits);
  });
  return concat(...halves);
}

/** UTCTime (of this century) or GeneralizedTime. */
function unixTime(item: Bytes): number {
  const digits = new TextDecoder().decode(content(item));
  const text = digits.length === 13 ? `20${digits}` : digits;
  return Date.parse(text.replace(/^(....)(..)(..)(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z")) / 1000;
}
