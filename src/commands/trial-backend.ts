/** Which backend trials run on: the one that was asked for, or the fastest that works. Nothing is loaded into this process. */
import { type BackendName, probeBackends } from "../backends/load.ts";
import type { WebGpuAdapter } from "../backends/webgpu-loader.ts";
import { VdnnError } from "../errors.ts";

export interface ChosenBackend {
  readonly backend: BackendName;
  /** What `webgpu` computes on. */
  readonly adapter?: WebGpuAdapter;
}

/** @throws VdnnError `ERR_BACKEND` with the reason and the remedy where it does not work */
export async function chooseBackend(asked: BackendName | undefined): Promise<ChosenBackend> {
  const probes = await probeBackends();
  // In the order of preference.
  const working = probes.find(({ backend, works }) => works && (asked === undefined || backend === asked));
  if (working !== undefined) {
    const { backend, adapter: name, device } = working;
    return { backend, ...(name === undefined ? {} : { adapter: { name, isSoftware: device === "CPU" } }) };
  }
  const failures = probes
    .filter(({ backend, works }) => !works && (asked === undefined || backend === asked))
    .map(({ packageName, reason = "", remedy = "" }) => `${packageName}: ${reason}; mend it: ${remedy}`);
  throw new VdnnError("ERR_BACKEND", `backend ${asked ?? "of any kind"} does not start: ${failures.join(", ")}`, {
    backend: asked,
    failures,
  });
}
