/** What several receipts say together (firmware/signing/crosscheck.py): forks, and two results for one TPS. */

import { hex } from "./bytes";
import { checkHistory } from "./history";
import type { VerifiedReceipt } from "./verification";

/** Throws Refused("chain-fork" or "log-root") when the receipts of one device contradict each other. */
export function checkTogether(receipts: readonly VerifiedReceipt[]): void {
  for (const kid of new Set(receipts.map((receipt) => receipt.kid))) {
    const told = receipts.filter((receipt) => receipt.kid === kid);
    checkHistory(told.map(({ statement }) => ({ ...statement.log, record: statement.record })));
  }
}

/** How a receipt relates to another one of the same TPS and contest that names another record. */
export type Relation = "corrects" | "corrected" | "other-device";

/** Of all `others`, what is most important to say about `receipt`; undefined: nothing. Forks are told apart before. */
export function relation(receipt: VerifiedReceipt, others: readonly VerifiedReceipt[]): Relation | undefined {
  const rivals = others.filter((other) => samePlace(receipt, other) && !sameRecord(receipt, other));
  if (rivals.some((other) => other.kid !== receipt.kid)) return "other-device";
  const size = receipt.statement.log.size;
  if (rivals.some((other) => other.statement.log.size > size)) return "corrected";
  return rivals.some((other) => other.statement.log.size < size) ? "corrects" : undefined;
}

function samePlace(one: VerifiedReceipt, other: VerifiedReceipt): boolean {
  return one.statement.tps === other.statement.tps && one.statement.contest === other.statement.contest;
}

function sameRecord(one: VerifiedReceipt, other: VerifiedReceipt): boolean {
  return hex(one.statement.record) === hex(other.statement.record);
}
