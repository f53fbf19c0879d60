/** Which page is shown, where did the visitor come from, and by which campaign? */

import type { Context } from "./event";

/** An address without its query and fragment. */
export const bare = (url: string): string => url.split(/[?#]/)[0]!;

/** The context of the page shown now; `referrer` is the address of the one before. */
export const here = (referrer: string): Context => {
  const context: Context = { page: { url: bare(location.href), referrer: bare(referrer) } };
  new URLSearchParams(location.search).forEach((value, name) => {
    const word = /^utm_(source|medium|campaign|term|content)$/.exec(name)?.[1];
    if (word) (context.campaign ||= { utm: {} }).utm[word] = value;
  });
  return context;
};

/**
 * Call `shown` for every page that is seen: the first as soon as it is visible (a page prerendered or opened in the
 * background may never be), then each that the History API shows, and one that comes back from the browser's cache.
 */
export const watchPages = (shown: () => void): void => {
  let isSeen = false;
  let path: string | undefined;
  let query: string | undefined;

  const moved = (queryCounts: unknown): void => {
    isSeen ||= document.visibilityState === "visible";
    const { pathname, search } = location;
    const isNew = path !== pathname || (queryCounts && query !== search);
    if (!isSeen) return;
    path = pathname;
    query = search;
    if (isNew) shown();
  };

  for (const name of ["pushState", "replaceState"] as const) {
    const original = history[name];
    history[name] = (...given) => {
      original.apply(history, given);
      moved(name === "pushState");
    };
  }
  addEventListener("popstate", moved);
  addEventListener("visibilitychange", moved, true);
  addEventListener("pageshow", (event) => event.persisted && shown());
  moved(true);
};
