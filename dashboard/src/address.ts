// Where in the dashboard is one, and what is looked at? The fragment of the address says all of it, so that reloading,
// going back and passing the address on show the same. A fragment never leaves the browser.
//
//   #/                         log in
//   #/prop_1?period=7d         a property, opened with a key that the browser keeps
//   #/prop_1/setup             its snippet, and a test of the setup
//   #/share/<read token>?...   what a share link opens

import { propertyOf } from "./credential.ts";

export const METRICS = [
  "pageviews",
  "unique_visitors",
  "sessions",
  "events",
  "bounce_rate",
  "avg_session_seconds",
  "views_per_session",
] as const;
export type Metric = (typeof METRICS)[number];
export const DEFAULT_PERIOD = "30d";

export interface View {
  /** A period's name, or "" when there are dates. */
  period: string;
  from: string;
  to: string;
  /** "" is the property's own. */
  timezone: string;
  /** "" is no comparison. */
  compare: string;
  /** "" is the one that fits the range. */
  interval: string;
  /** Conditions as the API takes them. */
  filters: string[];
  metric: Metric;
}

export interface Place {
  page: "login" | "report" | "setup";
  property: string;
  /** The read token of a share link; null where a key is used. */
  token: string | null;
  view: View;
}

export const DEFAULT_VIEW: View = {
  period: DEFAULT_PERIOD,
  from: "",
  to: "",
  timezone: "",
  compare: "",
  interval: "",
  filters: [],
  metric: "unique_visitors",
};

/** The place a fragment names. What it does not understand of a view is left to the API to refuse. */
export function parse(fragment: string): Place {
  const [path = "", query = ""] = split(fragment.replace(/^#/, ""), "?");
  const parts = path.split("/").filter(Boolean).map(decode);
  const view = parseView(new URLSearchParams(query));
  const [first = "", second = ""] = parts;
  if (first === "share" && second && second !== "setup") {
    return { page: "report", property: propertyOf(second), token: second, view };
  }
  if (!first) return { page: "login", property: "", token: null, view };
  return { page: second === "setup" ? "setup" : "report", property: first, token: null, view };
}

/** The fragment of a place, with its "#". */
export function format(place: Place): string {
  if (place.page === "login") return "#/";
  const path = place.token ? ["share", place.token] : [place.property];
  if (place.page === "setup") path.push("setup");
  const query = formatView(place.view).toString();
  return `#/${path.map(encodeURIComponent).join("/")}${query ? `?${query}` : ""}`;
}

function parseView(given: URLSearchParams): View {
  const text = (name: string) => given.get(name) ?? "";
  const metric = METRICS.find((name) => name === text("metric"));
  const dates = Boolean(text("from") || text("to"));
  return {
    period: dates ? "" : text("period") || DEFAULT_PERIOD,
    from: text("from"),
    to: text("to"),
    timezone: text("timezone"),
    compare: text("compare"),
    interval: text("interval"),
    filters: given.getAll("filter"),
    metric: metric ?? DEFAULT_VIEW.metric,
  };
}

function formatView(view: View): URLSearchParams {
  const query = new URLSearchParams();
  for (const name of ["period", "from", "to", "timezone", "compare", "interval", "metric"] as const) {
    if (view[name] && view[name] !== DEFAULT_VIEW[name]) query.set(name, view[name]);
  }
  for (const filter of view.filters) query.append("filter", filter);
  return query;
}

function split(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // A lone % is text like any other; the API will not know such a property.
  }
}
