import { expect, test } from "vitest";
import { DEFAULT_VIEW } from "../src/address.ts";
import { PANELS } from "../src/panels.ts";
import { list, parseFilter, rowFilter, scope, series, toggled } from "../src/query.ts";

const pages = PANELS[0]!.tabs[0];

test("a view's range, zone and filters are in every report", () => {
  const view = { ...DEFAULT_VIEW, period: "", from: "2026-01-01", to: "2026-01-02", timezone: "UTC", filters: ["os:is:iOS"] };
  expect(scope(view)).toEqual([
    ["from", "2026-01-01"],
    ["to", "2026-01-02"],
    ["timezone", "UTC"],
    ["filter", "os:is:iOS"],
  ]);
});

test("top pages are the pages report; of one event type they are counted by events", () => {
  expect(list(DEFAULT_VIEW, pages, 8).name).toBe("pages");
  const signups = list({ ...DEFAULT_VIEW, filters: ["type:is:signup"] }, pages, 8);
  expect(signups.name).toBe("metrics");
  expect(signups.parameters).toContainEqual(["metrics", "events,unique_visitors"]);
  expect(series({ ...DEFAULT_VIEW, filters: ["type:is:signup"] }, "day")[2]?.[1]).toContain("events");
});

test("a list's own conditions are only such as nobody's filter can widen", () => {
  const alwaysAnd = ["is_not", "not_contains", "is_set", "is_not_set"];
  for (const { tabs } of PANELS) {
    for (const { filters } of tabs) {
      for (const filter of filters) expect(alwaysAnd).toContain(parseFilter(filter).operator);
    }
  }
});

test("a row's filter lets exactly its value through, colons and all", () => {
  expect(parseFilter(rowFilter("referrer", "https://a.example/x:y"))).toEqual({
    dimension: "referrer",
    operator: "is",
    value: "https://a.example/x:y",
  });
  expect(rowFilter("country", null)).toBe("country:is_not_set");
});

test("choosing a row twice changes nothing", () => {
  const once = toggled(DEFAULT_VIEW, "path:is:/");
  expect(once.filters).toEqual(["path:is:/"]);
  expect(toggled(once, "path:is:/")).toEqual(DEFAULT_VIEW);
});
