// What is a bucket called, which one is still running, and which intervals fit a range? Dates are text, YYYY-MM-DD, in
// the zone of the report; no arithmetic here depends on the browser's own zone.

const DAY = 86_400_000;
export const INTERVALS = ["minute", "hour", "day", "week", "month", "year"] as const;
export type Interval = (typeof INTERVALS)[number];

/** The shortest and longest range, in days, that an interval is offered for. */
const FITS: Record<Interval, [number, number]> = {
  minute: [1, 1],
  hour: [1, 31],
  day: [2, 1_100],
  week: [8, 4_000],
  month: [32, 40_000],
  year: [367, 400_000],
};

const say = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options });
const LONG_DAY = say({ weekday: "short", day: "numeric", month: "short", year: "numeric" });
const SHORT_DAY = say({ day: "numeric", month: "short" });
const FULL_DAY = say({ day: "numeric", month: "short", year: "numeric" });
const MONTH = say({ month: "long", year: "numeric" });
const SHORT_MONTH = say({ month: "short", year: "2-digit" });

function utc(date: string): number {
  return Date.parse(`${date.slice(0, 10)}T00:00:00Z`);
}

/** How many days a range has, both ends included. */
export function daysBetween(from: string, to: string): number {
  return Math.round((utc(to) - utc(from)) / DAY) + 1;
}

export function intervalsFor(days: number): Interval[] {
  return INTERVALS.filter((name) => FITS[name][0] <= days && days <= FITS[name][1]);
}

/** The interval that shows a range best. */
export function bestInterval(days: number): Interval {
  if (days <= 2) return "hour";
  if (days <= 100) return "day";
  if (days <= 300) return "week";
  return days <= 2_500 ? "month" : "year";
}

/** How many days a period has, as far as its name says; null for `all`. */
export function daysOfPeriod(period: string): number | null {
  const counted = /^(\d+)d$/.exec(period);
  if (counted) return Number(counted[1]);
  const known: Record<string, number> = { today: 1, yesterday: 1, this_week: 7, this_month: 31, last_month: 31 };
  if (period === "12mo" || period === "this_year") return 365;
  return known[period] ?? null;
}

/** A bucket's name on the axis. */
export function axisLabel(time: string, interval: string): string {
  if (interval === "hour" || interval === "minute") return time.slice(11, 16);
  if (interval === "month") return SHORT_MONTH.format(utc(time));
  return interval === "year" ? time.slice(0, 4) : SHORT_DAY.format(utc(time));
}

/** A bucket's name where there is room. */
export function longLabel(time: string, interval: string): string {
  if (interval === "hour" || interval === "minute") {
    return `${SHORT_DAY.format(utc(time))}, ${time.slice(11, 16)}`;
  }
  if (interval === "week") return `Week of ${FULL_DAY.format(utc(time))}`;
  if (interval === "month") return MONTH.format(utc(time));
  return interval === "year" ? time.slice(0, 4) : LONG_DAY.format(utc(time));
}

/** "16 Nov – 22 Nov 2026". */
export function rangeLabel(from: string, to: string): string {
  if (from === to) return LONG_DAY.format(utc(from));
  const first = from.slice(0, 4) === to.slice(0, 4) ? SHORT_DAY : FULL_DAY;
  return `${first.format(utc(from))} – ${FULL_DAY.format(utc(to))}`;
}

/** The date it is in a zone at an instant (ms). */
export function dateIn(zone: string, now: number): string {
  const parts = new Intl.DateTimeFormat("en-CA", { timeZone: zone, dateStyle: "short" }).format(now);
  return parts.slice(0, 10);
}

/** The index of the bucket that `now` (ms) is in, if the report is not over yet; else null. */
export function runningBucket(times: string[], interval: string, zone: string, now: number): number | null {
  const fine = interval === "hour" || interval === "minute";
  const today = fine ? "" : dateIn(zone, now);
  const begun = times.filter((time) => (fine ? Date.parse(time) <= now : time <= today)).length;
  return begun ? begun - 1 : null;
}
