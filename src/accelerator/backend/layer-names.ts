/**
 * Names of the tf.layers layers that run, for any number of accelerators at a time: `Layer.apply` is watched once per TensorFlow.js,
 * from the first accelerator to the last.
 */
import type { TensorFlow } from "../../runtime/engine.ts";
import { LayerTracker } from "../../runtime/layers.ts";

export interface LayerNames {
  current(): string | undefined;
  release(): void;
}

const watched = new WeakMap<object, { readonly tracker: LayerTracker; users: number }>();

export function watchLayers(tf: TensorFlow): LayerNames {
  const shared = watched.get(tf.engine()) ?? { tracker: new LayerTracker(tf), users: 0 };
  watched.set(tf.engine(), shared);
  if (shared.users++ === 0) shared.tracker.install();
  let released = false;
  return {
    current: () => shared.tracker.current,
    release() {
      if (released) return;
      released = true;
      if (--shared.users > 0) return;
      shared.tracker.uninstall();
      watched.delete(tf.engine());
    },
  };
}
