// Opening a property: its id and a read key, or an admin key, which opens all.

import { useState } from "preact/hooks";
import { type Schema, Problem, ask } from "./api.ts";
import { type Kept, type Keyring, isAdminKey, keep } from "./credential.ts";
import { Mark } from "./icons.tsx";
import { ThemeSwitch } from "./theme_switch.tsx";

interface Props {
  keyring: Keyring;
  keys: Kept;
  property: string;
  broken: boolean;
  onEnter: (property: string) => void;
}

export function Login({ keyring, keys, property, broken, onEnter }: Props) {
  const known = Object.keys(keys.read);
  return (
    <div class="door">
      <main>
        <h1>
          <Mark /> Clickmeter
        </h1>
        {broken && (
          <p class="notice" role="alert">
            This share link is not complete. Ask for it again, and copy all of it.
          </p>
        )}
        <Form keyring={keyring} property={property} onEnter={onEnter} />
        {known.length > 0 && (
          <nav aria-label="Properties opened here">
            <h2>Opened here before</h2>
            {known.map((id) => (
              <button type="button" class="link" key={id} onClick={() => onEnter(id)}>
                {id}
              </button>
            ))}
          </nav>
        )}
      </main>
      <footer>
        <ThemeSwitch />
      </footer>
    </div>
  );
}

function Form({ keyring, property, onEnter }: Pick<Props, "keyring" | "property" | "onEnter">) {
  const [id, setId] = useState(property);
  const [key, setKey] = useState("");
  const [onDevice, setOnDevice] = useState(false);
  const [trouble, setTrouble] = useState("");
  const [busy, setBusy] = useState(false);
  const enter = async () => {
    setBusy(true);
    setTrouble("");
    try {
      const opened = await open(id.trim(), key.trim());
      keep(keyring, opened, key.trim(), onDevice);
      onEnter(opened);
    } catch (error) {
      setTrouble(reason(error, id.trim()));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void enter();
      }}
    >
      <p class="lead">See what happens on your site.</p>
      <label>
        Property
        <input
          name="property"
          value={id}
          placeholder="prop_…"
          autocomplete="username"
          spellcheck={false}
          autocapitalize="none"
          required={!isAdminKey(key.trim())}
          onInput={(event) => setId(event.currentTarget.value)}
        />
      </label>
      <label>
        Read key
        <input
          name="key"
          type="password"
          value={key}
          placeholder="cm_r_…"
          autocomplete="current-password"
          required
          onInput={(event) => setKey(event.currentTarget.value)}
        />
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={onDevice}
          disabled={isAdminKey(key.trim())}
          onChange={(event) => setOnDevice(event.currentTarget.checked)}
        />
        Remember on this device
      </label>
      {trouble && (
        <p class="notice" role="alert">
          {trouble}
        </p>
      )}
      <button type="submit" class="primary" disabled={busy}>
        {busy ? "Opening …" : "Open"}
      </button>
      <p class="hint">
        <code>clickmeter run</code> prints both the first time. <code>clickmeter key create PROPERTY --type read</code>{" "}
        makes another key. It stays in this tab unless it is remembered, and is sent to this server only.
      </p>
    </form>
  );
}

/** The id of the property that the key opens; throws a Problem. */
async function open(id: string, key: string): Promise<string> {
  if (id) {
    await ask<Schema>({ property: id, secret: key, kind: "read" }, "schema", []);
    return id;
  }
  const credential = { property: "", secret: key, kind: "admin" } as const;
  const page = await ask<{ properties: { id: string }[] }>(credential, "/v1/properties", [["limit", "1"]]);
  const [first] = page.properties;
  if (!first) throw new Problem(404, "none", "There is no property yet. clickmeter property create makes one.");
  return first.id;
}

function reason(error: unknown, id: string): string {
  if (!(error instanceof Problem)) return String(error);
  if (error.status === 401) return "This key is not valid: it may be cut off, expired or revoked. Copy all of it.";
  if (error.code === "wrong_key_type") return `${error.message} Read keys begin with cm_r_.`;
  if (error.code === "property_not_found") {
    return `This key does not open a property called ${id}. Check the id, or take the key of that property.`;
  }
  return error.message;
}
