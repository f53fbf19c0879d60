/** Which events of earlier pages and of other tabs are still to be sent? */

import { madeAt } from "./event";
import type { Backlog, Item } from "./queue";
import { write, type Shelf } from "./shelf";

const MAX_KEPT = 200;
const MAX_AGE_MS = 72 * 3_600_000;

/**
 * Events stay on the shelf until the server has answered for them, at most 200 and for 72 hours.
 *
 * Several tabs share it: each event has a key of its own, `prefix` and its id, so that no tab overwrites another's; and
 * what another tab has delivered is gone. When two tabs send an event at once, its id makes the server count it once.
 */
export const openBacklog = (shelf: Shelf, prefix: string): Backlog & { clear: () => void } => {
  const mine = new Set<string>();
  const keys = (): string[] =>
    Object.keys(shelf.kept)
      .filter((key) => key.startsWith(prefix))
      .sort();
  const drop = (id: string): void => {
    delete shelf.kept[prefix + id];
  };
  const isWanted = (id: string): boolean =>
    Date.now() - madeAt(id) < MAX_AGE_MS && (prefix + id in shelf.kept || !mine.has(id));
  const remove = (key: string): void => drop(key.slice(prefix.length));

  return {
    load: () =>
      keys().map((key): Item => {
        const id = key.slice(prefix.length);
        mine.add(id);
        return [id, shelf.kept[key]!];
      }),
    keep: ([id, text]) => {
      write(shelf, prefix + id, text);
      mine.add(id);
      keys().slice(0, -MAX_KEPT).forEach(remove);
    },
    isWanted,
    drop,
    clear: () => keys().forEach(remove),
  };
};
