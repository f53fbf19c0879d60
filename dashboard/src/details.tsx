// All rows of a list, a page at a time, with more numbers, and as CSV.

import { useEffect, useRef, useState } from "preact/hooks";
import type { Metric, View } from "./address.ts";
import { type Parameters, Problem, type Report, type Row, ask } from "./api.ts";
import type { Credential } from "./credential.ts";
import { Download } from "./download.tsx";
import { Icon } from "./icons.tsx";
import { type Tab, list, metricsOf } from "./query.ts";
import { Rows } from "./rows.tsx";
import { Empty, Skeleton, Trouble } from "./states.tsx";
import { rangeLabel } from "./time.ts";

const PAGE = 50;
const MOST = 1_000;
const ALSO: Metric[] = ["sessions", "bounce_rate", "avg_session_seconds"];

interface Props {
  title: string;
  credential: Credential;
  view: View;
  tab: Tab;
  onFilter: (filter: string) => void;
  onClose: () => void;
}

export function Details({ title, credential, view, tab, onFilter, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const { name, parameters } = list(view, withMore(tab), PAGE);
  const pages = usePages(credential, name, parameters);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby="details-title" onClose={onClose} onClick={(event) => outside(event, dialog.current)}>
      <header>
        <div>
          <h2 id="details-title">{title}</h2>
          {pages.range && <p class="soft">{rangeLabel(pages.range.from, pages.range.to)}</p>}
        </div>
        <Download
          credential={credential}
          name={name}
          parameters={parameters.map(([key, value]) => [key, key === "limit" ? String(limitOf(pages.rows)) : value])}
          file={`${credential.property}-${tab.dimension}`}
          label={`Save ${title.toLowerCase()} as it is shown`}
        />
        <button type="button" class="quiet" aria-label="Close" onClick={() => dialog.current?.close()}>
          <Icon name="close" />
        </button>
      </header>
      <div class="scroll" tabIndex={0} role="region" aria-label={title}>
        {pages.rows.length > 0 && (
          <Rows
            rows={pages.rows}
            tab={tab}
            metrics={metricsOf(parameters)}
            filters={view.filters}
            onFilter={(filter) => {
              dialog.current?.close();
              onFilter(filter);
            }}
          />
        )}
        {pages.problem && <Trouble problem={pages.problem} again={pages.more} />}
        {pages.loading && <Skeleton rows={pages.rows.length ? 3 : 12} />}
        {!pages.loading && !pages.problem && !pages.rows.length && <Empty>Nothing here.</Empty>}
        {pages.cursor && !pages.loading && (
          <button type="button" class="quiet wide" onClick={pages.more}>
            Show {PAGE} more
          </button>
        )}
      </div>
    </dialog>
  );
}

/** The tab with every number that its rows can have. */
function withMore(tab: Tab): Tab {
  return { ...tab, metrics: [...tab.metrics, ...ALSO.filter((metric) => !tab.metrics.includes(metric))] };
}

/** As many rows as are shown, which the API gives in one answer. */
function limitOf(rows: Row[]): number {
  return Math.min(MOST, Math.max(PAGE, rows.length));
}

function outside(event: MouseEvent, dialog: HTMLDialogElement | null): void {
  if (event.target === dialog) dialog?.close();
}

interface Pages {
  rows: Row[];
  range: { from: string; to: string } | null;
  cursor: string | null;
  loading: boolean;
  problem: Problem | null;
}

/** The pages of a list that were asked for so far. */
function usePages(credential: Credential, name: string, parameters: Parameters): Pages & { more: () => void } {
  const nothing: Pages = { rows: [], range: null, cursor: null, loading: true, problem: null };
  const [pages, setPages] = useState(nothing);
  const load = async (cursor: string | null) => {
    setPages((now) => ({ ...now, loading: true, problem: null }));
    try {
      const all: Parameters = cursor ? [...parameters, ["cursor", cursor]] : parameters;
      const { rows, query, meta } = await ask<Report>(credential, name, all);
      const next = { range: query, cursor: meta.next_cursor, loading: false, problem: null };
      setPages((now) => ({ ...next, rows: [...now.rows, ...rows] }));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setPages((now) => ({ ...now, loading: false, problem: error }));
    }
  };
  useEffect(() => void load(null), []);
  return { ...pages, more: () => void load(pages.cursor) };
}
