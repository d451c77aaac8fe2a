/** A vault in a browser with a spill file in the origin's private file system behind host memory. */
import type { HostPool } from "./host-pool.ts";
import { openOriginFile, openOriginFileInWorker, type OriginFile, type OriginFileOptions } from "./origin-file.ts";
import { SpillVault } from "./spill-vault.ts";

/**
 * @param awaits the backend cannot block
 * @throws VdnnError `ERR_SPILL` when the file cannot be made, `ERR_INVALID_OPTION` on the main thread with a backend that blocks
 */
export async function openOriginVault(
  pool: HostPool,
  options: OriginFileOptions,
  awaits: boolean,
): Promise<SpillVault> {
  const spill = await openSpill(options, awaits);
  return new SpillVault({
    pool,
    spill,
    offloadStream: spill.offload,
    prefetchStream: spill.prefetch,
    now: options.now,
  });
}

/**
 * Where it is awaited, in a worker of its own, so that copies run beside compute; where the site's policy forbids that, and on
 * backends that block, in this thread, if it is a worker that may.
 */
async function openSpill(options: OriginFileOptions, awaits: boolean): Promise<OriginFile> {
  if (!awaits) return openOriginFile(options);
  try {
    return await openOriginFileInWorker(options);
  } catch (error) {
    return openOriginFile(options).catch(() => Promise.reject(error as Error));
  }
}
