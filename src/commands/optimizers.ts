/** The optimizers that `vdnn train` knows by name. Apart from `training.ts`, so that `--help` does not load the runtime. */

export const OPTIMIZERS = ["sgd", "momentum", "rmsprop", "adagrad", "adadelta", "adam", "adamax"] as const;
export type OptimizerName = (typeof OPTIMIZERS)[number];
