/** The part of model.ts that puts copies in order: one order of copies out, one of grants and copies in. */
import type { Lives } from "./lives.ts";
import type { Program, Term } from "./program.ts";

/** y_v_w: v is copied out before w. */
export function orderOut(p: Program, used: readonly number[], out: readonly number[], late: number): void {
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
export function orderIn(p: Program, { gaps }: Lives, n: number, back: readonly number[], late: number): void {
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
