import { expect, test } from "vitest";
import { DEFAULT_VIEW, type Place, format, parse } from "../src/address.ts";

const token = `e30.${btoa(JSON.stringify({ property_id: "prop_1", scope: "read" })).replace(/=/g, "")}.c2ln`;

test("a place survives the way into the address and back, whatever is filtered", () => {
  const place: Place = {
    page: "report",
    property: "prop_1",
    token: null,
    view: {
      period: "",
      from: "2026-01-01",
      to: "2026-01-31",
      timezone: "Asia/Kolkata",
      compare: "previous_year",
      interval: "week",
      filters: ["path:is:/a?b=c&d#e", "title:is:<b>100 %</b> + 1", "data.plan:is_not_set"],
      metric: "bounce_rate",
    },
  };
  expect(parse(format(place))).toEqual(place);
});

test("the usual view leaves no trace in the address", () => {
  expect(format({ page: "report", property: "prop_1", token: null, view: DEFAULT_VIEW })).toBe("#/prop_1");
  expect(parse("#/prop_1").view).toEqual(DEFAULT_VIEW);
});

test("a share link says its property, and keeps its token", () => {
  const place = parse(`#/share/${token}?period=7d`);
  expect(place).toMatchObject({ page: "report", property: "prop_1", token, view: { period: "7d" } });
  expect(parse(format(place))).toEqual(place);
});

test("a property may be called share", () => {
  expect(parse("#/share")).toMatchObject({ page: "report", property: "share", token: null });
  expect(parse("#/share/setup")).toMatchObject({ page: "setup", property: "share", token: null });
});

test("a token that was cut off opens nothing", () => {
  expect(parse("#/share/e30.cut")).toMatchObject({ property: "" });
  expect(parse("#/share/.")).toMatchObject({ property: "" });
});

test("an unknown period is left for the API to refuse, an unknown metric is the usual one", () => {
  expect(parse("#/p?period=31d&metric=clicks").view).toMatchObject({ period: "31d", metric: "unique_visitors" });
});

test("no fragment is the door", () => {
  for (const fragment of ["", "#", "#/", "#//"]) expect(parse(fragment).page).toBe("login");
  expect(parse("#/%")).toMatchObject({ page: "report", property: "%" });
});
