import { expect, test } from "vitest";
import { areaPath, labelled, linePath, runs, ticks } from "../src/chart/scale.ts";

test("marks are round, begin at 0 and reach the greatest value", () => {
  expect(ticks(323, 4)).toEqual([0, 100, 200, 300, 400]);
  expect(ticks(3, 4)).toEqual([0, 1, 2, 3]);
  expect(ticks(0, 4)).toEqual([0, 1]);
  expect(ticks(0.5, 4, false)).toEqual([0, 0.2, 0.4, 0.6]);
  for (let most = 1; most < 5_000; most += 37) {
    const marks = ticks(most, 4);
    expect(marks.at(-1)).toBeGreaterThanOrEqual(most);
    expect(marks.length).toBeLessThanOrEqual(6);
  }
});

test("a missing value is a gap in the line and in its area", () => {
  const [x, y] = [(i: number) => i * 10, (v: number) => 100 - v];
  expect(linePath([1, 2, null, 4], x, y)).toBe("M0 99L10 98M30 96");
  expect(areaPath([1, 2, null, 4], x, y, 100)).toBe("M0 100L0 99L10 98L10 100ZM30 100L30 96L30 100Z");
  expect(runs([null, 1, null, 2, 3])).toEqual([[1, 1], [3, 4]]);
});

test("labels have room", () => {
  expect(labelled(30, 640, 64)).toEqual([0, 3, 6, 9, 12, 15, 18, 21, 24, 27]);
  expect(labelled(0, 640, 64)).toEqual([]);
});
