/** What `vdnn infer` says of the layers and operations that the accelerator does not run. */
import type { HostCost } from "../accelerator/infer/host.ts";
import { digits, wrapped } from "./infer-text.ts";

export function hostLines(host: readonly HostCost[]): string[] {
  if (host.length === 0) return [];
  const reasons = [...new Set(host.flatMap(({ reason }) => reason ?? []))];
  const products = reasons.map((reason) =>
    layersLine(
      reason,
      host.filter((cost) => cost.reason === reason),
    ),
  );
  const others = host
    .filter(({ reason }) => reason === null)
    .map(({ kernel, operations, calls }) => `${kernel} ${count(operations)}${calls > 1 ? ` in ${calls}` : ""}`);
  const arithmeticPj = host.reduce((sum, cost) => sum + cost.arithmeticPj, 0);
  return [
    ...products,
    ...(others.length === 0 ? [] : [`on the host, operations: ${others.join(", ")}`]),
    ...(arithmeticPj === 0
      ? []
      : [
          `on the host, arithmetic alone: ${digits(arithmeticPj / 1e6)} µJ in FP32 by the same table; its time and memories are not modelled`,
        ]),
  ].flatMap(wrapped);
}

/** Layers of one reason, each with its MACs. */
function layersLine(reason: string, costs: readonly HostCost[]): string {
  const layers = costs.map(({ kernel, layers: names, macs }) => {
    const name = names.join(", ") || kernel;
    return macs > 0 ? `${name} ${digits(macs / 1e6)}` : name;
  });
  const macs = costs.reduce((sum, cost) => sum + cost.macs, 0);
  const size = macs > 0 ? `${digits(macs / 1e6)} MMACs (${layers.join(", ")})` : layers.join(", ");
  return `on the host, ${size}: ${reason}`;
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}
