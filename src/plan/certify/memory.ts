/**
 * The part of model.ts that keeps the budgets. Bytes are looked at where they grow, which is enough: the device's at each grant, to a
 * kernel or to a copy in, the host's at the start of each copy out.
 */
import type { Lives } from "./lives.ts";
import type { Program, Term } from "./program.ts";

interface DeviceModel {
  readonly lives: Lives;
  readonly n: number;
  readonly out: readonly number[];
  readonly late: number;
  readonly unit: number;
  readonly budget: number;
}

/** At the grant of a kernel that allocates: a_g_k says that gap g's bytes are away. */
export function deviceAtKernels(p: Program, { lives, n, out, late, unit, budget }: DeviceModel): void {
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
export function deviceAtGrants(p: Program, { lives, out, late, unit, budget }: DeviceModel): void {
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
export function hostAtCopies(
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
