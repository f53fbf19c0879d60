// The conditions that are in force, each to be taken away, and a way to add others than a click on a row.

import { useState } from "preact/hooks";
import type { View } from "./address.ts";
import { DIMENSION_NAMES, OPERATOR_NAMES, dimensionName, valueName } from "./dimensions.ts";
import { Icon } from "./icons.tsx";
import { Popover } from "./popover.tsx";
import { parseFilter, toggled } from "./query.ts";

interface Props {
  view: View;
  onChange: (filters: string[]) => void;
}

export function Filters({ view, onChange }: Props) {
  return (
    <div class="filters">
      {view.filters.map((filter) => (
        <button
          type="button"
          class="chip"
          key={filter}
          title="Take this filter away"
          onClick={() => onChange(toggled(view, filter).filters)}
        >
          <Said filter={filter} />
          <Icon name="close" />
        </button>
      ))}
      <Popover label="Filter" text="Add a filter" icon="filter">
        {(close) => (
          <Form
            onAdd={(filter) => {
              close();
              if (!view.filters.includes(filter)) onChange([...view.filters, filter]);
            }}
          />
        )}
      </Popover>
      {view.filters.length > 1 && (
        <button type="button" class="quiet" onClick={() => onChange([])}>
          Clear all
        </button>
      )}
    </div>
  );
}

function Said({ filter }: { filter: string }) {
  const { dimension, operator, value } = parseFilter(filter);
  return (
    <span>
      {dimensionName(dimension)} {OPERATOR_NAMES[operator] ?? operator} {value && <b>{valueName(dimension, value)}</b>}
    </span>
  );
}

function Form({ onAdd }: { onAdd: (filter: string) => void }) {
  const [dimension, setDimension] = useState("path");
  const [operator, setOperator] = useState("contains");
  const [value, setValue] = useState("");
  const bare = operator === "is_set" || operator === "is_not_set";
  return (
    <form
      class="filter-form"
      onSubmit={(event) => {
        event.preventDefault();
        onAdd(bare ? `${dimension}:${operator}` : `${dimension}:${operator}:${value}`);
      }}
    >
      <label>
        What
        <select value={dimension} onChange={(event) => setDimension(event.currentTarget.value)}>
          {Object.entries(DIMENSION_NAMES).map(([name, text]) => (
            <option key={name} value={name}>
              {text}
            </option>
          ))}
        </select>
      </label>
      <label>
        How
        <select value={operator} onChange={(event) => setOperator(event.currentTarget.value)}>
          {Object.entries(OPERATOR_NAMES).map(([name, text]) => (
            <option key={name} value={name}>
              {text}
            </option>
          ))}
        </select>
      </label>
      {!bare && (
        <label>
          Value
          <input
            required
            value={value}
            placeholder={operator === "like" ? "/blog/*" : ""}
            onInput={(event) => setValue(event.currentTarget.value)}
          />
        </label>
      )}
      <button type="submit" class="primary">
        Add
      </button>
    </form>
  );
}
