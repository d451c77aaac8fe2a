/** Saves files that a worker made. */
import type { RunFiles } from "../protocol.ts";
import type { Settings } from "../settings.ts";

const NAMES: Readonly<Record<keyof RunFiles, string>> = { trace: "trace.json", report: "report.json" };

export function save(files: RunFiles, which: keyof RunFiles, { network, depth, policy }: Settings): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(files[which]);
  link.download = `vdnn-${network}${depth === 0 ? "" : `-${depth}`}-${policy}.${NAMES[which]}`;
  link.click();
  // The download holds the blob by then.
  setTimeout(() => URL.revokeObjectURL(link.href));
}
