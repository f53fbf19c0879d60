// A report that a component shows: asked again when the question changes, the old answer staying until the new one.

import { useEffect, useState } from "preact/hooks";
import { type Parameters, Problem, ask } from "./api.ts";
import type { Credential } from "./credential.ts";

export interface Loaded<T> {
  /** The last answer; while `loading` it may still be that of the question before. */
  data: T | null;
  problem: Problem | null;
  loading: boolean;
  again: () => void;
}

interface Options {
  /** Ask again after so many milliseconds, while the page is seen. */
  every?: number;
  /** Whether to ask at all. */
  when?: boolean;
}

const LONGEST_WAIT = 60;

/** What the API answers; after a 429 or 503 it is asked again when the server says so. */
export function useReport<T>(
  credential: Credential,
  name: string,
  parameters: Parameters,
  { every = 0, when = true }: Options = {},
): Loaded<T> {
  const [state, setState] = useState<Omit<Loaded<T>, "again">>({ data: null, problem: null, loading: true });
  const [turn, setTurn] = useState(0);
  const question = JSON.stringify([credential.property, credential.secret, name, parameters]);
  useEffect(() => {
    if (!when) return undefined;
    const gone = new AbortController();
    setState((before) => ({ ...before, loading: true }));
    ask<T>(credential, name, parameters, gone.signal).then(
      (data) => !gone.signal.aborted && setState({ data, problem: null, loading: false }),
      (error: unknown) => {
        if (gone.signal.aborted) return;
        const problem = error instanceof Problem ? error : new Problem(0, "fault", String(error));
        setState({ data: null, problem, loading: false });
      },
    );
    return () => gone.abort();
    // The question is all that matters of credential, name and parameters.
  }, [question, turn, when]);
  const wait = state.problem?.retryAfter ? Math.min(state.problem.retryAfter, LONGEST_WAIT) * 1000 : every;
  useEffect(() => {
    if (!wait || state.loading) return undefined;
    const timer = setTimeout(() => {
      if (document.visibilityState === "visible") setTurn((now) => now + 1);
      else document.addEventListener("visibilitychange", () => setTurn((now) => now + 1), { once: true });
    }, wait);
    return () => clearTimeout(timer);
  }, [wait, state]);
  return { ...state, again: () => setTurn((now) => now + 1) };
}
