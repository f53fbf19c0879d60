// The chosen metric over time, with its comparison.

import type { Metric } from "./address.ts";
import type { Report, Row } from "./api.ts";
import type { Series } from "./chart/line.ts";
import { METRIC_NAMES, exact, short } from "./format.ts";
import { LineChart } from "./line_chart.tsx";
import { axisLabel, longLabel, runningBucket } from "./time.ts";

interface Props {
  report: Report;
  metric: Metric;
  now: number;
}

export function Timeline({ report, metric, now }: Props) {
  const { interval, timezone } = report.query;
  const times = report.rows.map((row) => String(row.time));
  const running = report.meta.partial ? runningBucket(times, interval, timezone, now) : null;
  return (
    <LineChart
      label={`${METRIC_NAMES[metric]} by ${interval}`}
      axis={times.map((time) => axisLabel(time, interval))}
      names={times.map((time) => longLabel(time, interval))}
      series={seriesOf(report, metric)}
      running={running}
      height={260}
      short={(value) => short(metric, value)}
      exact={(value) => exact(metric, value)}
      whole={!["bounce_rate", "views_per_session"].includes(metric)}
    />
  );
}

function seriesOf(report: Report, metric: Metric): Series[] {
  const values = (rows: Row[]) => rows.map((row) => (row[metric] as number | null | undefined) ?? null);
  const main: Series = { name: METRIC_NAMES[metric], look: "main", values: values(report.rows) };
  if (!report.comparison) return [main];
  const rows = report.comparison.rows;
  const names = rows.map((row) => longLabel(String(row.time), report.query.interval));
  return [main, { name: "Before", look: "before", values: values(rows).slice(0, report.rows.length), names }];
}
