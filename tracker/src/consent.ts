/** May this visitor be tracked? */

import { write, type Shelf } from "./shelf";

export interface Wishes {
  /** "required": nothing is sent or kept before `consent(true)`. */
  consent?: "required" | undefined;
  /** Track nothing when the browser sends Do Not Track or Global Privacy Control. */
  respectDnt?: boolean | undefined;
}

/** The visitor's decision, kept on the shelf under `key`; until there is one, the site's wishes decide. */
export const openConsent = (shelf: Shelf, key: string, { consent, respectDnt }: Wishes) => ({
  isGiven: (): boolean =>
    !(respectDnt && (navigator.globalPrivacyControl || navigator.doNotTrack === "1")) &&
    (shelf.kept[key] || (consent ? "no" : "yes")) === "yes",
  decide: (given: boolean): void => write(shelf, key, given ? "yes" : "no"),
});
