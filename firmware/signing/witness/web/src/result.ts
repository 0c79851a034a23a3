/** What a witness sees of one receipt: the verdict by word and shape, the numbers large, what is proven and what not. */

import { hex } from "./bytes";
import { relation } from "./comparison";
import type { Contents } from "./contents";
import { type Child, el, facts, list } from "./dom";
import { shortFingerprint } from "./fingerprint";
import type { Refused } from "./refused";
import type { Speech } from "./sentences";
import type { Statement } from "./statement";
import type { VerifiedReceipt } from "./verification";

const PROVEN = ["proven-key", "proven-unchanged", "proven-numbers"];
const UNPROVEN = ["unproven-paper", "unproven-place", "unproven-clock", "unproven-other", "unproven-page"];
/** Refusals that say nothing against a receipt: it is no receipt, or not one that this page can judge. */
const UNKNOWN = /^(receipt-code|picture-.*|camera-refused|scanner-failed|page-failed|device-unknown|election-tps|election-contest)$/;

/** One outcome; `fork` goes with a receipt whose signature holds, a refusal alone with none. */
export type Outcome = { receipt: VerifiedReceipt; fork?: Refused } | { refusal: Refused };

type Kind = "holds" | "refused" | "unknown" | "fork";
const SIGNS: Record<Kind, string> = { holds: "✓", refused: "✗", unknown: "?", fork: "✗" };

export function kindOf(outcome: Outcome): Kind {
  if ("receipt" in outcome) return outcome.fork ? "fork" : "holds";
  return UNKNOWN.test(outcome.refusal.code) ? "unknown" : "refused";
}

/** The whole result. `others` are the receipts checked before on this page. */
export function show(outcome: Outcome, others: readonly VerifiedReceipt[], contents: Contents, speech: Speech): Node[] {
  const { say } = speech;
  const kind = kindOf(outcome);
  const refusal = "receipt" in outcome ? outcome.fork : outcome.refusal;
  const why = refusal ? explain(refusal, speech) : say("holds-why");
  const words = el("div", "", el("h2", "", say(`verdict-${kind}`)), el("p", "", why));
  const sign = el("div", "sign", SIGNS[kind]);
  sign.setAttribute("aria-hidden", "true");
  const nodes: Node[] = [el("div", "verdict", sign, words)];
  const bar = "receipt" in outcome ? worldBar(outcome.receipt.statement.mode, speech) : [];
  if (bar.length) nodes.unshift(el("p", "bar", ...bar));
  if (refusal) nodes.push(el("p", "code", `${say("code")}: ${refusal.code}`));
  if ("receipt" in outcome) nodes.push(...receipt(outcome.receipt, outcome.fork ? [] : others, contents, speech));
  return nodes;
}

function explain(refusal: Refused, speech: Speech): string {
  const key = `refused-${refusal.code}`;
  return speech.say(speech.has(key) ? key : "refused-other", refusal.details);
}

/** White on black, unless the election is real. */
export function worldBar(mode: Statement["mode"], speech: Speech): Child[] {
  if (mode === "real") return [];
  return [el("strong", "", speech.say(`world-${mode}`)), speech.say("not-a-result")];
}

function receipt(verified: VerifiedReceipt, others: readonly VerifiedReceipt[], contents: Contents, speech: Speech): Node[] {
  const { say } = speech;
  const { statement, warnings } = verified;
  const nodes: Node[] = [];
  const related = relation(verified, others);
  if (related) nodes.push(el("p", "warning", say(`related-${related}`)));
  nodes.push(...warnings.map(({ key, details }) => el("p", "warning", say(key, details))));
  nodes.push(...place(statement, contents, speech), values(statement, contents, speech));
  nodes.push(el("h3", "", say("fingerprint")), el("p", "fingerprint", shortFingerprint(statement.record)));
  nodes.push(el("p", "", say("fingerprint-compare")), origin(verified, contents, speech));
  const proven = list("proven", say("proven"), PROVEN.map((key) => say(key)));
  const unproven = list("unproven", say("unproven"), UNPROVEN.map((key) => say(key)));
  nodes.push(el("div", "claims", proven, unproven));
  return nodes;
}

function place({ tps, contest }: Statement, contents: Contents, speech: Speech): Node[] {
  const title = contents.contests[contest]?.title;
  return [
    el("h3", "", `TPS ${tps.slice(10)}`),
    el("p", "", contents.stations[tps] || speech.say("no-place")),
    el("p", "", speech.say("tps-code", { code: dotted(tps) })),
    el("h3", "", title ? speech.pick(title) : contest),
  ];
}

function dotted(tps: string): string {
  return tps.replace(/^(..)(..)(..)(....)(...)$/, "$1.$2.$3.$4.$5");
}

function values({ contest, values: numbers }: Statement, contents: Contents, speech: Speech): Node {
  const rows = (contents.contests[contest]?.results ?? []).map((field, index) => {
    const value = numbers[index] ?? null;
    const label = speech.pick(field.label);
    const name = el("td", "name", field.name || label, ...(field.name ? [el("small", "", label)] : []));
    if (value === null) name.append(el("small", "", speech.say("empty")));
    const number = el("td", "number", value === null ? "–" : String(value));
    const row = el("tr", /^suara_(sah|total)$/.test(field.id) ? "total" : "", name, number);
    row.dataset["field"] = field.id;
    return row;
  });
  return el("table", "values", el("tbody", "", ...rows));
}

function origin({ device, kid, statement }: VerifiedReceipt, contents: Contents, speech: Speech): Node {
  const { say } = speech;
  return facts([
    [say("time"), `${localTime(statement, contents)} (${say("clock-unknown")})`],
    [say("device"), device.serial],
    [say("protection"), say(`protection-${device.protection}`)],
    [say("sequence"), say("sequence-value", { sequence: statement.log.size + 1, before: statement.log.size })],
    [say("log-root"), grouped(hex(statement.log.root).slice(0, 16))],
    [say("key"), grouped(kid)],
  ]);
}

/** "14-02-2029 21:04 WIB", in the zone of the TPS, as on the strip. */
function localTime({ unix, tps }: Statement, contents: Contents): string {
  const [zone, hours] = contents.zones[tps.slice(0, 2)] ?? ["UTC", 0];
  const local = new Date((unix + hours * 3600) * 1000).toISOString();
  return `${local.replace(/^(\d+)-(\d\d)-(\d\d)T(\d\d:\d\d).*$/, "$3-$2-$1 $4")} ${zone}`;
}

export function grouped(digits: string): string {
  return digits.replace(/(.{4})(?=.)/g, "$1 ");
}
