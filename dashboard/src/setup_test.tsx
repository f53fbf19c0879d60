// Test my setup: one real event of type `setup_test`, without a visitor, sent twice with the same id, as a page would.
// A dry run would store nothing, and then neither the second answer nor the report could show that it works.

import { useState } from "preact/hooks";
import { type IngestAnswer, type Parameters, Problem, ask, send } from "./api.ts";
import type { Credential } from "./credential.ts";
import { plural } from "./format.ts";

const TYPE = "setup_test";
const COUNT: Parameters = [
  ["period", "7d"],
  ["metrics", "events"],
  ["filter", `type:is:${TYPE}`],
  ["include_bots", "true"],
];

interface Finding {
  good: boolean;
  title: string;
  detail: string;
}

export function SetupTest({ credential, writeKey }: { credential: Credential; writeKey: string }) {
  const [findings, setFindings] = useState<Finding[]>([]);
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    setFindings(await test(credential, writeKey));
    setBusy(false);
  };
  return (
    <section>
      <h2>Test my setup</h2>
      <p class="soft">
        Sends one event from this browser, twice with the same id, and shows what the server saw. It is a real event of
        the type <code>{TYPE}</code>: no pageview, no visitor.
      </p>
      <button type="button" class="primary" disabled={!writeKey || busy} onClick={() => void run()}>
        {busy ? "Sending …" : "Send the test event"}
      </button>
      {!writeKey && <p class="hint">Paste the write key above first.</p>}
      <ol class="findings" aria-live="polite">
        {findings.map(({ good, title, detail }) => (
          <li key={title} class={good ? "good" : "bad"}>
            <b>
              <span aria-hidden="true">{good ? "✓" : "✕"}</span> {title}
            </b>
            <span>{detail}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** What the server makes of the event, in the order it is found out; it ends with the first thing that is refused. */
async function test(credential: Credential, writeKey: string): Promise<Finding[]> {
  const event = { event_id: `setup-${randomHex()}`, type: TYPE };
  const found: Finding[] = [];
  try {
    const before = await count(credential);
    const first = await send(credential.property, writeKey, event);
    found.push(allowed(), accepted(first));
    if (first.rejected) return found;
    found.push(once(await send(credential.property, writeKey, event)));
    found.push(reported(before, await count(credential), first));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    found.push(refused(error));
  }
  return found;
}

async function count(credential: Credential): Promise<number> {
  return (await ask<{ events: number }>(credential, "overview", COUNT)).events;
}

function allowed(): Finding {
  const detail = `The key opens this property, and pages of ${location.origin} may send.`;
  return { good: true, title: "200: key and origin are right", detail };
}

function accepted(answer: IngestAnswer): Finding {
  if (answer.rejected) return { good: false, title: "Rejected", detail: answer.errors[0]?.detail ?? "" };
  if (answer.filtered) {
    const detail = "This browser names itself a bot, and the property drops what bots send.";
    return { good: false, title: "Accepted, not stored", detail };
  }
  const bot = answer.bots ? " This browser names itself a bot, so reports leave its events out." : "";
  return { good: true, title: "Accepted", detail: `accepted ${answer.accepted}, rejected ${answer.rejected}.${bot}` };
}

function once(answer: IngestAnswer): Finding {
  const good = answer.duplicates === 1;
  const detail = good
    ? "Known by its id the second time: duplicates 1. A retry is never counted twice."
    : `The server took it for another event: duplicates ${answer.duplicates ?? 0}.`;
  return { good, title: good ? "Sent twice, counted once" : "Not recognised as the same", detail };
}

function reported(before: number, after: number, answer: IngestAnswer): Finding {
  if (answer.filtered) return { good: after === before, title: "Not in the report", detail: "As the property asks." };
  const good = after - before >= 1;
  const detail = `Test events of the last 7 days: ${before} before, ${plural(after, "is", "are")} there now.`;
  return { good, title: good ? "In the report" : "Not in the report", detail };
}

function refused(problem: Problem): Finding {
  const origin =
    problem.code === "origin_not_allowed"
      ? ` Origins that may send: the property's allowed_origins. Your pages may be on the list although ${location.origin} is not.`
      : "";
  const title = problem.status ? `${problem.status}: ${problem.code || "refused"}` : "No answer";
  return { good: false, title, detail: problem.message + origin };
}

function randomHex(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
