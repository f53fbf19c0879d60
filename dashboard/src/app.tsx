// Which page is it? Log in, a property's reports, or its setup.

import { useState } from "preact/hooks";
import type { Place } from "./address.ts";
import { type Keyring, credentialFor, forget, kept } from "./credential.ts";
import { Login } from "./login.tsx";
import { usePlace } from "./navigation.ts";
import { Reports } from "./reports.tsx";
import { Setup } from "./setup.tsx";

const KEYRING: Keyring = { tab: sessionStorage, device: localStorage };

export function App() {
  const [place, go] = usePlace();
  const [keys, setKeys] = useState(() => kept(KEYRING));
  const refresh = () => setKeys(kept(KEYRING));
  const credential = place.property ? credentialFor(place.property, place.token, keys) : null;
  const leave = () => {
    if (!place.token) forget(KEYRING, place.property);
    refresh();
    go({ ...place, page: "login", token: null });
  };
  if (place.page === "login" || !credential) {
    const enter = (property: string) => {
      refresh();
      const page = place.page === "login" ? "report" : place.page;
      go({ ...place, page, property, token: null });
    };
    return <Login keyring={KEYRING} keys={keys} property={place.property} broken={brokenLink(place)} onEnter={enter} />;
  }
  const others = Object.keys(keys.read);
  const shared = { place, go, credential, leave, others };
  const key = `${credential.property} ${credential.secret}`;
  return place.page === "setup" ? <Setup key={key} {...shared} /> : <Reports key={key} {...shared} />;
}

/** A share link whose token was cut off on its way. */
function brokenLink(place: Place): boolean {
  return place.token !== null && !place.property;
}
