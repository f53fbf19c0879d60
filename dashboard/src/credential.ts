// Which key or token opens a property? Keys are kept in the tab, or on the device when asked for; never in the address.

const NAME = "clickmeter.keys";

/** Where keys are kept: `tab` ends with the tab, `device` stays. */
export interface Keyring {
  tab: Storage;
  device: Storage;
}

export interface Kept {
  /** Read keys by property. */
  read: Record<string, string>;
  /** An admin key; it may read every property and is kept in the tab only. */
  admin: string;
}

export interface Credential {
  property: string;
  secret: string;
  kind: "read" | "admin" | "share";
  /** The server's origin, where it is not the page's own. */
  server?: string;
}

export function isAdminKey(key: string): boolean {
  return key.startsWith("cm_a_");
}

/** The property a read token is for, "" when it does not say; the server checks it, here it only says what to ask. */
export function propertyOf(token: string): string {
  try {
    const payload = (token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    const property = (claims as { property_id?: unknown } | null)?.property_id;
    return typeof property === "string" ? property : "";
  } catch {
    return ""; // Not a token: the API will refuse it with a sentence.
  }
}

export function kept(keyring: Keyring): Kept {
  const [device, tab] = [read(keyring.device), read(keyring.tab)];
  return { read: { ...device.read, ...tab.read }, admin: tab.admin };
}

/** Keep a key for a property (any property when it is an admin key). */
export function keep(keyring: Keyring, property: string, key: string, onDevice: boolean): void {
  forget(keyring, property);
  const storage = onDevice && !isAdminKey(key) ? keyring.device : keyring.tab;
  const now = read(storage);
  if (isAdminKey(key)) now.admin = key;
  else now.read[property] = key;
  storage.setItem(NAME, JSON.stringify(now));
}

/** Forget what opens a property, the admin key included. */
export function forget(keyring: Keyring, property: string): void {
  for (const storage of [keyring.tab, keyring.device]) {
    const now = read(storage);
    delete now.read[property];
    now.admin = "";
    storage.setItem(NAME, JSON.stringify(now));
  }
}

/** What opens a property: the share link's token, its own read key, or an admin key; null when there is nothing. */
export function credentialFor(property: string, token: string | null, keys: Kept): Credential | null {
  if (token) return { property, secret: token, kind: "share" };
  const own = Object.hasOwn(keys.read, property) ? keys.read[property] : undefined;
  if (own) return { property, secret: own, kind: "read" };
  return keys.admin ? { property, secret: keys.admin, kind: "admin" } : null;
}

function read(storage: Storage): Kept {
  try {
    const found = JSON.parse(storage.getItem(NAME) ?? "{}") as Partial<Kept>;
    return { read: { ...found.read }, admin: found.admin ?? "" };
  } catch {
    return { read: {}, admin: "" }; // Somebody wrote something else there; logging in again mends it.
  }
}
