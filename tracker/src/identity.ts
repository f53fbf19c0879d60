/** Who is the visitor, and which visit is this? */

import { uuid7, type Identity } from "./event";
import { write, type Shelf } from "./shelf";

const SESSION_MS = 30 * 60_000;

/** The ids kept under `key`, made when there are none; a session ends after 30 minutes without an event in any tab. */
export const identify = (shelf: Shelf, key: string, now: number): Identity => {
  let [visitor, session, seen] = (shelf.kept[key] || "").split(" ");
  visitor ||= "v_" + uuid7(now);
  if (!(now - Number(seen) < SESSION_MS)) session = "s_" + uuid7(now);
  write(shelf, key, `${visitor} ${session} ${now}`);
  return { visitor_id: visitor, session_id: session! };
};
