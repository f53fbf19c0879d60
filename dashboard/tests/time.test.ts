import { expect, test } from "vitest";
import { bestInterval, daysBetween, intervalsFor, longLabel, rangeLabel, runningBucket } from "../src/time.ts";

test("days are counted with both ends, across changes of the clocks and leap years", () => {
  expect(daysBetween("2026-03-29", "2026-03-29")).toBe(1);
  expect(daysBetween("2026-03-01", "2026-03-31")).toBe(31);
  expect(daysBetween("2024-01-01", "2024-12-31")).toBe(366);
});

test("the interval that is taken by itself is always one of those offered, and within the API's rows", () => {
  const longest = { minute: 1440, hour: 24, day: 1, week: 1 / 7, month: 1 / 28, year: 1 / 365 };
  for (const days of [1, 2, 3, 7, 8, 31, 32, 90, 100, 101, 300, 301, 365, 366, 2_500, 2_501, 20_000]) {
    expect(intervalsFor(days)).toContain(bestInterval(days));
    for (const name of intervalsFor(days)) expect(days * longest[name]).toBeLessThan(10_000);
  }
});

test("the running bucket is that of the report's zone, not of the browser's", () => {
  const now = Date.parse("2026-01-20T20:00:00Z"); // The 21st in Kolkata.
  const days = ["2026-01-19", "2026-01-20", "2026-01-21", "2026-01-22"];
  expect(runningBucket(days, "day", "Asia/Kolkata", now)).toBe(2);
  expect(runningBucket(days, "day", "UTC", now)).toBe(1);
  expect(runningBucket(days, "day", "UTC", Date.parse("2025-01-01T00:00:00Z"))).toBeNull();
  const hours = ["2026-01-21T01:00:00+05:30", "2026-01-21T02:00:00+05:30"];
  expect(runningBucket(hours, "hour", "Asia/Kolkata", now)).toBe(0);
});

test("buckets are called by the zone's own clock", () => {
  expect(longLabel("2026-10-25T02:00:00+01:00", "hour")).toBe("25 Oct, 02:00");
  expect(longLabel("2026-01-19", "week")).toBe("Week of 19 Jan 2026");
  expect(rangeLabel("2025-12-31", "2026-01-02")).toBe("31 Dec 2025 – 2 Jan 2026");
});
