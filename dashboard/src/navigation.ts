// Going from one place to another, by the fragment of the address.

import { useEffect, useState } from "preact/hooks";
import { type Place, type View, format, parse } from "./address.ts";

export type Go = (place: Place) => void;

/** The place of the address, and how to go to another; back and forward work as everywhere. */
export function usePlace(): [Place, Go] {
  const [fragment, setFragment] = useState(location.hash);
  useEffect(() => {
    const read = () => setFragment(location.hash);
    addEventListener("hashchange", read);
    addEventListener("popstate", read);
    return () => {
      removeEventListener("hashchange", read);
      removeEventListener("popstate", read);
    };
  }, []);
  const go = (place: Place) => {
    const to = format(place);
    if (to === location.hash) return;
    history.pushState(null, "", to);
    setFragment(to);
  };
  return [parse(fragment), go];
}

/** The same place with another view. */
export function looking(place: Place, changes: Partial<View>): Place {
  return { ...place, view: { ...place.view, ...changes } };
}
