// The headline numbers; the one that is chosen is drawn below.

import type { Metric } from "./address.ts";
import type { Report } from "./api.ts";
import { METRIC_NAMES, change, exact, short } from "./format.ts";

interface Props {
  metrics: Metric[];
  chosen: Metric;
  report: Report | null;
  onChoose: (metric: Metric) => void;
}

export function Headline({ metrics, chosen, report, onChoose }: Props) {
  return (
    <div class="headline" role="group" aria-label="Headline numbers; choose one to draw it">
      {metrics.map((metric) => (
        <Tile key={metric} metric={metric} chosen={metric === chosen} report={report} onChoose={onChoose} />
      ))}
    </div>
  );
}

interface TileProps extends Omit<Props, "metrics" | "chosen"> {
  metric: Metric;
  chosen: boolean;
}

function Tile({ metric, chosen, report, onChoose }: TileProps) {
  const now = report?.totals[metric] as number | null | undefined;
  const before = report?.comparison?.totals[metric] as number | null | undefined;
  const moved = report?.comparison ? change(metric, now, before) : null;
  const title = report?.comparison ? `${exact(metric, now)}, before ${exact(metric, before)}` : exact(metric, now);
  return (
    <button type="button" class="tile" aria-pressed={chosen} title={report ? title : ""} onClick={() => onChoose(metric)}>
      <span class="what">{METRIC_NAMES[metric]}</span>
      <span class="number">{report ? short(metric, now) : <span class="ghost" />}</span>
      {report?.comparison && (
        <span class="change">
          {moved ? (
            <>
              <span aria-hidden="true">{ARROWS[moved.direction]}</span>
              <span class="unseen">{WORDS[moved.direction]} </span> {moved.text}
            </>
          ) : (
            "–"
          )}
        </span>
      )}
    </button>
  );
}

const ARROWS = { "-1": "↓", "0": "→", "1": "↑" } as const;
const WORDS = { "-1": "down", "0": "unchanged", "1": "up" } as const;
