import { expect, test } from "vitest";
import { type Keyring, credentialFor, forget, keep, kept } from "../src/credential.ts";

class Memory {
  private readonly values = new Map<string, string>();
  getItem(name: string): string | null {
    return this.values.get(name) ?? null;
  }
  setItem(name: string, value: string): void {
    this.values.set(name, value);
  }
}

function keyring(): Keyring {
  return { tab: new Memory() as unknown as Storage, device: new Memory() as unknown as Storage };
}

test("a key is kept in the tab, and on the device only when asked for", () => {
  const ring = keyring();
  keep(ring, "a", "cm_r_a", false);
  keep(ring, "b", "cm_r_b", true);
  expect(kept({ ...ring, tab: keyring().tab }).read).toEqual({ b: "cm_r_b" });
  expect(kept(ring).read).toEqual({ a: "cm_r_a", b: "cm_r_b" });
});

test("an admin key is never kept on the device, and opens what has no key of its own", () => {
  const ring = keyring();
  keep(ring, "a", "cm_a_x", true);
  expect(kept({ ...ring, tab: keyring().tab })).toEqual({ read: {}, admin: "" });
  expect(credentialFor("any", null, kept(ring))).toEqual({ property: "any", secret: "cm_a_x", kind: "admin" });
});

test("logging out forgets the property's key in both places, and no other's", () => {
  const ring = keyring();
  keep(ring, "a", "cm_r_a", true);
  keep(ring, "b", "cm_r_b", true);
  forget(ring, "a");
  expect(kept(ring).read).toEqual({ b: "cm_r_b" });
  expect(credentialFor("a", null, kept(ring))).toBeNull();
});

test("a property called like a method of objects has no key", () => {
  expect(credentialFor("constructor", null, kept(keyring()))).toBeNull();
});

test("a share link's token comes before keys", () => {
  const ring = keyring();
  keep(ring, "a", "cm_r_a", false);
  expect(credentialFor("a", "t.o.k", kept(ring))).toEqual({ property: "a", secret: "t.o.k", kind: "share" });
});
