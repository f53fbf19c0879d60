/** What does a page start, and what may it ask of the tracker? */

import { openBacklog } from "./backlog";
import { openConsent, type Wishes } from "./consent";
import { shelfFor, shelfKey, startCore, type Core, type CoreOptions, type Track } from "./core";
import { watchLinks } from "./links";

export interface Options extends CoreOptions, Wishes {
  /** Track clicks on links to other hosts. */
  outbound?: boolean | undefined;
  /** Track clicks on links to files. */
  downloads?: boolean | undefined;
}

export interface Tracker {
  track: Track;
  /** Say what the visitor has decided; it is remembered. false forgets the visitor's ids and what has not been sent. */
  consent: (given: boolean) => void;
}

/** Start to track the page, in a browser and once; without consent it begins when that is given. */
export const start = (options: Options): Tracker => {
  const shelf = shelfFor(options);
  const key = shelfKey(options);
  const backlog = openBacklog(shelf, `${key}:`);
  const consent = openConsent(shelf, `clickmeter-consent:${options.property}`, options);
  let core: Core | undefined;

  const begin = (): void => {
    if (consent.isGiven()) core ||= startCore(options, shelf, backlog, consent.isGiven);
  };
  const track: Track = (type, data) => core?.track(type, data);

  begin();
  watchLinks(track, options.outbound, options.downloads);
  return {
    track,
    consent: (given) => {
      consent.decide(given);
      begin();
      if (given) return;
      core?.clear();
      backlog.clear();
      delete shelf.kept[key];
    },
  };
};
