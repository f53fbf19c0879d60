/** How does every event reach the server: once, soon, and also when the network fails or the page ends? */

import type { Event } from "./event";

const GATHER_MS = 500;
const MAX_BYTES = 50 * 1024;
const MAX_EVENTS = 50;
const MAX_WAITING = 200;
const MAX_SILENT = 5;
const MAX_WAIT_MS = 300_000;
/** Statuses after which the same events are sent again; 0 is no answer at all. */
const RETRIED = /^(0|408|429|5..)$/;

export interface Target {
  /** The full address of `/v1/events`. */
  endpoint: string;
  /** The property's id. */
  property: string;
  /** The property's write key. */
  key: string;
}

/** An event's id, and the event as JSON. */
export type Item = [id: string, text: string];

/** What remembers the events that wait, when this page does not live to see them delivered. */
export interface Backlog {
  load(): Item[];
  keep(item: Item): void;
  /** Whether it is still to be sent: no other tab has done so, and it is not too old. */
  isWanted(id: string): boolean;
  drop(id: string): void;
}

export interface Queue {
  /** Take an event; it is read when it is sent or kept, moments later. */
  add(event: Event): void;
  /** Forget what has not been sent. */
  clear(): void;
}

/** A queue to the server. `complete` is called before events are written down, for what is known late. */
export const openQueue = (target: Target, complete: () => void, backlog?: Backlog): Queue => {
  let waiting: Item[] = backlog?.load() || [];
  let fresh: Event[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let flying = 0;
  let failures = 0;
  let silent = 0;
  let most = MAX_EVENTS;
  let hasWarned = false;

  const schedule = (ms: number): void => {
    timer ||= setTimeout(() => {
      timer = undefined;
      flush();
    }, ms);
  };

  const writeDown = (): void => {
    complete();
    for (const event of fresh) {
      const item: Item = [event.event_id, JSON.stringify(event)];
      waiting.push(item);
      backlog?.keep(item);
    }
    fresh = [];
    waiting = waiting.slice(-MAX_WAITING);
  };

  /** Take the next events that fit into one request from those that wait, and make its body. */
  const take = (): [items: Item[], body: string] => {
    const items: Item[] = [];
    let body = JSON.stringify({ property_id: target.property, key: target.key, events: [] }).slice(0, -2);
    for (; waiting[0] && items.length < most; waiting.shift()) {
      const [id, text] = waiting[0];
      if (backlog?.isWanted(id) === false) continue;
      const longer = body + (items[0] ? "," : "") + text;
      if (items[0] && new Blob([longer]).size > MAX_BYTES - 2) break;
      body = longer;
      items.push(waiting[0]);
    }
    return [items, body + "]}"];
  };

  const send = async (items: Item[], body: string, leaving?: boolean): Promise<void> => {
    let status = 0;
    let wait = 0;
    let text = "";
    flying++;
    try {
      if (leaving && !("keepalive" in Request.prototype)) throw 0;
      // A string is sent as text/plain, which needs no preflight. No keepalive for a retry: perhaps its quota, which
      // the whole page shares, was why the first try failed.
      const answer = await fetch(target.endpoint, { method: "POST", body, credentials: "omit", keepalive: !failures });
      text = await answer.text();
      wait = +answer.headers.get("retry-after")! * 1_000;
      status = answer.status;
    } catch {
      if (leaving) navigator.sendBeacon(target.endpoint, body);
    }
    flying--;
    if (RETRIED.test(`${status}`)) {
      waiting.unshift(...items);
      retry(status || leaving, wait);
      return;
    }
    failures = silent = 0;
    if (status === 413 && items[1]) {
      most = items.length >> 1;
      waiting.unshift(...items);
    } else {
      for (const [id] of items) backlog?.drop(id);
      if (status > 299 || /"rejected":[^0]/.test(text)) console.warn("Clickmeter refused events:", text);
    }
    flush();
  };

  const retry = (isExcused: unknown, wait: number): void => {
    failures++;
    silent = isExcused ? 0 : silent + +navigator.onLine;
    if (silent === MAX_SILENT && !hasWarned) {
      hasWarned = true;
      console.warn(
        `Clickmeter gives up: no answer from ${target.endpoint}. Is ${location.origin} among its allowed_origins?`,
      );
    }
    schedule(Math.max(Math.min(MAX_WAIT_MS, 1_000 * 2 ** failures) * (0.5 + Math.random() / 2), wait || 0));
  };

  const flush = (leaving?: boolean): void => {
    writeDown();
    if (silent >= MAX_SILENT || (leaving ? failures : flying)) return;
    clearTimeout(timer);
    timer = undefined;
    // All are taken before any is sent: what a beacon carries waits again at once, in case nobody received it.
    const batches = [take()];
    while (leaving && waiting[0]) batches.push(take());
    for (const [items, body] of batches) if (items[0]) void send(items, body, leaving);
  };

  // Whoever hides a page may never come back to it. (Shown again is as good a moment to send as any.)
  const leave = (): void => flush(true);

  addEventListener("online", () => {
    failures = silent = 0;
    flush();
  });
  addEventListener("pagehide", leave);
  addEventListener("visibilitychange", leave, true);
  if (waiting[0]) schedule(GATHER_MS);

  return {
    add: (event) => {
      fresh.push(event);
      schedule(GATHER_MS);
    },
    clear: () => {
      fresh = waiting = [];
    },
  };
};
