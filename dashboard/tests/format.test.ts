import { expect, test } from "vitest";
import { change, duration, exact, short } from "../src/format.ts";

test("numbers are exact while they are short", () => {
  expect(["pageviews", 0, 9_999, 10_000, 1_234_567].slice(1).map((n) => short("pageviews", n as number))).toEqual([
    "0",
    "9,999",
    "10K",
    "1.23M",
  ]);
  expect(exact("pageviews", 1_234_567)).toBe("1,234,567");
});

test("rates, times and means have their units", () => {
  expect(short("bounce_rate", 0.327)).toBe("33%");
  expect(short("bounce_rate", 0)).toBe("0%");
  expect(exact("bounce_rate", 0.327306)).toBe("32.73%");
  expect(short("views_per_session", 2.97)).toBe("3.0");
  expect([0, 59.6, 97.6, 3_600, 7_512].map(duration)).toEqual(["0s", "1m 0s", "1m 38s", "1h 0m", "2h 5m"]);
});

test("nothing is not zero", () => {
  expect(short("bounce_rate", null)).toBe("–");
  expect(exact("bounce_rate", null)).toBe("no sessions");
});

test("a change is in percent, of a rate in points, and never divides by nothing", () => {
  expect(change("pageviews", 110, 100)).toEqual({ text: "10%", direction: 1 });
  expect(change("pageviews", 99.5, 100)).toEqual({ text: "0.5%", direction: -1 });
  expect(change("pageviews", 5, 0)).toEqual({ text: "new", direction: 1 });
  expect(change("pageviews", 0, 0)).toEqual({ text: "0%", direction: 0 });
  expect(change("bounce_rate", 0.34, 0.327)).toEqual({ text: "1.3 pt", direction: 1 });
  expect(change("bounce_rate", null, 0.3)).toBeNull();
});
