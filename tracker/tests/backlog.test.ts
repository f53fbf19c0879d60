import { expect, test, vi } from "vitest";
import { openBacklog } from "../src/backlog";
import { uuid7 } from "../src/event";
import type { Shelf } from "../src/shelf";

const HOUR = 3_600_000;
const shelfOf = (kept: Record<string, string> = {}): Shelf => ({ kept });

test("another page finds what was kept, oldest first, and nobody else's", () => {
  const shelf = shelfOf({ "k": "ids", "other:1": "x", "k2:1": "x" });
  const ids = [Date.now() - 2, Date.now() - 1].map(uuid7);
  const first = openBacklog(shelf, "k:");
  first.keep([ids[1]!, "second"]);
  first.keep([ids[0]!, "first"]);
  expect(openBacklog(shelf, "k:").load()).toEqual([[ids[0], "first"], [ids[1], "second"]]);
});

test("what another tab has delivered is not wanted any more", () => {
  const shelf = shelfOf();
  const [here, there] = [openBacklog(shelf, "k:"), openBacklog(shelf, "k:")];
  const id = uuid7(Date.now());
  here.keep([id, "text"]);
  there.load();
  expect([here.isWanted(id), there.isWanted(id)]).toEqual([true, true]);
  there.drop(id);
  expect([here.isWanted(id), there.isWanted(id)]).toEqual([false, false]);
});

test("what could not be kept is wanted all the same", () => {
  expect(openBacklog(shelfOf(), "k:").isWanted(uuid7(Date.now()))).toBe(true);
});

test("at most 200 are kept, the newest, and only for 72 hours", () => {
  const shelf = shelfOf();
  const backlog = openBacklog(shelf, "k:");
  const now = Date.now();
  const ids = Array.from({ length: 210 }, (_, index) => uuid7(now + index));
  ids.forEach((id) => backlog.keep([id, "text"]));
  expect(backlog.load().map(([id]) => id)).toEqual(ids.slice(10));
  vi.useFakeTimers({ now: now + 72 * HOUR - 1 });
  expect(backlog.isWanted(ids[10]!)).toBe(true);
  vi.setSystemTime(now + 72 * HOUR + 11);
  expect(backlog.isWanted(ids[10]!)).toBe(false);
  vi.useRealTimers();
});

test("clearing leaves what is not an event", () => {
  const shelf = shelfOf({ k: "ids" });
  const backlog = openBacklog(shelf, "k:");
  backlog.keep([uuid7(Date.now()), "text"]);
  backlog.clear();
  expect(shelf.kept).toEqual({ k: "ids" });
});
