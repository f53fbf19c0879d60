// The top of every page: which property this is, the others, and the way out.

import type { Place } from "./address.ts";
import type { Parameters } from "./api.ts";
import type { Credential } from "./credential.ts";
import { Mark } from "./icons.tsx";
import type { Go } from "./navigation.ts";
import { Popover } from "./popover.tsx";
import { useReport } from "./report.ts";
import { ThemeSwitch } from "./theme_switch.tsx";

export interface PageProps {
  place: Place;
  go: Go;
  credential: Credential;
  leave: () => void;
  /** Properties this browser has a key for. */
  others: string[];
}

const LISTED: Parameters = [["limit", "100"]];

export function Top({ place, go, credential, leave, others, name }: PageProps & { name: string }) {
  return (
    <header class="top">
      <div class="wide-row">
        <span class="home">
          <Mark />
        </span>
        {credential.kind === "share" ? (
          <p class="title">{name}</p>
        ) : (
          <Popover label="Property" text={name}>
            {(close) => <Menu {...{ place, go, credential, leave, others, close }} />}
          </Popover>
        )}
        <span class="space" />
        <ThemeSwitch />
      </div>
    </header>
  );
}

function Menu({ place, go, credential, leave, others, close }: PageProps & { close: () => void }) {
  const when = credential.kind === "admin";
  const all = useReport<{ properties: { id: string; name: string }[] }>(credential, "/v1/properties", LISTED, { when });
  const names = new Map(others.map((id) => [id, id]));
  for (const { id, name } of all.data?.properties ?? []) names.set(id, name);
  names.delete(place.property);
  const to = (changes: Partial<Place>) => {
    close();
    go({ ...place, ...changes });
  };
  return (
    <div class="menu">
      {[...names].map(([id, name]) => (
        <button type="button" key={id} onClick={() => to({ page: "report", property: id })}>
          {name} {name !== id && <small>{id}</small>}
        </button>
      ))}
      {names.size > 0 && <hr />}
      {place.page === "report" ? (
        <button type="button" onClick={() => to({ page: "setup" })}>
          Snippet and setup test
        </button>
      ) : (
        <button type="button" onClick={() => to({ page: "report" })}>
          Reports
        </button>
      )}
      <button type="button" onClick={() => to({ page: "login", property: "" })}>
        Open another property
      </button>
      <button type="button" onClick={leave}>
        Log out
      </button>
    </div>
  );
}
