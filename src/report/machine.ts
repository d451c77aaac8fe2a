/** The machine that measured, in words. */
import { arch, availableParallelism, cpus, platform, totalmem } from "node:os";
import { formatBytes } from "../units.ts";

export function machineText(): string {
  const model = cpus()[0]?.model.trim() ?? "";
  const cores = availableParallelism();
  return `${model || "unknown processor"}, ${cores} core${cores === 1 ? "" : "s"}, ${formatBytes(totalmem())}, ${platform()} ${arch()}`;
}
