/** What does `clickmeter.core.js` start? Page views and `clickmeter.track`, and nothing to choose but data-identity. */

import { startCore, type CoreOptions, type Track } from "./core";
import { tag, target } from "./tag";

const page = window as { clickmeter?: { track: Track } };
const sent = target();

if (sent && !page.clickmeter) {
  const { track } = startCore({ ...sent, identity: tag.dataset.identity as CoreOptions["identity"] });
  page.clickmeter = { track };
}
