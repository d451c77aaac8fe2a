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
import { type Program, program, type Term } from "./program.ts";

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

/** y_v_w: v is copied out before w. */
function orderOut(p: Program, used: readonly number[], out: readonly number[], late: number): void {
  used.forEach((v, i) => {
    for (const w of used.slice(i + 1)) {
      const y = p.binary(`y_${v}_${w}`);
      const long = late + (out[v] ?? 0) + (out[w] ?? 0);
      p.atLeast(
        [
          [1, `O_${w}`],
          [-1, `O_${v}`],
          [-(out[v] ?? 0), `act_${v}`],
          [-long, y],
        ],
        -long,
      );
      p.atLeast(
        [
          [1, `O_${v}`],
          [-1, `O_${w}`],
          [-(out[w] ?? 0), `act_${w}`],
          [long, y],
        ],
        0,
      );
    }
  });
}

/** One order of grants and copies in; slots follow it. Gaps that are not used come first, at no time. */
function orderIn(p: Program, { gaps }: Lives, n: number, back: readonly number[], late: number): void {
  const slotOf = (g: number, factor: number): Term[] => {
    const terms: Term[] = [];
    for (let k = (gaps[g]?.after ?? 0) + 1; k <= (gaps[g]?.before ?? 0); k++) terms.push([factor * k, `p_${g}_${k}`]);
    return terms;
  };
  gaps.forEach((_, g) => {
    for (let h = g + 1; h < gaps.length; h++) {
      const z = p.binary(`z_${g}_${h}`);
      const long = late + (back[g] ?? 0) + (back[h] ?? 0);
      p.atLeast(
        [
          [1, `P_${h}`],
          [-1, `P_${g}`],
          [-late, z],
        ],
        -late,
      );
      p.atLeast(
        [
          [1, `P_${g}`],
          [-1, `P_${h}`],
          [late, z],
        ],
        0,
      );
      p.atLeast(
        [
          [1, `I_${h}`],
          [-1, `I_${g}`],
          [-(back[g] ?? 0), `x_${g}`],
          [-long, z],
        ],
        -long,
      );
      p.atLeast(
        [
          [1, `I_${g}`],
          [-1, `I_${h}`],
          [-(back[h] ?? 0), `x_${h}`],
          [long, z],
        ],
        0,
      );
      p.atLeast([...slotOf(h, 1), ...slotOf(g, -1), [-n, z]], -n);
      p.atLeast([...slotOf(g, 1), ...slotOf(h, -1), [n, z]], 0);
    }
  });
}

interface DeviceModel {
  readonly lives: Lives;
  readonly n: number;
  readonly out: readonly number[];
  readonly late: number;
  readonly unit: number;
  readonly budget: number;
}

/** At the grant of a kernel that allocates: a_g_k says that gap g's bytes are away. */
function deviceAtKernels(p: Program, { lives, n, out, late, unit, budget }: DeviceModel): void {
  const { gaps, during, allocates } = lives;
  for (let k = 0; k < n; k++) {
    const excess = ((during[k] ?? 0) - budget) / unit;
    if (allocates[k] !== true || excess <= 0) continue;
    const away: Term[] = [];
    gaps.forEach(({ version, bytes, after, before }, g) => {
      if (k <= after || k >= before) return;
      const a = p.range(`a_${g}_${k}`, 1);
      const d = p.binary(`d_${version}_${k}`);
      away.push([bytes / unit, a]);
      p.atLeast(
        [
          [1, d],
          [-1, a],
        ],
        0,
      );
      const back: Term[] = [];
      for (let j = after + 1; j <= k; j++) back.push([-1, `p_${g}_${j}`]);
      p.atLeast([[1, `x_${g}`], ...back, [-1, a]], 0);
      p.atLeast(
        [
          [1, `S_${k}`],
          [-1, `O_${version}`],
          [-late, d],
        ],
        (out[version] ?? 0) - late,
      );
    });
    p.atLeast(away, excess);
  }
}

/** At the grant of a copy in, by slot: b_g_h says that gap g's bytes are away then. */
function deviceAtGrants(p: Program, { lives, out, late, unit, budget }: DeviceModel): void {
  const { gaps, ahead } = lives;
  gaps.forEach((gap, h) => {
    gaps.forEach(({ version }, g) => {
      if (g === h) return;
      const b = p.range(`b_${g}_${h}`, 1);
      const e = p.binary(`e_${version}_${h}`);
      p.atLeast(
        [
          [1, `x_${g}`],
          [-1, b],
        ],
        0,
      );
      p.atLeast(
        [
          [1, e],
          [-1, b],
        ],
        0,
      );
      if (h < g)
        p.atLeast(
          [
            [1, `z_${h}_${g}`],
            [-1, b],
          ],
          0,
        );
      else
        p.atLeast(
          [
            [-1, `z_${g}_${h}`],
            [-1, b],
          ],
          -1,
        );
      p.atLeast(
        [
          [1, `P_${h}`],
          [-1, `O_${version}`],
          [-late, e],
        ],
        (out[version] ?? 0) - late,
      );
    });
    for (let k = gap.after + 1; k <= gap.before; k++) {
      const excess = ((ahead[k] ?? 0) - budget) / unit;
      if (excess <= 0) continue;
      const away: Term[] = [];
      gaps.forEach(({ bytes, after, before }, g) => {
        if (g !== h && after < k && k <= before) away.push([bytes / unit, `b_${g}_${h}`]);
      });
      p.atLeast([...away, [-excess, `p_${h}_${k}`]], 0);
    }
  });
}

/** At the start of a copy out: m_v_w says that v is on the host then. */
function hostAtCopies(
  p: Program,
  { versions, gaps }: Lives,
  used: readonly number[],
  back: readonly number[],
  late: number,
  budget: number,
): void {
  const total = used.reduce((sum, v) => sum + (versions[v]?.bytes ?? 0), 0);
  for (const w of used) {
    const held: Term[] = [];
    for (const v of used) {
      if (v === w) continue;
      const m = p.range(`m_${v}_${w}`, 1);
      const gone = p.binary(`gone_${v}_${w}`);
      held.push([-(versions[v]?.bytes ?? 0) / total, m]);
      // m = 1 where v is used, copied out before w, and not gone.
      const isUsed: readonly Term[] = [
        [1, m],
        [-1, `act_${v}`],
        [1, gone],
      ];
      if (v < w) p.atLeast([...isUsed, [-1, `y_${v}_${w}`]], -1);
      else p.atLeast([...isUsed, [1, `y_${w}_${v}`]], 0);
      gaps.forEach(({ version }, g) => {
        if (version !== v) return;
        p.atLeast(
          [
            [1, `O_${w}`],
            [-1, `I_${g}`],
            [-(back[g] ?? 0), `x_${g}`],
            [-2 * late, gone],
          ],
          -2 * late,
        );
      });
    }
    p.atLeast([...held, [-1, `act_${w}`]], -1 - (budget - (versions[w]?.bytes ?? 0)) / total);
  }
}
