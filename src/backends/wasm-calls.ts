/**
 * What a kernel of ours on the wasm backend works with: the backend's other kernels, and views of the WebAssembly heap. The
 * members named here are private in TypeScript; the package is frozen at 4.22.0.
 */
import { VdnnError } from "../errors.ts";
import type { TensorFlow } from "../runtime/engine.ts";

export type ConvInfo = ReturnType<TensorFlow["backend_util"]["computeConv2DInfo"]>;
export type ConvArgs = Parameters<TensorFlow["backend_util"]["computeConv2DInfo"]>;
export type Shape4D = [number, number, number, number];

export interface Info {
  readonly dataId: object;
  readonly shape: number[];
  readonly dtype: "float32" | "int32" | "bool";
}

export interface WasmBackend {
  makeOutput(shape: number[], dtype: Info["dtype"]): Info;
  typedArrayFromHeap(info: Info): Float32Array;
  disposeData(dataId: object): boolean;
  readonly dataIdMap: { get(dataId: object): unknown };
}

export interface ConvAttributes {
  readonly strides: ConvArgs[2];
  readonly pad: ConvArgs[4];
  readonly dilations?: ConvArgs[3];
  readonly dataFormat?: string;
  readonly dimRoundingMode?: "floor" | "round" | "ceil";
  readonly filterShape: Shape4D;
  readonly filterSize: [number, number] | number;
  readonly inputShape: Shape4D;
  readonly numSegments: number;
}

export type Kernel = (inputs: Record<string, Info>, attributes: ConvAttributes, call: Calls) => Info;

/** Calls other kernels of the backend and frees what they made, for the time of one kernel. */
export class Calls {
  private readonly made: Info[] = [];
  private readonly tf: TensorFlow;
  private readonly backend: WasmBackend;

  constructor(tf: TensorFlow, backend: WasmBackend) {
    this.tf = tf;
    this.backend = backend;
  }

  /** A temporary: the output of another kernel of this backend. */
  run(kernelName: string, inputs: Record<string, Info>, attrs: object = {}): Info {
    const kernel = this.tf.getKernel(kernelName, "wasm");
    if (kernel === undefined) throw new VdnnError("ERR_BACKEND", `the wasm backend has no kernel ${kernelName}`);
    const info = kernel.kernelFunc({ inputs, attrs: attrs as never, backend: this.backend }) as Info;
    this.made.push(info);
    return info;
  }

  /** A temporary whose contents are not set yet. */
  scratch(shape: number[]): Info {
    const info = this.output(shape);
    this.made.push(info);
    return info;
  }

  output(shape: number[]): Info {
    return this.backend.makeOutput(shape, "float32");
  }

  /** The elements on the heap. Any allocation may move the heap, so take views last; touching an absent tensor allocates. */
  views(...infos: Info[]): Float32Array[] {
    for (const { dataId } of infos) this.backend.dataIdMap.get(dataId);
    return infos.map((info) => this.backend.typedArrayFromHeap(info));
  }

  /** A temporary with the channels of an NHWC tensor one after another, each as one run of pixels. */
  planes(x: Info, pixels: number, channels: number): Info {
    return this.run("Transpose", { x: { ...x, shape: [pixels, channels] } }, { perm: [1, 0] });
  }

  free(info: Info): void {
    this.made.splice(this.made.indexOf(info), 1);
    this.backend.disposeData(info.dataId);
  }

  /** Frees all temporaries but the result. */
  finish(result: Info): Info {
    for (const { dataId } of this.made.splice(0)) if (dataId !== result.dataId) this.backend.disposeData(dataId);
    return result;
  }

  geometry(inputShape: Shape4D, filterShape: Shape4D, attributes: ConvAttributes, depthwise: boolean): ConvInfo {
    const { strides, pad, dimRoundingMode, dataFormat } = attributes;
    if (dataFormat === "NCHW") {
      throw new VdnnError("ERR_BACKEND", "convolutions on the wasm backend need dataFormat NHWC, got NCHW");
    }
    // TF.js has gradients only for dilation 1; it says so itself before any kernel is called.
    return this.tf.backend_util.computeConv2DInfo(inputShape, filterShape, strides, 1, pad, dimRoundingMode, depthwise);
  }

  poolGeometry(inputShape: Shape4D, { filterSize, strides, pad, dimRoundingMode }: ConvAttributes): ConvInfo {
    return this.tf.backend_util.computePool2DInfo(inputShape, filterSize, strides, 1, pad, dimRoundingMode);
  }
}
