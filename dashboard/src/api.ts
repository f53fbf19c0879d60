// Asking the public API: one request, and what is said when it cannot be answered.

import type { Credential } from "./credential.ts";

export type Parameters = [string, string][];
export type Row = Record<string, string | number | null>;

export interface Meta {
  next_cursor: string | null;
  partial: boolean;
  warnings: { code: string; detail: string }[];
}

export interface Report {
  query: { from: string; to: string; timezone: string; interval: string };
  rows: Row[];
  totals: Row;
  meta: Meta;
  comparison?: { query: { from: string; to: string }; rows: Row[]; totals: Row };
}

export interface Realtime {
  unique_visitors: number;
  pageviews: number;
  rows: { time: string; pageviews: number }[];
}

export interface Schema {
  property: { id: string; name: string; timezone: string };
  periods: string[];
}

export interface IngestAnswer {
  accepted: number;
  rejected: number;
  errors: { code: string; detail: string }[];
  duplicates?: number;
  bots?: number;
  filtered?: number;
}

/** A request that was refused, or that got no answer (status 0). `retryAfter` is in seconds. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly retryAfter: number | null = null,
  ) {
    super(detail);
  }
}

/** The path of a report of a property. */
export function reportPath(property: string, name: string): string {
  return `/v1/properties/${encodeURIComponent(property)}/${name}`;
}

/** One report as JSON; throws a Problem. */
export async function ask<T>(
  credential: Credential,
  name: string,
  parameters: Parameters,
  signal?: AbortSignal,
): Promise<T> {
  const query = parameters.length ? `?${new URLSearchParams(parameters)}` : "";
  const path = name.startsWith("/") ? name : reportPath(credential.property, name);
  const answer = await get(`${credential.server ?? ""}${path}${query}`, credential.secret, signal);
  return (await answer.json()) as T;
}

/** The same report as CSV. */
export async function askCsv(credential: Credential, name: string, parameters: Parameters): Promise<Blob> {
  const query = new URLSearchParams([...parameters, ["format", "csv"]]);
  return (await get(`${reportPath(credential.property, name)}?${query}`, credential.secret)).blob();
}

/** Send one event with a write key, as a page of the site would; throws a Problem. */
export async function send(property: string, key: string, event: object): Promise<IngestAnswer> {
  const body = JSON.stringify({ property_id: property, key, events: [event] });
  const answer = await request("/v1/events", { method: "POST", headers: { "Content-Type": "text/plain" }, body });
  return (await answer.json()) as IngestAnswer;
}

function get(url: string, secret: string, signal?: AbortSignal): Promise<Response> {
  return request(url, { headers: { Authorization: `Bearer ${secret}` }, ...(signal ? { signal } : {}) });
}

async function request(url: string, init: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(url, { ...init, credentials: "omit", cache: "no-store" });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Problem(0, "no_answer", "The server does not answer. Check that it runs, and your connection.");
  }
  if (!answer.ok) throw await problemOf(answer);
  return answer;
}

async function problemOf(answer: Response): Promise<Problem> {
  const wait = Number(answer.headers.get("Retry-After") ?? "");
  const retryAfter = Number.isFinite(wait) && wait > 0 ? wait : null;
  try {
    const body = (await answer.json()) as { code?: string; detail?: string };
    return new Problem(answer.status, body.code ?? "", body.detail ?? answer.statusText, retryAfter);
  } catch {
    // A proxy in front answers in HTML; only its status is of use.
    return new Problem(answer.status, "", `The answer was ${answer.status} ${answer.statusText}.`, retryAfter);
  }
}
