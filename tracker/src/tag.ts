/** What does the script tag say? */

import type { Target } from "./queue";

/** The data-* attributes of the tag this script came with. */
export const tag = (document.currentScript || document.querySelector("script[data-property]")) as HTMLScriptElement;

/** Where events go: beside the script, unless the tag says otherwise. */
export const target = (): Target | undefined => {
  const { property, key, endpoint } = tag.dataset;
  if (property && key) return { property, key, endpoint: endpoint || new URL("v1/events", tag.src).href };
  console.warn("Clickmeter needs data-property and data-key.");
  return undefined;
};
