/** `vdnn networks` and `vdnn policies`: what can be named, and what it is. */
import { networks } from "../networks/index.ts";
import { policies } from "../plan/policies/index.ts";
import { renderTable } from "../report/table.ts";
import { DEFAULT_POLICY } from "../runtime/options.ts";

interface Named {
  readonly name: string;
  readonly text: string;
}

export function listNetworks(json: boolean): string {
  const all = Object.values(networks).map(({ name, description, defaults }) => ({ name, description, defaults }));
  if (json) return `${JSON.stringify({ schema: "vdnn-networks/1", networks: all })}\n`;
  return table(
    "network",
    all.map(({ name, description }) => ({ name, text: description })),
  );
}

export function listPolicies(json: boolean): string {
  const all = policies.map(({ name, summary, mayOffload }) => ({
    name,
    summary,
    mayOffload,
    default: name === DEFAULT_POLICY,
  }));
  if (json) return `${JSON.stringify({ schema: "vdnn-policies/1", policies: all })}\n`;
  return table(
    "policy",
    all.map(({ name, summary, default: isDefault }) => ({ name, text: isDefault ? `${summary} (default)` : summary })),
  );
}

function table(title: string, rows: readonly Named[]): string {
  const lines = renderTable<Named>(
    [
      { title, align: "left", cell: ({ name }) => name },
      { title: "", align: "left", cell: ({ text }) => text },
    ],
    rows,
  );
  return `${lines.join("\n")}\n`;
}
