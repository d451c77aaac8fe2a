/**
 * Energy of moving data, as data: what an access of one word costs at each end of a copy. Models take a table as a parameter;
 * `vdnn compare --energy FILE` reads one from a file (`vdnn-energy/1`).
 */

export interface EnergyTable {
  readonly schema: "vdnn-energy/1";
  readonly name: string;
  readonly source: string;
  readonly wordBytes: number;
  /** One word read from or written to device memory, pJ. */
  readonly devicePj: number;
  /** One word read from or written to host memory, pJ. */
  readonly hostPj: number;
  /** One word over the link between them, pJ; 0 where the table says nothing of it. */
  readonly linkPj: number;
}

export const ENERGY_TABLES: readonly EnergyTable[] = [
  {
    schema: "vdnn-energy/1",
    name: "horowitz-45nm",
    source:
      "Horowitz, ISSCC 2014, 45 nm, 0.9 V: DRAM 1300 to 2600 pJ per 64 bits, of which the low end, 640 pJ per 32-bit word " +
      "(LPDDR2), is what Han et al., ISCA 2016, table I uses. Both memories are taken as such; the link has no figure there",
    wordBytes: 4,
    devicePj: 640,
    hostPj: 640,
    linkPj: 0,
  },
];
