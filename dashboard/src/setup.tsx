// The setup of a property at any time: its snippet, whether events come, and a test that sends one.

import type { Schema } from "./api.ts";
import { FirstRun } from "./first_run.tsx";
import { useReport } from "./report.ts";
import { BigTrouble } from "./states.tsx";
import { type PageProps, Top } from "./top.tsx";

export function Setup(props: PageProps) {
  const { place, go, credential, leave } = props;
  const schema = useReport<Schema>(credential, "schema", []);
  const { problem } = schema;
  return (
    <>
      <Top {...props} name={schema.data?.property.name ?? credential.property} />
      <main class="page">
        {problem ? (
          <BigTrouble problem={problem} again={schema.again} shared={false} leave={leave} reset={schema.again} />
        ) : (
          <FirstRun credential={credential} place={place} go={go} />
        )}
      </main>
    </>
  );
}
