/** All policies by name. */
import { VdnnError } from "../../errors.ts";
import type { Policy } from "../policy.ts";
import { auto } from "./auto.ts";
import { checkpoint } from "./checkpoint.ts";
import { liveness } from "./liveness.ts";
import { none } from "./none.ts";
import { vdnnAll } from "./vdnn-all.ts";
import { vdnnConv } from "./vdnn-conv.ts";
import { vdnnDyn } from "./vdnn-dyn.ts";

export const policies: readonly Policy[] = [none, liveness, vdnnAll, vdnnConv, vdnnDyn, checkpoint, auto];

/** @throws VdnnError `ERR_INVALID_OPTION` naming the policies there are */
export function findPolicy(name: string): Policy {
  const policy = policies.find((each) => each.name === name);
  if (policy !== undefined) return policy;
  const known = policies.map((each) => each.name).join(", ");
  throw new VdnnError("ERR_INVALID_OPTION", `policy: expected one of ${known}, got "${name}"`, {
    option: "policy",
    got: name,
  });
}
