// There are no events to show: because none ever came, because of the filters, or in this range only.

import { useEffect } from "preact/hooks";
import type { Place, View } from "./address.ts";
import type { Parameters, Report } from "./api.ts";
import type { Credential } from "./credential.ts";
import { FirstRun } from "./first_run.tsx";
import type { Go } from "./navigation.ts";
import { useReport } from "./report.ts";
import { rangeLabel } from "./time.ts";

interface Props {
  credential: Credential;
  place: Place;
  view: View;
  go: Go;
  look: (changes: Partial<View>) => void;
  range: { from: string; to: string } | null;
  fresh: boolean;
  /** Called when the property turns out to have no event at all. */
  onFresh: () => void;
}

export const EVER: Parameters = [
  ["period", "all"],
  ["metrics", "events"],
];

export function isNothing(report: Report): boolean {
  const names = ["pageviews", "events", "unique_visitors", "sessions"];
  return names.every((name) => !report.totals[name]);
}

export function Nothing({ credential, place, view, go, look, range, fresh, onFresh }: Props) {
  const ever = useReport<{ events: number }>(credential, "overview", EVER);
  const none = ever.data?.events === 0 && credential.kind !== "share";
  useEffect(() => {
    if (none && !view.filters.length) onFresh();
  }, [none, view.filters.length]);
  if (fresh) return <FirstRun credential={credential} place={place} go={go} />;
  if (!ever.data || (none && !view.filters.length)) return <section class="big" aria-busy="true" />;
  if (view.filters.length) {
    return (
      <section class="big">
        <h2>Nothing fits these filters</h2>
        <p class="soft">In this range no event fits all of them together.</p>
        <p class="buttons">
          <button type="button" class="primary" onClick={() => look({ filters: [] })}>
            Take all filters away
          </button>
        </p>
      </section>
    );
  }
  return (
    <section class="big">
      <h2>{ever.data.events ? "A quiet time" : "Nothing yet"}</h2>
      <p class="soft">{range ? `No visits ${rangeLabel(range.from, range.to)}.` : ""} Another range may have some.</p>
      <p class="buttons">
        <button type="button" class="primary" onClick={() => look({ period: "all", from: "", to: "", interval: "" })}>
          Show all time
        </button>
      </p>
    </section>
  );
}
