/** A failure on purpose. */
import { type TensorFlow, VdnnError } from "vdnn";

/** @throws VdnnError `ERR_INVALID_OPTION` on a backend that has no device to lose */
export function loseDevice(tf: TensorFlow): void {
  const { device } = tf.backend() as unknown as { readonly device?: GPUDevice };
  if (device === undefined) {
    throw new VdnnError(
      "ERR_INVALID_OPTION",
      `fault: backend ${tf.getBackend()} has no device to lose; choose WebGPU, or no fault`,
      { option: "fault" },
    );
  }
  device.destroy();
}
