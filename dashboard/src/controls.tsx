// Range, comparison and zone.

import { useState } from "preact/hooks";
import type { View } from "./address.ts";
import { Popover } from "./popover.tsx";
import { rangeLabel } from "./time.ts";

const PERIODS: [string, string][] = [
  ["today", "Today"],
  ["yesterday", "Yesterday"],
  ["7d", "Last 7 days"],
  ["28d", "Last 28 days"],
  ["30d", "Last 30 days"],
  ["90d", "Last 90 days"],
  ["this_week", "This week"],
  ["this_month", "This month"],
  ["last_month", "Last month"],
  ["12mo", "Last 12 months"],
  ["this_year", "This year"],
  ["all", "All time"],
];
const COMPARISONS: [string, string][] = [
  ["", "No comparison"],
  ["previous_period", "Previous period"],
  ["previous_year", "Previous year"],
];

interface Props {
  view: View;
  /** The property's own zone, "" while it is not known. */
  zone: string;
  onChange: (changes: Partial<View>) => void;
}

export function Controls({ view, zone, onChange }: Props) {
  return (
    <div class="controls">
      <Popover label="Range" text={rangeText(view)}>
        {(close) => (
          <RangeForm
            view={view}
            onChoose={(changes) => {
              close();
              onChange(changes);
            }}
          />
        )}
      </Popover>
      <label class="choice">
        <span class="unseen">Compare with</span>
        <select value={view.compare} onChange={(event) => onChange({ compare: event.currentTarget.value })}>
          {COMPARISONS.map(([name, text]) => (
            <option key={name} value={name}>
              {text}
            </option>
          ))}
        </select>
      </label>
      <ZoneChoice view={view} zone={zone} onChange={onChange} />
    </div>
  );
}

function rangeText(view: View): string {
  if (!view.period) return /^\d{4}-\d\d-\d\d$/.test(view.from) && view.to ? rangeLabel(view.from, view.to) : "Dates";
  return PERIODS.find(([name]) => name === view.period)?.[1] ?? view.period;
}

function RangeForm({ view, onChoose }: { view: View; onChoose: (changes: Partial<View>) => void }) {
  const [from, setFrom] = useState(view.from);
  const [to, setTo] = useState(view.to);
  // The interval that suited another range need not suit this one.
  const choose = (changes: Partial<View>) => onChoose({ interval: "", ...changes });
  return (
    <div class="ranges">
      <div class="periods">
        {PERIODS.map(([name, text]) => (
          <button
            type="button"
            key={name}
            aria-pressed={view.period === name}
            onClick={() => choose({ period: name, from: "", to: "" })}
          >
            {text}
          </button>
        ))}
      </div>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          choose({ period: "", from, to });
        }}
      >
        <label>
          From
          <input type="date" required value={from} max={to} onInput={(event) => setFrom(event.currentTarget.value)} />
        </label>
        <label>
          To
          <input type="date" required value={to} min={from} onInput={(event) => setTo(event.currentTarget.value)} />
        </label>
        <button type="submit" class="primary">
          Show
        </button>
      </form>
    </div>
  );
}

function ZoneChoice({ view, zone, onChange }: Props) {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const near = [...new Set([own, "UTC", view.timezone])].filter((name) => name && name !== zone);
  return (
    <label class="choice zone">
      <span class="unseen">Time zone</span>
      <select value={view.timezone} onChange={(event) => onChange({ timezone: event.currentTarget.value })}>
        <option value="">{zone || "Time zone"}</option>
        <optgroup label="Near">
          {near.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </optgroup>
        <optgroup label="All">
          {Intl.supportedValuesOf("timeZone")
            .filter((name) => name !== zone && !near.includes(name))
            .map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
        </optgroup>
      </select>
    </label>
  );
}
