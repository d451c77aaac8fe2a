/** The order of arrival on the device, against a plain list of pages. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { Pages } from "../../../src/simulator/baselines/pages.ts";

const TENSORS = 4;
const SIZE = 5;

it("keeps pages in the order of their arrival, and searches from the cursor on", () => {
  const action = fc.record({
    kind: fc.constantFrom("arrive", "leave oldest", "leave found", "reset" as const),
    tensor: fc.integer({ min: 0, max: TENSORS - 1 }),
    pages: fc.integer({ min: 1, max: 3 }),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const pages = new Pages(new Float64Array(TENSORS).fill(SIZE), 12, 12);
      let model: number[] = [];
      for (const { kind, tensor, pages: wanted } of actions) {
        if (kind === "arrive") {
          const count = Math.min(wanted, SIZE - (pages.device[tensor] ?? 0), pages.deviceFree);
          if (count <= 0) continue;
          pages.arrive(tensor, count);
          model.push(...Array.from({ length: count }, () => tensor));
        } else if (kind === "reset") {
          pages.resetCursor();
        } else {
          pages.resetCursor();
          const isWanted = (t: number): boolean => kind === "leave oldest" || t !== tensor;
          const node = pages.seek(isWanted);
          expect(node < 0 ? undefined : pages.tensorOf(node)).toBe(model.find(isWanted));
          if (node < 0) continue;
          const victim = pages.tensorOf(node);
          const count = Math.min(wanted, pages.pagesOf(node));
          pages.leave(node, count);
          const first = model.indexOf(victim);
          model = model.filter((_, i) => i < first || i >= first + count);
        }
        expect(pages.deviceFree).toBe(12 - model.length);
        expect(pages.oldest < 0 ? undefined : pages.tensorOf(pages.oldest)).toBe(model[0]);
        for (let t = 0; t < TENSORS; t++) expect(pages.device[t]).toBe(model.filter((each) => each === t).length);
      }
    }),
  );
});
