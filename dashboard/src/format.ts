// How is a number said? Short where there is little room, exact where somebody looks closely.

import type { Metric } from "./address.ts";

const GROUPED = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const COMPACT_FROM = 10_000;

export type Value = number | null | undefined;
export const NOTHING = "–";

export const METRIC_NAMES: Record<Metric, string> = {
  pageviews: "Pageviews",
  unique_visitors: "Visitors",
  sessions: "Sessions",
  events: "Events",
  bounce_rate: "Bounce rate",
  avg_session_seconds: "Session time",
  views_per_session: "Views/session",
};

/** A metric's value in few characters: 12.3K, 34 %, 1m 37s. */
export function short(metric: Metric, value: Value): string {
  if (value === null || value === undefined) return NOTHING;
  if (metric === "bounce_rate") return `${fixed(value * 100, value && value < 0.1 ? 1 : 0)}%`;
  if (metric === "avg_session_seconds") return duration(value);
  if (metric === "views_per_session") return fixed(value, 1);
  return value < COMPACT_FROM ? GROUPED.format(value) : COMPACT.format(value);
}

/** A metric's value, exactly, with its unit. */
export function exact(metric: Metric, value: Value): string {
  if (value === null || value === undefined) return "no sessions";
  if (metric === "bounce_rate") return `${GROUPED.format(value * 100)}%`;
  if (metric === "avg_session_seconds") return `${GROUPED.format(value)} seconds`;
  if (metric === "views_per_session") return `${GROUPED.format(value)} views`;
  return GROUPED.format(value);
}

/** 7s, 1m 37s, 2h 5m. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${whole % 60}s`;
  return `${Math.floor(whole / 3600)}h ${Math.floor((whole % 3600) / 60)}m`;
}

export interface Change {
  text: string;
  direction: -1 | 0 | 1;
}

/** How a value stands against the one before; null where nothing can be said. A rate changes by percentage points. */
export function change(metric: Metric, now: Value, before: Value): Change | null {
  if (now === null || now === undefined || before === null || before === undefined) return null;
  if (metric === "bounce_rate") {
    const points = Math.round((now - before) * 1000) / 10;
    return { text: `${fixed(Math.abs(points), 1)} pt`, direction: sign(points) };
  }
  if (before === 0) return now === 0 ? { text: "0%", direction: 0 } : { text: "new", direction: 1 };
  const share = ((now - before) / before) * 100;
  const rounded = Math.abs(share) < 10 ? Math.round(share * 10) / 10 : Math.round(share);
  return { text: `${GROUPED.format(Math.abs(rounded))}%`, direction: sign(rounded) };
}

export function plural(count: number, one: string, many: string): string {
  return `${GROUPED.format(count)} ${count === 1 ? one : many}`;
}

function sign(value: number): -1 | 0 | 1 {
  return value > 0 ? 1 : value < 0 ? -1 : 0;
}

function fixed(value: number, digits: number): string {
  return value.toFixed(digits);
}
