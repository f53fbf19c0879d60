/** What does `clickmeter.js` start? All that its tag asks for, behind the one global, `clickmeter`. */

import { tag, target } from "./tag";
import { start, type Options, type Tracker } from "./tracker";

declare global {
  interface Window {
    clickmeter?: Tracker;
  }
}

const sent = target();
const { identity, consent, respectDnt, outbound, downloads } = tag.dataset;

if (sent && !window.clickmeter) {
  window.clickmeter = start({
    ...sent,
    identity: identity as Options["identity"],
    consent: consent as Options["consent"],
    respectDnt: respectDnt !== undefined,
    outbound: outbound !== undefined,
    downloads: downloads !== undefined,
  });
}
