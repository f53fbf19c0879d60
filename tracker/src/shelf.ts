/** Where is kept what outlives the page, and what happens when the browser forbids that? */

/** localStorage, or an object in memory: both are read, written and listed alike. */
export interface Shelf {
  kept: Record<string, string>;
}

/** A shelf in localStorage; in memory when that is not wanted or is blocked. */
export const openShelf = (isLasting: boolean): Shelf => {
  try {
    if (isLasting && window.localStorage) return { kept: localStorage as unknown as Record<string, string> };
  } catch {
    // Blocked by the browser's settings: memory will do.
  }
  return { kept: {} };
};

/** Keep a text; when there is no room, the page goes on with a copy in memory. */
export const write = (shelf: Shelf, key: string, text: string): void => {
  try {
    shelf.kept[key] = text;
  } catch {
    shelf.kept = { ...shelf.kept, [key]: text };
  }
};
