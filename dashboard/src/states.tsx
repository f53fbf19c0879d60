// What is shown where there are no numbers: because it went wrong, because there are none, or not yet.

import type { ComponentChildren } from "preact";
import type { Problem } from "./api.ts";

interface TroubleProps {
  problem: Problem;
  again: () => void;
}

/** A refusal in place of a list or a chart: what happened, and what to do. */
export function Trouble({ problem, again }: TroubleProps) {
  return (
    <div class="trouble" role="alert">
      <p>{problem.message}</p>
      {problem.retryAfter !== null && <p class="soft">It is asked again in {problem.retryAfter} s by itself.</p>}
      <button type="button" class="quiet" onClick={again}>
        Try again
      </button>
    </div>
  );
}

const ADVICE: Record<number, { title: string; advice: string }> = {
  0: { title: "No answer", advice: "This page tries nothing by itself until you ask it to." },
  401: { title: "The key is not valid any more", advice: "It was revoked or has expired. Log in with another one." },
  403: { title: "This key may not read here", advice: "Reports are read with a read key (cm_r_…) of the property." },
  404: { title: "No such property", advice: "It was deleted, or the key is another property's. Check the id." },
  422: { title: "This cannot be asked", advice: "Something in the address is not known. Begin again with the usual view." },
  429: { title: "Too many questions", advice: "The server limits how often a key may ask." },
  503: { title: "The server is busy", advice: "It answers again soon. A shorter range or fewer filters are answered sooner." },
};

interface BigTroubleProps extends TroubleProps {
  shared: boolean;
  leave: () => void;
  reset: () => void;
}

/** A refusal of everything. */
export function BigTrouble({ problem, again, shared, leave, reset }: BigTroubleProps) {
  const { title, advice } = ADVICE[problem.status] ?? { title: "That went wrong", advice: "Try again." };
  const lost = [401, 403, 404].includes(problem.status);
  return (
    <section class="big" role="alert">
      <h2>{shared && problem.status === 401 ? "This share link has ended" : title}</h2>
      <p>{problem.message}</p>
      <p class="soft">
        {shared && lost ? "Ask whoever sent it for a new one." : advice}
        {problem.retryAfter !== null && ` It is asked again in ${problem.retryAfter} s.`}
      </p>
      <p class="buttons">
        {problem.status === 422 && (
          <button type="button" class="primary" onClick={reset}>
            Show the last 30 days
          </button>
        )}
        {lost && (
          <button type="button" class="primary" onClick={leave}>
            Log in
          </button>
        )}
        {!lost && problem.status !== 422 && (
          <button type="button" class="primary" onClick={again}>
            Try again
          </button>
        )}
      </p>
    </section>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

/** Lines where rows will be, so that nothing jumps when they come. */
export function Skeleton({ rows }: { rows: number }) {
  return (
    <div class="skeleton" aria-hidden="true">
      {Array.from({ length: rows }, (_, index) => (
        <span key={index} style={{ width: `${92 - ((index * 37) % 55)}%` }} />
      ))}
    </div>
  );
}
