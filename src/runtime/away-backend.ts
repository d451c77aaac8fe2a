/** What the engine sees as the holder of absent data. It has no kernels: those make TF.js call `engine.moveData` first. */
import { VdnnError } from "../errors.ts";
import type { DataId, EngineBackend, Values } from "./engine.ts";
import type { Ledger } from "./ledger.ts";

/** For readers outside any kernel (`dataSync`, `data`). */
export interface AwayReaders {
  readonly readAway: (dataId: DataId) => Values;
  readonly readLater: (dataId: DataId) => Promise<Values>;
  readonly ledger: Ledger;
}

export function awayBackend(owner: AwayReaders): EngineBackend {
  return {
    readSync: (dataId) => owner.readAway(dataId),
    read: (dataId) => Promise.resolve().then(() => owner.readLater(dataId)),
    disposeData(dataId, force = false) {
      const entry = owner.ledger.entry(dataId);
      if (entry === undefined) return true;
      entry.awayReferences--;
      if (!force && entry.awayReferences > 0) return false;
      owner.ledger.forget(entry);
      return true;
    },
    refCount: (dataId) => owner.ledger.entry(dataId)?.awayReferences ?? 0,
    incRef(dataId) {
      const entry = owner.ledger.entry(dataId);
      if (entry !== undefined) entry.awayReferences++;
    },
    move() {
      throw new VdnnError("ERR_BACKEND", "data cannot be moved to the vault by the engine");
    },
    numDataIds: () => 0,
  };
}
