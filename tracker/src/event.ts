/** What is an event, as the server reads it, and how does it get an id of its own? */

export type Data = Record<string, unknown>;

export interface Page {
  /** Address without query and fragment: what stands there may be private. */
  url: string;
  title?: string;
  /** Address of the page before, also without query and fragment. */
  referrer?: string;
}

export interface Context {
  page: Page;
  campaign?: { utm: Record<string, string> };
}

export interface Identity {
  visitor_id: string;
  session_id: string;
}

export interface Event {
  event_id: string;
  type: string;
  ts: string;
  context: Context;
  identity?: Identity;
  data?: Data;
}

const randomDigit = (): string => (crypto.getRandomValues(new Uint8Array(1))[0]! & 15).toString(16);

/**
 * A UUIDv7 with 72 random bits (the variant's digit is always 8). Time first, so that ids sort by time and the server's
 * index of them stays small. Not crypto.randomUUID, which pages without TLS do not have.
 */
export const uuid7 = (ms: number): string =>
  ms.toString(16).padStart(12, "0").replace(/.{8}/, "$&-") + "-7xxx-8xxx-xxxxxxxxxxxx".replace(/x/g, randomDigit);

/** When a UUIDv7 was made, in milliseconds since 1970. */
export const madeAt = (id: string): number => parseInt(id.slice(0, 13).replace("-", ""), 16);
