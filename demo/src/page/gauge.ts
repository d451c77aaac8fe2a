/** Device and host memory as bars on one scale: what stock needs, what the device holds now under the budget, what the host holds. */
import { formatBytes } from "../../../src/units.ts";
import { make, setText } from "./dom.ts";
import { peakAllocatedBytes, peakHostBytes, peakInUseBytes, shownRun } from "./measures.ts";
import type { State } from "./state.ts";

interface Row {
  readonly root: HTMLElement;
  readonly value: HTMLElement;
  readonly bars: Readonly<Record<string, HTMLElement>>;
}

export class Gauge {
  readonly #stock: Row;
  readonly #device: Row;
  readonly #host: Row;
  readonly #budget = make("div", { className: "budget" });
  readonly #budgetText = make("span");

  constructor(root: HTMLElement) {
    this.#stock = makeRow("Stock’s peak", ["stock"]);
    this.#device = makeRow("Device now", ["allocated", "device", "peak"]);
    this.#host = makeRow("Host now", ["host", "peak"]);
    this.#budget.append(this.#budgetText);
    const tracks = make("div", { className: "rows" }, [this.#stock.root, this.#device.root, this.#host.root]);
    tracks.append(make("div", { className: "overlay" }, [this.#budget]));
    root.append(tracks);
  }

  render(state: State): void {
    const { reference } = state.runs;
    const run = shownRun(state);
    const shown = run?.kind === "reference" ? undefined : run;
    const stockBytes = peakInUseBytes(reference);
    const memory = run?.memory ?? null;
    const limit = shown?.limitBytes ?? null;
    const devicePeak = Math.max(peakInUseBytes(run) ?? 0, peakAllocatedBytes(run) ?? 0);
    const hostPeak = peakHostBytes(run);
    const scale = Math.max(stockBytes ?? 0, devicePeak, hostPeak, (limit ?? 0) * 1.02, 1);
    const at = (bytes: number): string => `${Math.min(100, (bytes / scale) * 100).toFixed(2)}%`;

    setWidth(this.#stock.bars["stock"], at(stockBytes ?? 0));
    setText(
      this.#stock.value,
      stockBytes === null ? "not measured yet" : `${formatBytes(stockBytes)} in use, no limit`,
    );

    setWidth(this.#device.bars["allocated"], at(memory?.allocatedBytes ?? 0));
    setWidth(this.#device.bars["device"], at(memory?.inUseBytes ?? 0));
    setWidth(this.#device.bars["peak"], at(devicePeak));
    setText(this.#device.value, memory === null ? "–" : deviceText(memory.inUseBytes, memory.allocatedBytes));

    setWidth(this.#host.bars["host"], at(memory?.hostBytes ?? 0));
    setWidth(this.#host.bars["peak"], at(hostPeak));
    setText(
      this.#host.value,
      memory === null ? "–" : `${formatBytes(memory.hostBytes)}, ${formatBytes(hostPeak)} at most`,
    );

    this.#budget.hidden = limit === null;
    if (limit === null) return;
    this.#budget.style.left = at(limit);
    this.#budget.classList.toggle("right", limit / scale > 0.5);
    setText(this.#budgetText, `budget ${formatBytes(limit)}`);
  }
}

function deviceText(inUseBytes: number | null, allocatedBytes: number): string {
  const allocated = `${formatBytes(allocatedBytes)} allocated`;
  return inUseBytes === null ? allocated : `${formatBytes(inUseBytes)} in use, ${allocated}`;
}

function makeRow(label: string, bars: readonly string[]): Row {
  const value = make("span", { className: "amount", text: "–" });
  const elements = Object.fromEntries(bars.map((bar) => [bar, make("i", { className: `bar ${bar}` })]));
  const track = make("div", { className: "track" }, Object.values(elements));
  track.ariaHidden = "true";
  return {
    root: make("div", { className: "row" }, [make("span", { text: label }), track, value]),
    value,
    bars: elements,
  };
}

function setWidth(bar: HTMLElement | undefined, width: string): void {
  if (bar !== undefined && bar.style.width !== width) bar.style.width = width;
}
