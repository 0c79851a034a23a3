/**
 * COSE_Sign1 (RFC 9052) with ES256 around a receipt, as firmware/signing/cose.py: exactly
 * 18([ {1: -7, 4: kid, 16: 65011}, {}, payload, signature ]), with the signature's s in the lower half of the group order.
 */

import { type Bytes, concat, number } from "./bytes";
import { decode, hasKeys, head, isBytes, Tagged } from "./cbor";
import { holds } from "./es256";
import { Refused, require } from "./refused";

const ES256 = -7n;
const ALGORITHM = 1n;
const KID = 4n;
const TYPE = 16n;
/** Stands for application/vnd.c1kiosk.receipt+cbor; v=1. */
const RECEIPT = 65011n;
const KEY_ID_BYTES = 8;
const SIGNATURE_BYTES = 64;
/** Of P-256 (FIPS 186-4, D.1.2.3). */
const GROUP_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const CONTEXT = Uint8Array.from("Signature1", (character) => character.charCodeAt(0));

/** A message that is well formed. Nothing in it is proven yet. */
export interface Envelope {
  kid: Bytes;
  type: bigint | string;
  protected: Bytes;
  payload: Bytes;
  signature: Bytes;
}

/** The parts of a message; throws Refused. */
export function parse(data: Bytes): Envelope {
  const outer = decode(data);
  if (!(outer instanceof Tagged) || !Array.isArray(outer.value) || outer.value.length !== 4) throw new Refused("cose-form");
  const [header, unprotected, payload, signature] = outer.value;
  require(isBytes(header) && unprotected instanceof Map && isBytes(payload) && isBytes(signature), "cose-form");
  require(unprotected.size === 0, "cose-header");
  require(signature.length === SIGNATURE_BYTES, "cose-signature");
  return { ...readHeader(header), protected: header, payload, signature };
}

/** The payload of a receipt whose signature holds; throws Refused. */
export async function verifiedPayload(envelope: Envelope, publicKey: Bytes): Promise<Bytes> {
  require(envelope.type === RECEIPT, "cose-type");
  require(number(envelope.signature.slice(SIGNATURE_BYTES / 2)) <= GROUP_ORDER / 2n, "cose-signature");
  require(await holds(publicKey, toBeSigned(envelope), envelope.signature), "cose-signature");
  return envelope.payload;
}

function readHeader(data: Bytes): { kid: Bytes; type: bigint | string } {
  const header = decode(data);
  require(header instanceof Map && hasKeys(header, [ALGORITHM, KID, TYPE]), "cose-header");
  const [kid, type] = [header.get(KID), header.get(TYPE)];
  require(header.get(ALGORITHM) === ES256 && isBytes(kid, KEY_ID_BYTES), "cose-header");
  require(typeof type === "bigint" || typeof type === "string", "cose-header");
  require(type === RECEIPT || typeof type === "string", "cose-type");
  return { kid, type };
}

/** Sig_structure of RFC 9052, 4.4. */
function toBeSigned(envelope: Envelope): Bytes {
  const bytes = (data: Bytes): Bytes => concat(head(2, data.length), data);
  const context = concat(head(3, CONTEXT.length), CONTEXT);
  return concat(head(4, 4), context, bytes(envelope.protected), head(2, 0), bytes(envelope.payload));
}
