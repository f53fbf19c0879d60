/** What is the least a page needs? Page views, events of its own, ids, and their delivery. */

import { uuid7, type Context, type Data } from "./event";
import { identify } from "./identity";
import { here, watchPages } from "./page";
import { openQueue, type Backlog, type Queue, type Target } from "./queue";
import { openShelf, type Shelf } from "./shelf";

export interface CoreOptions extends Target {
  /** "none": no visitor and session ids, and nothing is kept on the device. */
  identity?: "none" | undefined;
}

/** Track an event of any type, with data about it: at most 16 KiB as JSON. */
export type Track = (type: string, data?: Data) => void;

export interface Core {
  track: Track;
  /** Forget what has not been sent. */
  clear: Queue["clear"];
}

/** The name under which a property's ids are on the shelf. */
export const shelfKey = ({ property }: Target): string => `clickmeter:${property}`;

/** A shelf that lasts as long as the visitor's ids may. */
export const shelfFor = ({ identity }: CoreOptions): Shelf => openShelf(identity !== "none");

/** Start to track the page, in a browser and once; nothing is tracked while `isAllowed` says no. */
export const startCore = (
  options: CoreOptions,
  shelf = shelfFor(options),
  backlog?: Backlog,
  isAllowed?: () => boolean,
): Core => {
  let referrer = document.referrer;
  let context: Context = here(referrer);

  // Frameworks set the title after they have changed the address, so it is read as late as possible.
  const readTitle = (): void => {
    context.page.title = document.title;
  };
  const queue = openQueue(options, readTitle, backlog);

  const track: Track = (type, data) => {
    if (isAllowed?.() === false) return;
    const now = Date.now();
    queue.add({
      event_id: uuid7(now),
      type,
      ts: new Date(now).toISOString(),
      context,
      ...(options.identity !== "none" && { identity: identify(shelf, shelfKey(options), now) }),
      // A copy: what the page does to its object afterwards has not happened at the time of the event.
      ...(data && { data: JSON.parse(JSON.stringify(data)) as Data }),
    });
  };

  watchPages(() => {
    readTitle();
    context = here(referrer);
    referrer = location.href;
    track("pageview");
  });

  return { track, clear: queue.clear };
};
