/**
 * Published results of Deep Compression, as data: Han, Mao, Dally, ICLR 2016, tables 1 to 5. Weights are the exact counts of the layers'
 * shapes, where the paper rounds; everything else is as printed. Per layer: kept weights in percent; bits of a code before
 * and after Huffman coding; bits of a gap, likewise; compressed size in percent of the dense one, P+Q and P+Q+H.
 */

export interface PublishedLayer {
  readonly name: string;
  readonly weights: number;
  /** Of a fully connected layer; null for a convolution. */
  readonly outputs: number | null;
  readonly keptPercent: number;
  readonly codeBits: number;
  readonly codeBitsHuffman: number;
  readonly indexBits: number;
  readonly indexBitsHuffman: number;
  readonly ratePercent: number;
  readonly ratePercentHuffman: number;
}

export interface PublishedNetwork {
  readonly name: string;
  readonly layers: readonly PublishedLayer[];
  /** Table 1, bytes. */
  readonly denseBytes: number;
  readonly compressedBytes: number;
  /** Dense over compressed size, P+Q and P+Q+H, from the tables' last rows. */
  readonly ratio: { readonly shared: number; readonly huffman: number };
}

/** Name, weights, the seven columns of the table, and the outputs of a fully connected layer. */
type Row = readonly [string, number, number, number, number, number, number, number, number, number?];

/** Table 2. */
export const LENET_300_100: PublishedNetwork = {
  name: "lenet-300-100",
  denseBytes: 1070e3,
  compressedBytes: 27e3,
  ratio: { shared: 32, huffman: 40 },
  layers: layers([
    ["ip1", 235200, 8, 6, 4.4, 5, 3.7, 3.1, 2.32, 300],
    ["ip2", 30000, 9, 6, 4.4, 5, 4.3, 3.8, 3.04, 100],
    ["ip3", 1000, 26, 6, 4.3, 5, 3.2, 15.7, 12.7, 10],
  ]),
};

/** Table 3. */
export const LENET_5: PublishedNetwork = {
  name: "lenet-5",
  denseBytes: 1720e3,
  compressedBytes: 44e3,
  ratio: { shared: 33, huffman: 39 },
  layers: layers([
    ["conv1", 500, 66, 8, 7.2, 5, 1.5, 78.5, 67.45],
    ["conv2", 25000, 12, 8, 7.2, 5, 3.9, 6.0, 5.28],
    ["ip1", 400000, 8, 5, 4.5, 5, 4.5, 2.7, 2.45, 500],
    ["ip2", 5000, 19, 5, 5.2, 5, 3.7, 6.9, 6.13, 10],
  ]),
};

/** Table 4. */
export const ALEXNET: PublishedNetwork = {
  name: "alexnet",
  denseBytes: 240e6,
  compressedBytes: 6.9e6,
  ratio: { shared: 27, huffman: 35 },
  layers: layers([
    ["conv1", 34848, 84, 8, 6.3, 4, 1.2, 32.6, 20.53],
    ["conv2", 307200, 38, 8, 5.5, 4, 2.3, 14.5, 9.43],
    ["conv3", 884736, 35, 8, 5.1, 4, 2.6, 13.1, 8.44],
    ["conv4", 663552, 37, 8, 5.2, 4, 2.5, 14.1, 9.11],
    ["conv5", 442368, 37, 8, 5.6, 4, 2.5, 14.0, 9.43],
    ["fc6", 37748736, 9, 5, 3.9, 4, 3.2, 3.0, 2.39, 4096],
    ["fc7", 16777216, 9, 5, 3.6, 4, 3.7, 3.0, 2.46, 4096],
    ["fc8", 4096000, 25, 5, 4, 4, 3.2, 7.3, 5.85, 1000],
  ]),
};

/** Table 5. */
export const VGG_16: PublishedNetwork = {
  name: "vgg-16",
  denseBytes: 552e6,
  compressedBytes: 11.3e6,
  ratio: { shared: 31, huffman: 49 },
  layers: layers([
    ["conv1_1", 1728, 58, 8, 6.8, 5, 1.7, 40.0, 29.97],
    ["conv1_2", 36864, 22, 8, 6.5, 5, 2.6, 9.8, 6.99],
    ["conv2_1", 73728, 34, 8, 5.6, 5, 2.4, 14.3, 8.91],
    ["conv2_2", 147456, 36, 8, 5.9, 5, 2.3, 14.7, 9.31],
    ["conv3_1", 294912, 53, 8, 4.8, 5, 1.8, 21.7, 11.15],
    ["conv3_2", 589824, 24, 8, 4.6, 5, 2.9, 9.7, 5.67],
    ["conv3_3", 589824, 42, 8, 4.6, 5, 2.2, 17.0, 8.96],
    ["conv4_1", 1179648, 32, 8, 4.6, 5, 2.6, 13.1, 7.29],
    ["conv4_2", 2359296, 27, 8, 4.2, 5, 2.9, 10.9, 5.93],
    ["conv4_3", 2359296, 34, 8, 4.4, 5, 2.5, 14.0, 7.47],
    ["conv5_1", 2359296, 35, 8, 4.7, 5, 2.5, 14.3, 8.0],
    ["conv5_2", 2359296, 29, 8, 4.6, 5, 2.7, 11.7, 6.52],
    ["conv5_3", 2359296, 36, 8, 4.6, 5, 2.3, 14.8, 7.79],
    ["fc6", 102760448, 4, 5, 3.6, 5, 3.5, 1.6, 1.1, 4096],
    ["fc7", 16777216, 4, 5, 4, 5, 4.3, 1.5, 1.25, 4096],
    ["fc8", 4096000, 23, 5, 4, 5, 3.4, 7.1, 5.24, 1000],
  ]),
};

export const PUBLISHED_NETWORKS: readonly PublishedNetwork[] = [LENET_300_100, LENET_5, ALEXNET, VGG_16];

function layers(rows: readonly Row[]): PublishedLayer[] {
  return rows.map(
    ([name, weights, keptPercent, codes, codesHuffman, gaps, gapsHuffman, rate, rateHuffman, outputs]) => ({
      name,
      weights,
      outputs: outputs ?? null,
      keptPercent,
      codeBits: codes,
      codeBitsHuffman: codesHuffman,
      indexBits: gaps,
      indexBitsHuffman: gapsHuffman,
      ratePercent: rate,
      ratePercentHuffman: rateHuffman,
    }),
  );
}
