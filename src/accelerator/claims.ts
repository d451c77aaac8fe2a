/**
 * "Up to 25 times against a Jetson TK1": a claim of talks about Eyeriss, computed here from figures that are stated somewhere
 * rather than repeated. None of them gives 25.
 */

export interface Figure {
  readonly framesPerSecond: number;
  readonly watts: number;
  readonly source: string;
}

/** AlexNet's convolutions at batch 4: 4 images in 115.3 ms. DRAM is not in the power. */
export const EYERISS_ALEXNET: Figure = {
  framesPerSecond: 34.7,
  watts: 0.278,
  source: "Chen et al., JSSC 2017, table V",
};

/** AlexNet on the whole board, and with the power that the idle board takes away. */
export const JETSON_TK1: readonly Figure[] = [
  { framesPerSecond: 68, watts: 10.2, source: "Eyeriss slides, ISSCC 2016, recalled and not read: power of the board" },
  {
    framesPerSecond: 68,
    watts: 6.5,
    source: "Eyeriss slides, ISSCC 2016, recalled and not read: active minus idle power",
  },
];

/** "10 times as efficient as a mobile GPU" (MIT News, February 2016). */
export const STATED_IN_PRESS = 10;
export const CLAIMED = 25;

export interface ClaimCheck {
  readonly claimed: number;
  readonly framesPerJoule: number;
  readonly against: readonly { readonly figure: Figure; readonly framesPerJoule: number; readonly ratio: number }[];
  /** Lowest and highest ratio that a source gives or that follows from its figures. */
  readonly range: readonly [lowest: number, highest: number];
  readonly isReached: boolean;
  /** The arithmetic, a line for each comparison. */
  readonly arithmetic: readonly string[];
}

/** @param accelerator as published, or as modelled */
export function jetsonClaim(accelerator: Figure = EYERISS_ALEXNET): ClaimCheck {
  const framesPerJoule = efficiency(accelerator);
  const against = JETSON_TK1.map((figure) => ({
    figure,
    framesPerJoule: efficiency(figure),
    ratio: framesPerJoule / efficiency(figure),
  }));
  const ratios = [STATED_IN_PRESS, ...against.map(({ ratio }) => ratio)];
  const range = [Math.min(...ratios), Math.max(...ratios)] as const;
  return {
    claimed: CLAIMED,
    framesPerJoule,
    against,
    range,
    isReached: range[1] >= CLAIMED,
    arithmetic: against.map(
      ({ figure, ratio }) => `${show(accelerator)} ÷ (${show(figure)}) = ${ratio.toFixed(1)} × (${figure.source})`,
    ),
  };
}

function efficiency({ framesPerSecond, watts }: Figure): number {
  return framesPerSecond / watts;
}

function show(figure: Figure): string {
  const { framesPerSecond, watts } = figure;
  return `${framesPerSecond} frames/s / ${watts} W = ${efficiency(figure).toFixed(1)} frames/J`;
}
