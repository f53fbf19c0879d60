// Which question does a view ask? From what is looked at to the parameters of the API.

import type { Parameters } from "./api.ts";
import type { Metric, View } from "./address.ts";

export const HEADLINE: Metric[] = [
  "unique_visitors",
  "pageviews",
  "sessions",
  "views_per_session",
  "bounce_rate",
  "avg_session_seconds",
];

/** Range, zone and filters: what every report of a view has. */
export function scope(view: View): Parameters {
  const dates: Parameters = view.period
    ? [["period", view.period]]
    : [
        ["from", view.from],
        ["to", view.to],
      ];
  const zone: Parameters = view.timezone ? [["timezone", view.timezone]] : [];
  return [...dates, ...zone, ...view.filters.map((filter): [string, string] => ["filter", filter])];
}

/** Whether only events of some type are looked at; then events are counted where pageviews would be. */
export function looksAtEvents(view: View): boolean {
  return view.filters.some((filter) => parseFilter(filter).dimension === "type");
}

/** The metrics of a view's headline, in order. */
export function headline(view: View): Metric[] {
  return looksAtEvents(view) ? HEADLINE.map((name) => (name === "pageviews" ? "events" : name)) : HEADLINE;
}

/** The parameters of `metrics` for the headline and the chart. */
export function series(view: View, interval: string): Parameters {
  const compare: Parameters = view.compare ? [["compare", view.compare]] : [];
  return [...scope(view), ["metrics", headline(view).join(",")], ["interval", interval], ...compare];
}

export interface Tab {
  name: string;
  dimension: string;
  metrics: Metric[];
  /** Conditions of the list itself, beside those of the view; only operators that are always AND-ed. */
  filters: string[];
}

/** A list's report: the endpoint and its parameters. */
export function list(view: View, tab: Tab, limit: number): { name: string; parameters: Parameters } {
  const own = tab.filters.map((filter): [string, string] => ["filter", filter]);
  if (tab.dimension === "path" && !looksAtEvents(view)) {
    const parameters: Parameters = [...scope(view), ["metrics", tab.metrics.join(",")], ["limit", String(limit)]];
    return { name: "pages", parameters };
  }
  const metrics = tab.metrics.map((name) => (name === "pageviews" && looksAtEvents(view) ? "events" : name));
  const parameters: Parameters = [
    ...scope(view),
    ...own,
    ["group_by", tab.dimension],
    ["metrics", metrics.join(",")],
    ["limit", String(limit)],
  ];
  return { name: "metrics", parameters };
}

/** The metrics a list's rows have, first to last. */
export function metricsOf(parameters: Parameters): Metric[] {
  const [, names = ""] = parameters.find(([name]) => name === "metrics") ?? [];
  return names.split(",") as Metric[];
}

export interface Filter {
  dimension: string;
  operator: string;
  value: string;
}

export function parseFilter(text: string): Filter {
  const [dimension = "", operator = "", ...value] = text.split(":");
  return { dimension, operator, value: value.join(":") };
}

/** The condition that lets a list's row through. */
export function rowFilter(dimension: string, value: string | null): string {
  return value === null ? `${dimension}:is_not_set` : `${dimension}:is:${value}`;
}

/** The view with a condition added, or taken away when it is there. */
export function toggled(view: View, filter: string): View {
  const filters = view.filters.includes(filter)
    ? view.filters.filter((one) => one !== filter)
    : [...view.filters, filter];
  return { ...view, filters };
}
