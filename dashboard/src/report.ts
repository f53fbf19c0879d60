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

interface Answered<T> {
  /** Which question, asked for the how-manieth time. */
  to: string;
  data: T | null;
  problem: Problem | null;
}

/** What the API answers; after a 429 or 503 it is asked again when the server says so. */
export function useReport<T>(
  credential: Credential,
  name: string,
  parameters: Parameters,
  { every = 0, when = true }: Options = {},
): Loaded<T> {
  const [answered, setAnswered] = useState<Answered<T>>({ to: "", data: null, problem: null });
  const [turn, setTurn] = useState(0);
  const again = () => setTurn((now) => now + 1);
  const question = JSON.stringify([credential.property, credential.secret, name, parameters, turn]);
  const loading = when && answered.to !== question;
  useEffect(() => {
    if (!when) return undefined;
    const gone = new AbortController();
    ask<T>(credential, name, parameters, gone.signal).then(
      (data) => !gone.signal.aborted && setAnswered({ to: question, data, problem: null }),
      (error: unknown) => !gone.signal.aborted && setAnswered({ to: question, data: null, problem: problemOf(error) }),
    );
    return () => gone.abort();
    // The question is all that matters of credential, name and parameters.
  }, [question, when]);
  const wait = answered.problem?.retryAfter ? Math.min(answered.problem.retryAfter, LONGEST_WAIT) * 1000 : every;
  useEffect(() => {
    if (!wait || loading) return undefined;
    const timer = setTimeout(() => whenSeen(again), wait);
    return () => clearTimeout(timer);
  }, [wait, question, loading]);
  return { data: answered.data, problem: answered.problem, loading, again };
}

/** Now, or when somebody looks at the page again. */
function whenSeen(act: () => void): void {
  if (document.visibilityState === "visible") act();
  else document.addEventListener("visibilitychange", act, { once: true });
}

function problemOf(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem(0, "fault", String(error));
}
