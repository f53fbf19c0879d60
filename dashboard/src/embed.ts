// What does an embedded chart ask, and what does it draw? A line for each metric or group over time, or a ranked list.

import type { Metric } from "./address.ts";
import type { Parameters, Report, Row } from "./api.ts";
import { type Bar, barList } from "./chart/bars.ts";
import { html } from "./chart/drawing.ts";
import { type LineData, type Series, toneOf } from "./chart/line.ts";
import { valueName } from "./dimensions.ts";
import { METRIC_NAMES, exact, short } from "./format.ts";
import { axisLabel, bestInterval, daysOfPeriod, longLabel, runningBucket } from "./time.ts";

/** The attributes of the element, "" where they are absent. */
export interface Wanted {
  metrics: string;
  period: string;
  interval: string;
  groupBy: string;
  timezone: string;
}

const LINES = 5;
const BARS = 10;
const HEIGHT = 220;
const UNKNOWN_LENGTH = 400;

/** The parameters of `metrics` that the attributes ask for. */
export function question({ metrics, period, interval, groupBy, timezone }: Wanted): Parameters {
  const lines = interval || !groupBy;
  const asked: Parameters = [
    ["period", period],
    ["metrics", metrics],
  ];
  if (timezone) asked.push(["timezone", timezone]);
  if (groupBy) asked.push(["group_by", groupBy], ["limit", String(lines ? LINES : BARS)]);
  if (lines) asked.push(["interval", interval || bestInterval(daysOfPeriod(period) ?? UNKNOWN_LENGTH)]);
  return asked;
}

/** The chart's data, at an instant (ms). */
export function lines(report: Report, { metrics, groupBy }: Wanted, now: number): LineData {
  const names = metrics.split(",") as Metric[];
  const [metric = "pageviews"] = names;
  const { interval, timezone } = report.query;
  const times = [...new Set(report.rows.map((row) => String(row.time)))];
  return {
    label: `${labelOf(names)} by ${interval}`,
    axis: times.map((time) => axisLabel(time, interval)),
    names: times.map((time) => longLabel(time, interval)),
    series: groupBy ? groupSeries(report.rows, times, metric, groupBy) : metricSeries(report.rows, names),
    running: report.meta.partial ? runningBucket(times, interval, timezone, now) : null,
    height: HEIGHT,
    short: (value) => short(metric, value),
    exact: (value) => exact(metric, value),
    whole: metric !== "bounce_rate" && metric !== "views_per_session",
  };
}

/** The list of groups. */
export function bars(report: Report, { metrics, groupBy }: Wanted): HTMLElement {
  const [metric = "pageviews"] = metrics.split(",") as Metric[];
  const shown = report.rows.map((row): Bar => {
    const value = number(row, metric);
    const name = valueName(groupBy, row[groupBy] as string | null);
    return { name, value: value ?? 0, short: short(metric, value), exact: exact(metric, value) };
  });
  return barList(labelOf([metric]), shown);
}

export function legend(series: Series[]): HTMLElement {
  return html("ul", { class: "legend" }, ...series.map((one) => html("li", { class: toneOf(one) }, one.name)));
}

function metricSeries(rows: Row[], metrics: Metric[]): Series[] {
  return metrics.slice(0, LINES).map((metric, index) => ({
    name: METRIC_NAMES[metric] ?? metric,
    look: metrics.length === 1 ? "main" : index,
    values: rows.map((row) => number(row, metric)),
  }));
}

function groupSeries(rows: Row[], times: string[], metric: Metric, groupBy: string): Series[] {
  const groups = [...new Set(rows.map((row) => row[groupBy] as string | null))];
  return groups.map((group, index) => {
    const own = new Map(rows.filter((row) => row[groupBy] === group).map((row) => [String(row.time), row]));
    const values = times.map((time) => number(own.get(time), metric));
    return { name: valueName(groupBy, group), look: groups.length === 1 ? "main" : index, values };
  });
}

function labelOf(metrics: Metric[]): string {
  return metrics.map((name) => METRIC_NAMES[name] ?? name).join(", ");
}

function number(row: Row | undefined, metric: Metric): number | null {
  return (row?.[metric] as number | null | undefined) ?? null;
}
