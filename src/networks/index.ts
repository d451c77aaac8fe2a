/** The networks by name. */
import { VdnnError } from "../errors.ts";
import { alexnet } from "./alexnet.ts";
import { chain } from "./chain.ts";
import { densenet } from "./densenet.ts";
import { googlenet } from "./googlenet.ts";
import { lenet300, lenet5 } from "./lenet.ts";
import { lstm } from "./lstm.ts";
import { mobilenet } from "./mobilenet.ts";
import type { Network } from "./network.ts";
import { overfeat } from "./overfeat.ts";
import { resnet } from "./resnet.ts";
import { squeezenet } from "./squeezenet.ts";
import { transformer } from "./transformer.ts";
import { vgg } from "./vgg.ts";

export type { Batch, Network, NetworkOptions, NetworkSettings, TensorFlow } from "./network.ts";

export const networks: Readonly<Record<string, Network>> = {
  chain,
  alexnet,
  overfeat,
  googlenet,
  vgg,
  resnet,
  densenet,
  squeezenet,
  mobilenet,
  lenet300,
  lenet5,
  lstm,
  transformer,
};

/** @throws VdnnError `ERR_INVALID_OPTION` that lists the names there are */
export function findNetwork(name: string): Network {
  const network = Object.hasOwn(networks, name) ? networks[name] : undefined;
  if (network === undefined) {
    const known = Object.keys(networks);
    throw new VdnnError(
      "ERR_INVALID_OPTION",
      `unknown network ${JSON.stringify(name)}; known are ${known.join(", ")}`,
      {
        option: "network",
        got: name,
        known,
      },
    );
  }
  return network;
}
