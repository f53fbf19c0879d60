// A property's reports: what is asked is in the address, what is answered is below it.

import { useEffect, useState } from "preact/hooks";
import { DEFAULT_VIEW, type Metric, type View } from "./address.ts";
import type { Report, Schema } from "./api.ts";
import { Controls } from "./controls.tsx";
import { Download } from "./download.tsx";
import { Filters } from "./filters.tsx";
import { Headline } from "./headline.tsx";
import { looking } from "./navigation.ts";
import { Nothing, isNothing } from "./nothing.tsx";
import { Panel } from "./panel.tsx";
import { PANELS } from "./panels.ts";
import { headline, series } from "./query.ts";
import { Realtime } from "./realtime.tsx";
import { type Loaded, useReport } from "./report.ts";
import { BigTrouble } from "./states.tsx";
import { bestInterval, daysBetween, daysOfPeriod, intervalsFor, rangeLabel } from "./time.ts";
import { Timeline } from "./timeline.tsx";
import { type PageProps, Top } from "./top.tsx";

const EVERY = 60_000;

export function Reports(props: PageProps) {
  const { place, go, credential, leave } = props;
  const { view } = place;
  const schema = useReport<Schema>(credential, "schema", []);
  const [report, interval] = useSeries(props);
  const [fresh, setFresh] = useState(false);
  const look = (changes: Partial<View>) => go(looking(place, changes));
  const name = schema.data?.property.name ?? credential.property;
  useEffect(() => {
    document.title = `${name} · Clickmeter`;
  }, [name]);
  const parts = { ...props, report, interval, look, fresh, onFresh: () => setFresh(true) };
  return (
    <>
      <Top {...props} name={name} />
      <main class="page">
        {!fresh && <h1 class="unseen">{name}</h1>}
        {report.problem ? (
          <BigTrouble
            problem={report.problem}
            again={report.again}
            shared={credential.kind === "share"}
            leave={leave}
            reset={() => look(DEFAULT_VIEW)}
          />
        ) : (
          <>
            {!fresh && (
              <div class="bar-of-controls">
                <Controls view={view} zone={schema.data?.property.timezone ?? ""} onChange={look} />
                <Filters view={view} onChange={(filters) => look({ filters })} />
              </div>
            )}
            <Numbers {...parts} />
          </>
        )}
      </main>
    </>
  );
}

/** The report of headline and chart, and the interval it has. */
function useSeries({ place: { view }, credential }: PageProps): [Loaded<Report>, string] {
  const [whole, setWhole] = useState<number | null>(null);
  const days = view.period ? (daysOfPeriod(view.period) ?? whole) : daysBetween(view.from, view.to);
  const interval = view.interval || (days === null ? "month" : bestInterval(days));
  const report = useReport<Report>(credential, "metrics", series(view, interval), { every: EVERY });
  const query = report.data?.query;
  useEffect(() => {
    // How long all time is, only the answer tells.
    if (query && view.period === "all" && !report.loading) setWhole(daysBetween(query.from, query.to));
  }, [query, view.period, report.loading]);
  return [report, interval];
}

interface NumbersProps extends PageProps {
  report: Loaded<Report>;
  interval: string;
  look: (changes: Partial<View>) => void;
  fresh: boolean;
  onFresh: () => void;
}

function Numbers({ place, go, credential, report, interval, look, fresh, onFresh }: NumbersProps) {
  const { view } = place;
  const data = report.data;
  const metrics = headline(view);
  const metric = chosen(view.metric, metrics);
  const nothing = data !== null && !report.loading && isNothing(data);
  if (nothing || fresh) {
    return <Nothing {...{ credential, view, look, go, place, onFresh, fresh }} range={data?.query ?? null} />;
  }
  return (
    <>
      <div class="overview" aria-busy={report.loading}>
        <section aria-label="Overview">
          <Headline metrics={metrics} chosen={metric} report={data} onChoose={(name) => look({ metric: name })} />
          <div class="timeline">
            {data && data.rows.length > 0 ? (
              <Timeline report={data} metric={metric} now={Date.now()} />
            ) : (
              <div class="ghost-chart" aria-hidden="true" />
            )}
          </div>
          <footer>
            <p class="soft">{data ? <Legend report={data} /> : "\u00a0"}</p>
            <Intervals days={data ? daysBetween(data.query.from, data.query.to) : 0} interval={interval} look={look} />
            <Download
              credential={credential}
              name="metrics"
              parameters={series(view, interval)}
              file={`${credential.property}-${interval}`}
              label="Save the numbers of the chart"
            />
          </footer>
          {data?.meta.warnings.map(({ code, detail }) => (
            <p class="hint" key={code}>
              {detail}
            </p>
          ))}
        </section>
        <Realtime credential={credential} view={view} />
      </div>
      <div class="panels">
        {PANELS.map((panel) => (
          <Panel key={panel.id} panel={panel} place={place} go={go} credential={credential} ready={data !== null} />
        ))}
      </div>
    </>
  );
}

/** The metric to draw: pageviews and events stand for each other where only one of them is there. */
function chosen(wanted: Metric, metrics: Metric[]): Metric {
  if (metrics.includes(wanted)) return wanted;
  return metrics.find((name) => name === "events" || name === "pageviews") ?? "unique_visitors";
}

function Legend({ report }: { report: Report }) {
  const { query, comparison } = report;
  return (
    <>
      <span class="swatch main" aria-hidden="true" /> {rangeLabel(query.from, query.to)}
      {comparison && (
        <>
          {" "}
          <span class="swatch before" aria-hidden="true" /> {rangeLabel(comparison.query.from, comparison.query.to)}
        </>
      )}
    </>
  );
}

function Intervals({ days, interval, look }: { days: number; interval: string; look: NumbersProps["look"] }) {
  return (
    <div class="tabs" role="group" aria-label="Interval">
      {intervalsFor(days).map((name) => (
        <button type="button" key={name} aria-pressed={name === interval} onClick={() => look({ interval: name })}>
          {name.charAt(0).toUpperCase() + name.slice(1)}
        </button>
      ))}
    </div>
  );
}
