// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openBacklog } from "../src/backlog";
import { uuid7, type Event } from "../src/event";
import { openQueue, type Queue } from "../src/queue";
import type { Shelf } from "../src/shelf";

interface Sent {
  at: number;
  ids: string[];
  types: string[];
  bytes: number;
  init: RequestInit;
}
type Answer = { status: number; headers?: Record<string, string>; body?: string } | "none";

const TARGET = { endpoint: "https://stats.example/v1/events", property: "p", key: "k" };
let sent: Sent[];
let answers: Answer[];

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 0, 24), toFake: ["setTimeout", "clearTimeout", "Date"] });
  sent = [];
  answers = [];
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    expect(url).toBe(TARGET.endpoint);
    const { events, property_id, key } = JSON.parse(String(init.body)) as { events: Event[] } & Record<string, string>;
    expect([property_id, key]).toEqual(["p", "k"]);
    sent.push({
      at: Date.now(),
      ids: events.map((event) => event.event_id),
      types: events.map((event) => event.type),
      bytes: new TextEncoder().encode(String(init.body)).length,
      init,
    });
    const answer = answers.shift() ?? { status: 200 };
    if (answer === "none") throw new TypeError("Failed to fetch");
    return new Response(answer.body ?? '{"accepted":1,"rejected":0,"errors":[]}', answer);
  });
});

afterEach(() => {
  window.dispatchEvent(new window.Event("test over"));
  vi.unstubAllGlobals();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const open = (shelf: Shelf = { kept: {} }): Queue => openQueue(TARGET, () => undefined, openBacklog(shelf, "k:"));
const event = (type = "x", data?: Record<string, unknown>): Event => ({
  event_id: uuid7(Date.now()),
  type,
  ts: new Date().toISOString(),
  context: { page: { url: "https://shop.example/" } },
  ...(data && { data }),
});
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

test("events gather for half a second, and go as one simple request without credentials", async () => {
  const queue = open();
  queue.add(event("a"));
  queue.add(event("b"));
  await pass(499);
  expect(sent).toEqual([]);
  await pass(1);
  expect(sent.map(({ types }) => types)).toEqual([["a", "b"]]);
  const { init } = sent[0]!;
  expect([init.method, init.credentials, init.keepalive, init.headers]).toEqual(["POST", "omit", true, undefined]);
  expect(typeof init.body).toBe("string");
});

test("at most 50 events and 50 KiB go at once, in order", async () => {
  const queue = open();
  const made = Array.from({ length: 120 }, () => event("x", { text: "\u20ac".repeat(400) }));
  made.forEach(queue.add);
  await pass(1_000);
  expect(sent.flatMap(({ ids }) => ids)).toEqual(made.map((one) => one.event_id));
  expect(Math.max(...sent.map(({ bytes }) => bytes))).toBeLessThanOrEqual(50 * 1024);
  expect(Math.max(...sent.map(({ ids }) => ids.length))).toBeLessThanOrEqual(50);
  expect(sent.length).toBe(4);
});

test.each([408, 429, 500, 502, 503, 599])("after %i the same events are sent again", async (status) => {
  const shelf: Shelf = { kept: {} };
  const queue = open(shelf);
  answers = [{ status }, { status }];
  queue.add(event());
  await pass(500);
  expect(Object.keys(shelf.kept).length).toBe(1);
  await pass(20_000);
  expect(sent.map(({ ids }) => ids)).toEqual([sent[0]!.ids, sent[0]!.ids, sent[0]!.ids]);
  expect(shelf.kept).toEqual({});
});

test("waiting grows from try to try, up to five minutes", async () => {
  const queue = open();
  answers = Array.from({ length: 40 }, () => ({ status: 503 }));
  queue.add(event());
  await pass(4 * 3_600_000);
  const waits = sent.slice(1).map(({ at }, index) => at - sent[index]!.at);
  waits.slice(0, 8).forEach((wait, index) => {
    expect(wait).toBeGreaterThanOrEqual(1_000 * 2 ** index);
    expect(wait).toBeLessThanOrEqual(2_000 * 2 ** index);
  });
  expect(Math.max(...waits)).toBeLessThanOrEqual(300_000);
  expect(sent.length).toBeGreaterThan(40);
});

test("Retry-After is respected, also when a new event comes", async () => {
  const queue = open();
  answers = [{ status: 429, headers: { "Retry-After": "120" } }];
  queue.add(event("a"));
  await pass(1_000);
  queue.add(event("b"));
  await pass(118_000);
  expect(sent.length).toBe(1);
  await pass(3_000);
  expect(sent.map(({ types }) => types)).toEqual([["a"], ["a", "b"]]);
});

test.each([400, 401, 403, 422])("after %i the events are dropped, and the console says why", async (status) => {
  const warn = vi.spyOn(console, "warn").mockReturnValue();
  const shelf: Shelf = { kept: {} };
  const queue = open(shelf);
  answers = [{ status, body: '{"code":"because"}' }];
  queue.add(event());
  await pass(60_000);
  expect(sent.length).toBe(1);
  expect(shelf.kept).toEqual({});
  expect(warn.mock.calls).toEqual([["Clickmeter refused events:", '{"code":"because"}']]);
});

test("a batch that is too large for somebody on the way is halved", async () => {
  const queue = open();
  answers = [{ status: 413 }, { status: 413 }];
  for (let index = 0; index < 8; index++) queue.add(event(`${index}`));
  await pass(1_000);
  expect(sent.map(({ ids }) => ids.length)).toEqual([8, 4, 2, 2, 2, 2]);
  expect(sent.slice(2).flatMap(({ types }) => types)).toEqual(["0", "1", "2", "3", "4", "5", "6", "7"]);
});

test("after five tries without any answer it gives up, with one warning, and keeps the events", async () => {
  const warn = vi.spyOn(console, "warn").mockReturnValue();
  const shelf: Shelf = { kept: {} };
  const queue = open(shelf);
  answers = Array.from({ length: 50 }, () => "none" as const);
  queue.add(event());
  await pass(3_600_000);
  queue.add(event());
  await pass(3_600_000);
  expect(sent.length).toBe(5);
  expect(warn).toHaveBeenCalledOnce();
  expect(warn.mock.calls[0]![0]).toContain("allowed_origins");
  expect(Object.keys(shelf.kept).length).toBe(2);
});

test("an answer between silences starts the count anew", async () => {
  const warn = vi.spyOn(console, "warn").mockReturnValue();
  const queue = open();
  answers = ["none", "none", "none", "none", { status: 503 }, "none", "none", "none", "none"];
  queue.add(event());
  await pass(3_600_000);
  expect(sent.length).toBe(10);
  expect(warn).not.toHaveBeenCalled();
});

test("being offline is no silence of the server's, and coming online sends at once", async () => {
  const warn = vi.spyOn(console, "warn").mockReturnValue();
  const onLine = vi.spyOn(navigator, "onLine", "get").mockReturnValue(false);
  const queue = open();
  const offline = event();
  const tries = () => sent.filter(({ ids }) => ids.includes(offline.event_id)).length;
  answers = Array.from({ length: 50 }, () => "none" as const);
  queue.add(offline);
  await pass(130_000);
  const before = tries();
  expect(before).toBeGreaterThan(5);
  expect(warn).not.toHaveBeenCalled();
  onLine.mockReturnValue(true);
  window.dispatchEvent(new window.Event("online"));
  await pass(0);
  expect(tries()).toBe(before + 1);
});

test("a retry goes without keepalive, whose quota may have been the reason", async () => {
  const queue = open();
  answers = ["none"];
  queue.add(event());
  await pass(5_000);
  expect(sent.map(({ init }) => init.keepalive)).toEqual([true, false]);
});

test.each([true, false])("a page that ends sends at once, in several requests; keepalive known: %s", async (isKnown) => {
  const beacons: string[] = [];
  vi.stubGlobal("Request", isKnown ? class { keepalive() {} } : class {});
  vi.stubGlobal("navigator", { onLine: true, sendBeacon: (_: string, body: string) => beacons.push(body) });
  const queue = open();
  for (let index = 0; index < 60; index++) queue.add(event());
  window.dispatchEvent(new window.Event("pagehide"));
  const bodies = isKnown ? sent.map(({ ids }) => ids) : beacons.map((body) => JSON.parse(body).events);
  expect(bodies.map((events) => events.length)).toEqual([50, 10]);
  await pass(0);
});

test("events of earlier pages are sent with the first of this one", async () => {
  const shelf: Shelf = { kept: {} };
  const left = event("left");
  openBacklog(shelf, "k:").keep([left.event_id, JSON.stringify(left)]);
  open(shelf).add(event("new"));
  await pass(500);
  expect(sent.map(({ types }) => types)).toEqual([["left", "new"]]);
});

test("what has been cleared is not sent, nor sent again", async () => {
  const shelf: Shelf = { kept: {} };
  const backlog = openBacklog(shelf, "k:");
  const queue = openQueue(TARGET, () => undefined, backlog);
  answers = [{ status: 503 }];
  queue.add(event("flying"));
  await pass(500);
  queue.add(event("fresh"));
  queue.clear();
  backlog.clear();
  await pass(60_000);
  expect(sent.map(({ types }) => types)).toEqual([["flying"]]);
});
