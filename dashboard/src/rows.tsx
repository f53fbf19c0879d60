// The rows of a list: what, how many, and a bar; choosing a row filters by it.

import type { Metric } from "./address.ts";
import type { Row } from "./api.ts";
import { dimensionName, valueName } from "./dimensions.ts";
import { METRIC_NAMES, exact, short } from "./format.ts";
import { type Tab, rowFilter } from "./query.ts";

interface Props {
  rows: Row[];
  tab: Tab;
  metrics: Metric[];
  filters: string[];
  onFilter: (filter: string) => void;
}

export function Rows({ rows, tab, metrics, filters, onFilter }: Props) {
  const [first] = metrics;
  const most = Math.max(1e-9, ...rows.map((row) => Number(first ? row[first] : 0)));
  return (
    <table class="rows">
      <thead>
        <tr>
          <th scope="col">{dimensionName(tab.dimension)}</th>
          {metrics.map((metric) => (
            <th scope="col" key={metric}>
              {METRIC_NAMES[metric]}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => {
          const value = row[tab.dimension] as string | null;
          const filter = rowFilter(tab.dimension, value);
          const name = valueName(tab.dimension, value);
          const on = filters.includes(filter);
          return (
            <tr key={value ?? "\0"} class={on ? "on" : ""}>
              <th scope="row">
                <span class="bar" style={{ width: `${(Number(first ? row[first] : 0) / most) * 100}%` }} />
                <button
                  type="button"
                  title={name}
                  aria-pressed={on}
                  class={value === null ? "missing" : ""}
                  onClick={() => onFilter(filter)}
                >
                  {name}
                </button>
              </th>
              {metrics.map((metric) => (
                <td key={metric} title={exact(metric, row[metric] as number | null)}>
                  {short(metric, row[metric] as number | null)}
                </td>
              ))}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
