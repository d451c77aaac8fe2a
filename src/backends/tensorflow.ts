/**
 * The `tensorflow` backend: tfjs-node and tfjs-node-gpu.
 *
 * Note [Copy lanes]. The binding's only way out is `tensorDataSync`, which allocates a fresh ArrayBuffer per call and spends
 * most of its time in page faults (2.4 GB/s here). On a CPU device two deprecated TF ops do better. A tensor made over 64-byte
 * aligned memory shares that memory, so `InplaceUpdate` into such an alias of a host slot is a plain copy out (16-22 GB/s), and
 * `DeepCopy` of the alias is a plain copy in. On a GPU device the blocking read is what there is.
 */
import {
  type DataId,
  type DataStorage,
  type DType,
  elementCount,
  type EngineBackend,
  isTensor,
  type NamedTensors,
  type Values,
  viewAs,
} from "../runtime/engine.ts";
import { type DeviceAdapter, isCastToSame } from "./adapter.ts";
import { estimateBytes } from "./estimate.ts";

interface TensorFlowRecord {
  readonly shape: number[];
  readonly dtype: number;
  /** Not yet uploaded: the first kernel that reads the tensor creates its handle. */
  readonly values: Values | null;
  readonly id: number;
  refCount: number;
}

interface OpAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

interface Binding {
  createTensor(shape: number[], dtype: number, values: Values): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): Values;
  executeOp(name: string, attributes: OpAttribute[], inputs: number[], outputs: number): { id: number }[];
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  readonly TF_BOOL: number;
  readonly TF_ATTR_TYPE: number;
}

interface TensorFlowBackend extends EngineBackend {
  readonly binding: Binding;
  readonly isUsingGpuDevice: boolean;
  readonly tensorMap: DataStorage<TensorFlowRecord>;
}

/** Alignment at which TensorFlow shares the memory of a JavaScript array instead of copying it (EIGEN_MAX_ALIGN_BYTES). */
const SHARE_ALIGNMENT = 64;

export function tensorflowAdapter(engineBackend: EngineBackend): DeviceAdapter {
  const backend = engineBackend as TensorFlowBackend;
  const { binding, tensorMap: storage } = backend;
  const { TF_FLOAT, TF_INT32, TF_BOOL } = binding;
  const numericType = (dtype: DType): number =>
    dtype === "float32" ? TF_FLOAT : dtype === "int32" ? TF_INT32 : TF_BOOL;
  const typeName = (dtype: number): DType | null =>
    dtype === TF_FLOAT ? "float32" : dtype === TF_INT32 ? "int32" : dtype === TF_BOOL ? "bool" : null;
  const typeAttribute = (name: string, value: number): OpAttribute => ({ name, type: binding.TF_ATTR_TYPE, value });
  const firstRow = binding.createTensor([1], binding.TF_INT32, new Int32Array([0]));

  function reshape(id: number, dtype: number, shape: readonly number[]): number {
    const shapeId = binding.createTensor([shape.length], binding.TF_INT32, Int32Array.from(shape));
    try {
      const attributes = [typeAttribute("T", dtype), typeAttribute("Tshape", binding.TF_INT32)];
      return onlyId(binding.executeOp("Reshape", attributes, [id, shapeId], 1));
    } finally {
      binding.deleteTensor(shapeId);
    }
  }

  /** Runs `use` with a handle that shares the host memory, seen as `shape`. */
  function withAlias<T>(host: Uint8Array, dtype: number, shape: number[], use: (alias: number) => T): T {
    const alias = binding.createTensor(shape, dtype, viewAs(typeName(dtype) ?? "float32", host));
    try {
      return use(alias);
    } finally {
      binding.deleteTensor(alias);
    }
  }

  function shareable(host: Uint8Array): boolean {
    return !backend.isUsingGpuDevice && host.byteOffset % SHARE_ALIGNMENT === 0 && host.byteLength > 0;
  }

  return {
    name: "tensorflow",
    backend,
    storage,
    sharesInput(kernel, input, attributes) {
      return kernel === "Reshape" || kernel === "ExpandDims" || isCastToSame(kernel, input, attributes);
    },
    passesThrough: (kernel) => kernel === "Identity",
    estimateBytes: (kernel, inputs, attributes) =>
      estimateBytes(kernel, inputs, attributes, outputsHeld(kernel, inputs, attributes)),
    mend: () => () => undefined,
    announce: () => () => undefined,
    // TF_RESOURCE_EXHAUSTED, as the binding words it.
    isOutOfMemory: (error) => error instanceof Error && /TF_Status: 8\b|OOM when allocating/.test(error.message),
    describe(record) {
      const { shape, dtype } = record as TensorFlowRecord;
      const name = typeName(dtype);
      return name === null ? null : { shape, dtype: name };
    },
    copyOut(dataId, host) {
      const { id, dtype, shape, values } = storage.get(dataId);
      if (values !== null) {
        host.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
        return;
      }
      if (!shareable(host)) {
        const data = binding.tensorDataSync(id);
        host.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
        return;
      }
      const rows = [1, elementCount(shape)];
      withAlias(host, dtype, rows, (alias) => {
        const flat = reshape(id, dtype, rows);
        try {
          const [out] = binding.executeOp("InplaceUpdate", [typeAttribute("T", dtype)], [alias, firstRow, flat], 1);
          binding.deleteTensor(onlyId([out]));
        } finally {
          binding.deleteTensor(flat);
        }
      });
    },
    copyIn(dataId, host, shape, dtype, refCount) {
      const type = numericType(dtype);
      const id = shareable(host)
        ? withAlias(host, type, shape, (alias) =>
            onlyId(binding.executeOp("DeepCopy", [typeAttribute("T", type)], [alias], 1)),
          )
        : binding.createTensor(shape, type, viewAs(dtype, host.slice()));
      storage.set(dataId, { shape, dtype: type, values: null, id, refCount });
    },
    release(dataId) {
      const { refCount } = storage.get(dataId);
      backend.disposeData(dataId, true);
      return refCount;
    },
    adopt(dataId, from, shape, _dtype, refCount) {
      const record = storage.get(from);
      storage.delete(from);
      storage.set(dataId, { ...record, shape, refCount });
    },
    alias(dataId: DataId, of: DataId, shape: number[], dtype: DType, refCount: number) {
      const id = reshape(storage.get(of).id, numericType(dtype), shape);
      storage.set(dataId, { shape, dtype: numericType(dtype), values: null, id, refCount });
    },
  };
}

/** Kernels that tfjs-node builds from others. */
function outputsHeld(kernel: string, inputs: NamedTensors, attributes: { activation?: string } = {}): number {
  switch (kernel) {
    case "Step":
      // A Fill, ones, two Selects, and two comparisons of a byte per element.
      return 5;
    case "ClipByValue":
      return 2;
    case "Prelu":
      return 6;
    case "FusedBatchNorm":
      return (inputs["mean"]?.shape.length ?? 1) > 1 ? 3 : 1;
    case "_FusedMatMul":
    case "FusedConv2D":
    case "FusedDepthwiseConv2D": {
      const { activation = "linear" } = attributes;
      const activated = activation === "linear" ? 0 : activation === "prelu" ? 6 : 1;
      return 1 + (isTensor(inputs["bias"]) ? 1 : 0) + activated;
    }
    default:
      return 1;
  }
}

function onlyId(outputs: readonly ({ id: number } | undefined)[]): number {
  const [output] = outputs;
  if (output === undefined) throw new Error("the TensorFlow op returned no output");
  return output.id;
}
