/** The failure that was last, in words: its code, what it says, what to do. */
import type { Failure } from "../protocol.ts";
import { adviceFor } from "./advice.ts";
import { make } from "./dom.ts";
import type { State } from "./state.ts";

export class Banner {
  readonly #root: HTMLElement;
  #shown: Failure | null = null;

  constructor(root: HTMLElement) {
    this.#root = root;
  }

  /** Written once per failure, as it is read aloud when it changes. */
  render({ failure, runs }: State): void {
    if (failure === this.#shown) return;
    this.#shown = failure;
    this.#root.hidden = failure === null;
    if (failure === null) {
      this.#root.replaceChildren();
      return;
    }
    const run = Object.values(runs).find((each) => each.failure === failure);
    const { title, remedies } = adviceFor(failure, run);
    const code = make("code", { text: failure.code });
    this.#root.replaceChildren(
      make("p", { className: "title" }, [make("strong", { text: title }), code]),
      make("p", { className: "message", text: failure.message }),
      make(
        "ul",
        {},
        remedies.map((text) => make("li", { text })),
      ),
    );
    this.#root.scrollIntoView({ block: "nearest" });
  }
}
