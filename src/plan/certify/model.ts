/**
 * The fastest plan of a small graph as a mixed-integer linear program. It speaks of the execution model, not of continuous time:
 *
 * - A prefetch is issued in a *slot*, the place in the list before one kernel. Its memory is granted not before the kernel ahead
 *   of the slot has ended and not after the next kernel that allocates starts. Grants keep one order, as do the copies in.
 * - A copy out may start from its writer's end on, while later kernels read. Its device bytes count until it has ended, at every
 *   grant: those are the only instants at which the device can be too full.
 * - Host bytes are granted when a copy out starts, and count until the last copy in of the version has arrived.
 *
 *   S_k start of kernel k    x_g gap g is used        p_g_k issued in slot k    z_g_h granted before
 *   O_v start of copy out    P_g, I_g grant and start of copy in                d_v_k, e_v_h copied out when k, h is granted
 *
 * Times are in units of `timeMs`, bytes in units of the device budget, so that HiGHS's tolerances fit.
 */
import type { Graph } from "../../graph/graph.ts";
import type { Machine } from "../policy.ts";
import type { Lives } from "./lives.ts";
import { deviceAtGrants, deviceAtKernels, hostAtCopies } from "./memory.ts";
import { orderIn, orderOut } from "./orders.ts";
import { program, type Term } from "./program.ts";

export interface Model {
  readonly text: string;
  readonly timeMs: number;
}

export function modelOf(graph: Graph, machine: Machine, lives: Lives, limitMs: number): Model {
  const { versions, gaps, allocates } = lives;
  const n = graph.kernels.length;
  const oracleMs = graph.kernels.reduce((sum, { ms }) => sum + ms, 0);
  const timeMs = oracleMs > 0 ? oracleMs / 100 : 1;
  const unit = Number.isFinite(machine.deviceBytes) && machine.deviceBytes > 0 ? machine.deviceBytes : 1;
  const ms = graph.kernels.map((kernel) => kernel.ms / timeMs);
  const out = versions.map(({ bytes }) => bytes / (machine.offloadGBps * 1e6) / timeMs);
  const back = gaps.map(({ bytes }) => bytes / (machine.prefetchGBps * 1e6) / timeMs);
  const used = [...new Set(gaps.map(({ version }) => version))].toSorted((a, b) => a - b);
  // All copies one after the other, with nothing beside them, take no longer.
  const serial = 100 + used.reduce((sum, v) => sum + (out[v] ?? 0), 0) + back.reduce((sum, each) => sum + each, 0);
  const late = Math.min(serial, limitMs / timeMs) + 1e-6;
  const p = program();
  for (let k = 0; k < n; k++) p.range(`S_${k}`, late);
  p.range("end_0", late);
  for (let k = 1; k < n; k++)
    p.atLeast(
      [
        [1, `S_${k}`],
        [-1, `S_${k - 1}`],
      ],
      ms[k - 1] ?? 0,
    );
  p.atLeast(
    [
      [1, "end_0"],
      [-1, `S_${n - 1}`],
    ],
    ms[n - 1] ?? 0,
  );

  for (const v of used) {
    p.range(`O_${v}`, late);
    p.binary(`act_${v}`);
    const writer = versions[v]?.writer ?? -1;
    if (writer >= 0)
      p.atLeast(
        [
          [1, `O_${v}`],
          [-1, `S_${writer}`],
        ],
        ms[writer] ?? 0,
      );
  }
  gaps.forEach(({ version, after, before }, g) => {
    p.binary(`x_${g}`);
    p.range(`P_${g}`, late);
    p.range(`I_${g}`, late);
    p.atLeast(
      [
        [1, `act_${version}`],
        [-1, `x_${g}`],
      ],
      0,
    );
    const slots: Term[] = [];
    for (let k = after + 1; k <= before; k++) {
      const slot = p.binary(`p_${g}_${k}`);
      slots.push([1, slot]);
      p.atLeast(
        [
          [1, `P_${g}`],
          [-1, `S_${k - 1}`],
          [-late, slot],
        ],
        (ms[k - 1] ?? 0) - late,
      );
      const next = allocates.findIndex((each, j) => j >= k && each);
      if (next >= 0)
        p.atLeast(
          [
            [1, `S_${next}`],
            [-1, `P_${g}`],
            [-late, slot],
          ],
          -late,
        );
    }
    p.atLeast([...slots, [-1, `x_${g}`]], 0);
    p.atLeast([...slots.map(([, name]): Term => [-1, name]), [1, `x_${g}`]], 0);
    p.atLeast(
      [
        [1, `I_${g}`],
        [-1, `P_${g}`],
      ],
      0,
    );
    p.atLeast(
      [
        [1, `I_${g}`],
        [-1, `O_${version}`],
        [-late, `x_${g}`],
      ],
      (out[version] ?? 0) - late,
    );
    p.atLeast(
      [
        [1, `S_${before}`],
        [-1, `I_${g}`],
        [-late, `x_${g}`],
      ],
      (back[g] ?? 0) - late,
    );
  });
  for (const v of used) {
    const own = gaps.flatMap(({ version }, g): Term[] => (version === v ? [[1, `x_${g}`]] : []));
    p.atLeast([...own, [-1, `act_${v}`]], 0);
  }
  orderOut(p, used, out, late);
  orderIn(p, lives, n, back, late);
  deviceAtKernels(p, { lives, n, out, late, unit, budget: machine.deviceBytes });
  deviceAtGrants(p, { lives, n, out, late, unit, budget: machine.deviceBytes });
  const total = used.reduce((sum, v) => sum + (versions[v]?.bytes ?? 0), 0);
  if (total > machine.hostBytes) hostAtCopies(p, lives, used, back, late, machine.hostBytes);
  return { text: p.text("end_0"), timeMs };
}
