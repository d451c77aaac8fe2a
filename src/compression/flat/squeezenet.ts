/** The layers of SqueezeNet 1.0 in Caffe's order and layout (Iandola et al., arXiv:1602.07360, table 1), for its flat file. */
import type { FlatLayer } from "./flat.ts";

/** Channels that the fire modules 2 to 9 squeeze to; each expands to four times as many by 1x1 filters and as many by 3x3 ones. */
const SQUEEZED = [16, 16, 32, 32, 48, 48, 64, 64] as const;
const CODE_BITS = 8;

export const SQUEEZENET_LAYERS: readonly FlatLayer[] = [
  layer("conv1", 96, 3, 7),
  ...SQUEEZED.flatMap((squeezed, i) => {
    const channels = 8 * (SQUEEZED[i - 1] ?? 12);
    return [
      layer(`fire${i + 2}/squeeze1x1`, squeezed, channels, 1),
      layer(`fire${i + 2}/expand1x1`, 4 * squeezed, squeezed, 1),
      layer(`fire${i + 2}/expand3x3`, 4 * squeezed, squeezed, 3),
    ];
  }),
  layer("conv10", 1000, 512, 1),
];

function layer(name: string, filters: number, channels: number, side: number): FlatLayer {
  return { name, shape: [filters, channels, side, side], codeBits: CODE_BITS };
}
