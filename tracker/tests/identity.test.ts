import { expect, test } from "vitest";
import { identify } from "../src/identity";
import type { Shelf } from "../src/shelf";

const MINUTE = 60_000;

test("a visit goes on for 30 minutes after each event, a visitor for ever", () => {
  const shelf: Shelf = { kept: {} };
  const first = identify(shelf, "k", 0);
  expect(identify(shelf, "k", 29 * MINUTE)).toEqual(first);
  expect(identify(shelf, "k", 58 * MINUTE)).toEqual(first);
  const next = identify(shelf, "k", 88 * MINUTE);
  expect(next.visitor_id).toBe(first.visitor_id);
  expect(next.session_id).not.toBe(first.session_id);
});

test.each(["", "v_1", "v_1 s_1", "v_1 s_1 x", "v_1 s_1 "])("what was kept as %j makes whole ids", (text) => {
  const { visitor_id, session_id } = identify({ kept: { k: text } }, "k", 1e9);
  expect(visitor_id).toMatch(/^v_./);
  expect(session_id).toMatch(/^s_.{36}$/);
});
