/** Which backend trials run on: the one that was asked for, or the fastest that works. Nothing is loaded into this process. */
import { type BackendName, BACKENDS, probeBackends } from "../backends/load.ts";
import { VdnnError } from "../errors.ts";

/** @throws VdnnError `ERR_BACKEND` with the reason and the remedy where it does not work */
export async function chooseBackend(asked: BackendName | undefined): Promise<BackendName> {
  const probes = await probeBackends();
  const working = BACKENDS.find((name) => probes.some((probe) => probe.backend === name && probe.works));
  const isThere = asked === undefined || probes.some((probe) => probe.backend === asked && probe.works);
  if (isThere && working !== undefined) return asked ?? working;
  const failures = probes
    .filter(({ backend, works }) => !works && (asked === undefined || backend === asked))
    .map(({ packageName, reason = "", remedy = "" }) => `${packageName}: ${reason}; mend it: ${remedy}`);
  throw new VdnnError("ERR_BACKEND", `backend ${asked ?? "of any kind"} does not start: ${failures.join(", ")}`, {
    backend: asked,
    failures,
  });
}
