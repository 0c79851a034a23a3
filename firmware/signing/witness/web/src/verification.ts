/** A receipt against what is built into this page, as firmware/signing/verification.py does with a trust folder. */

import { type Bytes, fromBase64, hex } from "./bytes";
import { type Certificate, checkIssued, type Device, deviceOf, keyId, open } from "./certificate";
import { type Contents, unpack } from "./contents";
import { parse, verifiedPayload } from "./cose";
import { decodeCode } from "./receipt_code";
import { Refused, require } from "./refused";
import { readStatement, type Statement } from "./statement";

/** A receipt whose signature, certificate, shape, TPS and contest hold. */
export interface VerifiedReceipt {
  code: string;
  kid: string;
  device: Device;
  statement: Statement;
  /** Sentences that go with it, by key, and what fills them in. */
  warnings: { key: string; details: Record<string, string | number> }[];
}

export class Verifier {
  private readonly certificates = new Map<string, Bytes>();
  private readonly issuers: Certificate[];

  constructor(readonly contents: Contents) {
    for (const group of contents.devices) for (const der of unpack(group)) this.certificates.set(keyId(der), der);
    this.issuers = contents.authorities.issuers.map((der) => open(fromBase64(der)));
  }

  get devices(): number {
    return this.certificates.size;
  }

  /** The receipt in a code's text; throws Refused. */
  async verify(code: string): Promise<VerifiedReceipt> {
    const envelope = parse(decodeCode(code));
    const kid = hex(envelope.kid);
    const device = await this.device(kid);
    const statement = readStatement(await verifiedPayload(envelope, device.certificate.publicKey));
    require(statement.mode === device.world && device.world === this.contents.election.mode, "mode-not-of-key");
    require(statement.tps in this.contents.stations, "election-tps", { tps: statement.tps });
    const warnings = this.judgeTime(statement.unix, kid, device);
    const contest = Object.entries(this.contents.contests).find(([id]) => id === statement.contest)?.[1];
    if (!contest) throw new Refused("election-contest", { contest: statement.contest });
    require(contest.results.length === statement.values.length, "receipt-values");
    return { code, kid, device, statement, warnings };
  }

  /** The device of a key id, its certificate verified up to the root; throws Refused. */
  private async device(kid: string): Promise<Device> {
    const der = this.certificates.get(kid);
    if (!der) throw new Refused("device-unknown", { kid });
    const certificate = open(der);
    const issuer = await this.issuerOf(certificate);
    const { root } = this.contents.authorities;
    if (root) await checkIssued(issuer, open(fromBase64(root)));
    return deviceOf(certificate);
  }

  private async issuerOf(certificate: Certificate): Promise<Certificate> {
    for (const issuer of this.issuers) {
      try {
        await checkIssued(certificate, issuer);
        return issuer;
      } catch (problem) {
        if (!(problem instanceof Refused)) throw problem;
      }
    }
    throw new Refused("certificate-issuer");
  }

  /** A receipt does not say how good its clock is: see firmware/signing/validity.py. */
  private judgeTime(unix: number, kid: string, device: Device): VerifiedReceipt["warnings"] {
    const { begin, end } = device.certificate;
    const warnings: VerifiedReceipt["warnings"] = [];
    const entry = this.contents.revoked[kid];
    if (entry) {
      require(unix < entry.since, "device-revoked", { since: day(entry.since), reason: entry.reason });
      warnings.push({ key: "revoked-later", details: { since: day(entry.since), reason: entry.reason } });
    }
    if (unix < begin || unix > end) warnings.push({ key: "validity-outside", details: { begin: day(begin), end: day(end) } });
    return warnings;
  }
}

function day(unix: number): string {
  return new Date(unix * 1000).toISOString().slice(0, 10);
}
