import { expect, test } from "vitest";
import { madeAt, uuid7 } from "../src/event";

test("an id is a UUIDv7 that says when it was made", () => {
  const now = Date.UTC(2026, 0, 24, 18, 12, 33, 7);
  const id = uuid7(now);
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(madeAt(id)).toBe(now);
});

test("ids differ, and sort by time", () => {
  const ids = Array.from({ length: 10_000 }, () => uuid7(1_000));
  expect(new Set(ids).size).toBe(ids.length);
  expect(uuid7(1_001) > ids.sort().at(-1)!).toBe(true);
});
