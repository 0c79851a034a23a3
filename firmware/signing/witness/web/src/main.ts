/** The page: ways to a receipt's code, its result, and the receipts that were checked before. Keeps nothing, asks nobody. */

import { checkTogether } from "./comparison";
import { readContents } from "./contents";
import { at, el, facts } from "./dom";
import { engine } from "./es256";
import { shortFingerprint } from "./fingerprint";
import { Refused } from "./refused";
import { grouped, kindOf, type Outcome, show, worldBar } from "./result";
import { Camera, readPicture } from "./scan";
import { Speech } from "./sentences";
import { type VerifiedReceipt, Verifier } from "./verification";

const contents = readContents();
const verifier = new Verifier(contents);
const speech = new Speech(contents.sentences);
const camera = new Camera(at<HTMLVideoElement>("video"));
const checked: VerifiedReceipt[] = [];
let shown: Outcome | undefined;

/** Runs `find`, verifies the code that it finds, and shows what came of it. */
async function check(find: () => Promise<string | undefined>): Promise<void> {
  at("busy").hidden = false;
  at("result").hidden = true;
  try {
    const code = await find();
    if (code !== undefined) present(await judge(code));
  } catch (problem) {
    present({ refusal: problem instanceof Refused ? problem : new Refused("page-failed") });
    if (!(problem instanceof Refused)) throw problem;
  } finally {
    at("busy").hidden = true;
  }
}

async function judge(code: string): Promise<Outcome> {
  const known = checked.find((receipt) => receipt.code === code);
  const receipt = known ?? (await verifier.verify(code));
  if (!known) checked.push(receipt);
  return together(receipt);
}

/** The receipt beside those of its device that were checked before. */
function together(receipt: VerifiedReceipt): Outcome {
  try {
    checkTogether(checked.filter((other) => other.kid === receipt.kid));
    return { receipt };
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem;
    return { receipt, fork: problem };
  }
}

function present(outcome: Outcome): void {
  shown = outcome;
  draw();
  const result = at("result");
  result.scrollIntoView();
  result.focus({ preventScroll: true });
}

function draw(): void {
  document.documentElement.lang = speech.language;
  document.title = speech.say("title");
  for (const element of document.querySelectorAll<HTMLElement>("[data-say]")) {
    element.textContent = speech.say(element.dataset["say"] ?? "");
  }
  at("next").textContent = speech.say(shown ? "again" : "begin");
  at("election").textContent = contents.election.name;
  const bar = worldBar(contents.election.mode, speech);
  at("world").replaceChildren(...bar);
  at("world").hidden = !bar.length || (shown !== undefined && "receipt" in shown);
  drawResult();
  drawList();
  at("facts").replaceChildren(about());
}

function drawResult(): void {
  const result = at("result");
  result.hidden = !shown;
  if (!shown) return;
  result.className = kindOf(shown);
  result.dataset["code"] = "receipt" in shown ? (shown.fork?.code ?? "") : shown.refusal.code;
  result.replaceChildren(...show(shown, checked, contents, speech));
}

/** The receipts of this sitting: a press shows one again, beside all the others. */
function drawList(): void {
  const rows = checked.map((receipt) => {
    const title = contents.contests[receipt.statement.contest]?.title;
    const { tps, record } = receipt.statement;
    const row = el("button", "", el("strong", "", `TPS ${tps.slice(10)} · ${speech.say(`verdict-${kindOf(together(receipt))}`)}`));
    row.append(el("small", "", title ? speech.pick(title) : ""), el("code", "", shortFingerprint(record)));
    row.addEventListener("click", () => present(together(receipt)));
    return row;
  });
  at("list").hidden = !rows.length;
  at("list").className = "list";
  at("list").replaceChildren(el("h2", "", speech.say("checked", { count: rows.length })), ...rows);
}

function about(): Node {
  const { election, root, folder } = contents;
  return el(
    "div",
    "",
    el("p", "", speech.say("about-compare")),
    facts([
      [speech.say("about-root"), root ? grouped(root) : speech.say("about-no-root")],
      [speech.say("about-folder"), grouped(folder)],
      [speech.say("about-edition"), String(election.edition)],
      [speech.say("about-devices"), String(verifier.devices)],
      [speech.say("about-engine"), speech.say(`engine-${engine()}`)],
    ]),
    el("p", "", speech.say("about-private")),
  );
}

async function film(): Promise<string | undefined> {
  at("viewfinder").hidden = false;
  at("ways").hidden = true;
  try {
    return await camera.scan();
  } finally {
    at("viewfinder").hidden = true;
    at("ways").hidden = false;
  }
}

async function pictures(input: HTMLInputElement): Promise<void> {
  for (const file of Array.from(input.files ?? [])) await check(() => readPicture(file));
  input.value = "";
}

at("language").addEventListener("click", () => {
  speech.switch();
  draw();
});
at("camera").hidden = !Camera.offered;
at("camera").addEventListener("click", () => void check(film));
at("stop").addEventListener("click", () => camera.stop());
for (const id of ["photo", "picture"]) {
  const input = at<HTMLInputElement>(id);
  input.addEventListener("change", () => void pictures(input));
}
at("typed").addEventListener("submit", (event) => {
  event.preventDefault();
  // A space is a character of the code; a line end is not.
  void check(async () => at<HTMLTextAreaElement>("text").value.replace(/[\r\n\t]/g, ""));
});
draw();
