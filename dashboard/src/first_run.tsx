// A property without events: what to put into the pages, and the moment the first event comes.

import { useState } from "preact/hooks";
import type { Place } from "./address.ts";
import { Arrival } from "./arrival.tsx";
import type { Credential } from "./credential.ts";
import type { Go } from "./navigation.ts";
import { SetupTest } from "./setup_test.tsx";
import { Snippets, WriteKey } from "./snippets.tsx";

interface Props {
  credential: Credential;
  place: Place;
  go: Go;
}

export function FirstRun({ credential, place, go }: Props) {
  const [key, setKey] = useState("");
  return (
    <div class="setup">
      <h1>Count the first visit</h1>
      <WriteKey property={credential.property} value={key} onChange={setKey} />
      <Snippets property={credential.property} writeKey={key} />
      <Arrival credential={credential} onOpen={() => open(place, go)} />
      <SetupTest credential={credential} writeKey={key} />
    </div>
  );
}

/** Show the reports, of today, where the first event is. */
function open(place: Place, go: Go): void {
  go({ ...place, page: "report", view: { ...place.view, period: "today", from: "", to: "", interval: "", filters: [] } });
  location.reload();
}
