// What to put into a page, or into a terminal, to send events.

import { useState } from "preact/hooks";
import { Icon } from "./icons.tsx";

const PLACEHOLDER = "YOUR_WRITE_KEY";

// The server writes into the page where it serves the tracker.
function trackerPath(): string {
  return document.querySelector<HTMLMetaElement>("meta[name=clickmeter-tracker]")?.content ?? "/clickmeter.js";
}

interface WriteKeyProps {
  property: string;
  value: string;
  onChange: (key: string) => void;
}

export function WriteKey({ property, value, onChange }: WriteKeyProps) {
  return (
    <section>
      <h2>Write key</h2>
      <p class="soft">
        Pages send with the write key of <b>{property}</b>. It may be public: it can do nothing but send. It was shown
        when the property was made; <code>clickmeter key create {property} --type write</code> makes another.
      </p>
      <label>
        Paste it here to have it below
        <input
          name="write-key"
          value={value}
          placeholder="cm_w_…"
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => onChange(event.currentTarget.value.trim())}
        />
      </label>
    </section>
  );
}

export function Snippets({ property, writeKey }: { property: string; writeKey: string }) {
  const key = writeKey || PLACEHOLDER;
  const { origin } = location;
  const event = `{"property_id": "${property}", "events": [{"type": "pageview", "context": {"page": {"path": "/hello"}}}]}`;
  return (
    <>
      <section>
        <h2>In every page</h2>
        <Code
          name="the snippet"
          text={`<script defer src="${origin}${trackerPath()}"\n        data-property="${property}" data-key="${key}"></script>`}
        />
      </section>
      <section>
        <h2>Or from a terminal</h2>
        <Code
          name="the curl line"
          text={`curl ${origin}/v1/events -H 'Authorization: Bearer ${key}' \\\n  -H 'Content-Type: application/json' -d '${event}'`}
        />
      </section>
    </>
  );
}

function Code({ name, text }: { name: string; text: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 2_000);
  };
  // Browsers give pages the clipboard only over https and on localhost; elsewhere one selects the text.
  const able = "clipboard" in navigator;
  return (
    <div class="code">
      <pre tabIndex={0} role="region" aria-label={name}>
        <code>{text}</code>
      </pre>
      {able && (
        <button type="button" class="quiet" onClick={() => void copy()}>
          <Icon name={copied ? "check" : "copy"} /> {copied ? "Copied" : "Copy"}
          <span class="unseen"> {name}</span>
        </button>
      )}
    </div>
  );
}
