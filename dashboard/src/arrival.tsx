// Has an event come? Asked again and again, until one has.

import type { Credential } from "./credential.ts";
import { plural } from "./format.ts";
import { EVER } from "./nothing.tsx";
import { useReport } from "./report.ts";

const EVERY = 2_000;

export function Arrival({ credential, onOpen }: { credential: Credential; onOpen: () => void }) {
  const ever = useReport<{ events: number }>(credential, "overview", EVER, { every: EVERY });
  const count = ever.data?.events ?? 0;
  return (
    <section class={count ? "arrival here" : "arrival"} aria-live="polite">
      <span class={count ? "dot live" : "dot waiting"} aria-hidden="true" />
      {ever.problem ? (
        <p>{ever.problem.message}</p>
      ) : count ? (
        <p>
          <b>Events arrive.</b> {plural(count, "event is", "events are")} in the reports.
        </p>
      ) : (
        <p>
          <b>Waiting for the first event.</b> Open a page that has the snippet; this turns green by itself.
        </p>
      )}
      {count > 0 && (
        <button type="button" class="primary" onClick={onOpen}>
          Open the reports
        </button>
      )}
    </section>
  );
}
