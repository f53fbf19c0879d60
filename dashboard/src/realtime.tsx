// Who is here now: the visitors of the last five minutes, and the pageviews of each of the last thirty.

import type { View } from "./address.ts";
import type { Parameters, Realtime as Answer } from "./api.ts";
import { MinuteBars } from "./chart/minutes.tsx";
import type { Credential } from "./credential.ts";
import { plural } from "./format.ts";
import { useReport } from "./report.ts";

const NOW = 5;
const SHOWN = 30;
const EVERY = 10_000;

export function Realtime({ credential, view }: { credential: Credential; view: View }) {
  const filters: Parameters = view.filters.map((filter) => ["filter", filter]);
  const now = useReport<Answer>(credential, "realtime", [["minutes", String(NOW)], ...filters], { every: EVERY });
  const half = useReport<Answer>(credential, "realtime", [["minutes", String(SHOWN)], ...filters], { every: EVERY });
  const counts = half.data?.rows.map((row) => row.pageviews) ?? Array.from({ length: SHOWN }, () => 0);
  const visitors = now.data?.unique_visitors;
  return (
    <section class="realtime" aria-label="Right now" data-panel="realtime">
      <p class="now">
        <span class={visitors ? "dot live" : "dot"} aria-hidden="true" />
        <b>{visitors ?? "–"}</b> <span>{visitors === 1 ? "visitor" : "visitors"} now</span>
      </p>
      <MinuteBars counts={counts} label={`Pageviews of the last ${SHOWN} minutes: ${counts.join(", ")}`} />
      <p class="soft">{half.data ? `${plural(half.data.pageviews, "view", "views")} in ${SHOWN} minutes` : "\u00a0"}</p>
    </section>
  );
}
