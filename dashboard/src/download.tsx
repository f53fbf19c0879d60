// A button that saves a report as CSV: the same question, asked with format=csv.

import { useState } from "preact/hooks";
import { type Parameters, Problem, askCsv } from "./api.ts";
import type { Credential } from "./credential.ts";
import { Icon } from "./icons.tsx";

interface Props {
  credential: Credential;
  name: string;
  parameters: Parameters;
  file: string;
  label: string;
}

export function Download({ credential, name, parameters, file, label }: Props) {
  const [trouble, setTrouble] = useState("");
  const run = async () => {
    try {
      setTrouble("");
      save(await askCsv(credential, name, parameters), `${file}.csv`);
    } catch (error) {
      setTrouble(error instanceof Problem ? error.message : String(error));
    }
  };
  return (
    <>
      <button type="button" class="quiet" title={label} aria-label={`CSV: ${label}`} onClick={() => void run()}>
        <Icon name="download" /> CSV
      </button>
      {trouble && <span role="alert">{trouble}</span>}
    </>
  );
}

function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
