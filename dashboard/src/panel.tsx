// One list: its tabs, its first rows, and the way to all of them.

import { useState } from "preact/hooks";
import type { Place } from "./address.ts";
import type { Report } from "./api.ts";
import type { Credential } from "./credential.ts";
import { Details } from "./details.tsx";
import { Icon } from "./icons.tsx";
import { type Go, looking } from "./navigation.ts";
import type { Panel as PanelRow } from "./panels.ts";
import { list, metricsOf, toggled } from "./query.ts";
import { type Loaded, useReport } from "./report.ts";
import { Rows } from "./rows.tsx";
import { Empty, Skeleton, Trouble } from "./states.tsx";

export const SHOWN = 8;

interface Props {
  panel: PanelRow;
  place: Place;
  go: Go;
  credential: Credential;
  /** Whether the overview is answered; a refusal of everything is said there, once, and not in every list. */
  ready: boolean;
}

export function Panel({ panel, place, go, credential, ready }: Props) {
  const [chosen, setChosen] = useState(0);
  const [open, setOpen] = useState(false);
  const tab = panel.tabs[chosen] ?? panel.tabs[0];
  const question = list(place.view, tab, SHOWN);
  const report = useReport<Report>(credential, question.name, question.parameters);
  const onFilter = (filter: string) => go(looking(place, { filters: toggled(place.view, filter).filters }));
  const content = { report, tab, panel, metrics: metricsOf(question.parameters), filters: place.view.filters, onFilter, ready };
  return (
    <section class="panel" aria-labelledby={`${panel.id}-title`} data-panel={panel.id} aria-busy={report.loading}>
      <header>
        <h2 id={`${panel.id}-title`}>{panel.title}</h2>
        {panel.tabs.length > 1 && (
          <div class="tabs" role="group" aria-label={`${panel.title} by`}>
            {panel.tabs.map((one, index) => (
              <button type="button" key={one.dimension} aria-pressed={one === tab} onClick={() => setChosen(index)}>
                {one.name}
              </button>
            ))}
          </div>
        )}
      </header>
      <div class="body">
        <Content {...content} />
      </div>
      <footer>
        {report.data && report.data.rows.length > 0 && (
          <button type="button" class="quiet" onClick={() => setOpen(true)}>
            <Icon name="more" /> More<span class="unseen"> about {panel.title}</span>
          </button>
        )}
      </footer>
      {open && (
        <Details
          title={panel.tabs.length > 1 ? `${panel.title}: ${tab.name}` : panel.title}
          credential={credential}
          view={place.view}
          tab={tab}
          onFilter={onFilter}
          onClose={() => setOpen(false)}
        />
      )}
    </section>
  );
}

interface ContentProps {
  report: Loaded<Report>;
  tab: PanelRow["tabs"][number];
  panel: PanelRow;
  metrics: ReturnType<typeof metricsOf>;
  filters: string[];
  onFilter: (filter: string) => void;
  ready: boolean;
}

function Content({ report, tab, panel, metrics, filters, onFilter, ready }: ContentProps) {
  if (report.problem && ready) return <Trouble problem={report.problem} again={report.again} />;
  const rows = report.data?.rows;
  // While another tab's answer is on its way, the rows of the one before are of another dimension.
  if (!rows || (rows[0] && !(tab.dimension in rows[0]))) return <Skeleton rows={SHOWN} />;
  if (!rows.length) return <Empty>{filters.length ? "Nothing that fits the filters." : panel.empty}</Empty>;
  const known = metrics.filter((metric) => rows[0] && metric in rows[0]);
  return <Rows rows={rows} tab={tab} metrics={known} filters={filters} onFilter={onFilter} />;
}
