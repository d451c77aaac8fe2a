/** The form as a view of the settings: fills its lists, reads them, writes them. What they mean is in settings.ts. */
import { NETWORKS, type NetworkName } from "../catalogue.ts";
import {
  BACKEND_CHOICES,
  type BackendChoice,
  defaultSettings,
  type Field,
  fromHash,
  MOST_STEPS,
  parseBudget,
  POLICY_NAMES,
  type PolicyName,
  type Settings,
  type Speed,
  toHash,
  trainingKey,
} from "../settings.ts";
import { BACKEND_TITLES, type Device, speedOf } from "./devices.ts";
import { find, make, setText } from "./dom.ts";
import { backendLines, budgetText } from "./facts.ts";

const BATCHES = [1, 2, 4, 8, 16, 32, 64, 128, 256];

const POLICIES: Readonly<Record<PolicyName, string>> = {
  auto: "Decides per tensor what is cheapest: keep, move or compute again.",
  "vdnn-dyn": "The paper’s dynamic policy: moves as little as the budget allows.",
  "vdnn-all": "The paper’s vDNN-all: every layer’s input leaves and comes back.",
  "vdnn-conv": "The paper’s vDNN-conv: only inputs of convolutions leave.",
  checkpoint: "Moves nothing: drops activations and computes them again.",
  liveness: "Moves nothing: frees at the last use. Needs more than small budgets.",
};

type Control = HTMLInputElement | HTMLSelectElement;

export class SettingsForm {
  readonly #form: HTMLFormElement;
  readonly #onChange: () => void;
  #devices: readonly Device[] = [];
  #speed: Speed = "processor";

  constructor(form: HTMLFormElement, onChange: () => void) {
    this.#form = form;
    this.#onChange = onChange;
    fill(
      this.#select("network"),
      Object.entries(NETWORKS).map(([name, { title }]) => [name, title]),
    );
    fill(
      this.#select("policy"),
      POLICY_NAMES.map((name) => [name, name]),
    );
    fill(
      this.#select("backend"),
      BACKEND_CHOICES.map((name) => [name, name === "auto" ? "automatic" : BACKEND_TITLES[name]]),
    );
    form.addEventListener("input", ({ target }) => this.#changed(target as Control));
    for (const chip of form.querySelectorAll<HTMLButtonElement>("[data-budget]")) {
      chip.addEventListener("click", () => this.#write({ ...this.settings, budget: chip.dataset["budget"] ?? "" }));
    }
    this.#apply(fromHash(location.hash, this.#speed));
    addEventListener("hashchange", () => this.#write(fromHash(location.hash, this.#speed)));
  }

  get settings(): Settings {
    const number = (field: Field, least: number, most: number): number => {
      const value = Number(this.#control(field).value);
      return Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : least;
    };
    return {
      backend: this.#control("backend").value as BackendChoice,
      network: this.#control("network").value as NetworkName,
      depth: Number(this.#control("depth").value),
      batch: Number(this.#control("batch").value),
      side: Math.round(number("side", 1, 512)),
      width: number("width", 1 / 16, 4096),
      budget: this.#control("budget").value.trim(),
      policy: this.#control("policy").value as PolicyName,
      steps: Math.round(number("steps", 2, MOST_STEPS)),
      seed: Math.round(number("seed", 0, 2 ** 31)),
      fault: this.#control("fault").value as Settings["fault"],
    };
  }

  /** What there is decides the defaults, and what can be chosen. */
  setDevices(devices: readonly Device[]): void {
    this.#devices = devices;
    for (const option of this.#select("backend").options) {
      const device = devices.find(({ backend }) => backend === option.value);
      option.disabled = device?.missing !== null && device !== undefined;
      if (option.disabled) option.textContent = `${BACKEND_TITLES[device?.backend ?? "wasm"]} – not here`;
    }
    const lines = backendLines(devices).map((text) => make("li", { text }));
    find("#devices", HTMLElement, this.#form).replaceChildren(...lines);
    const { backend } = fromHash(location.hash, this.#speed);
    this.#speed = speedOf(backend, devices);
    this.#write(fromHash(location.hash, this.#speed), location.hash !== "");
  }

  toDefaults(): void {
    this.#speed = speedOf("auto", this.#devices);
    this.#write(defaultSettings(this.#speed));
  }

  /** Says what a share comes to, where stock was measured for these settings. */
  showStock(stockBytes: number | null): void {
    setText(find("#about-budget", HTMLElement, this.#form), budgetText(shareOf(this.settings.budget), stockBytes));
  }

  get isRunning(): boolean {
    return find("#train", HTMLButtonElement, this.#form).ariaDisabled === "true";
  }

  /** The buttons stay where they are for the keyboard; while something runs they do nothing. */
  setRunning(running: boolean): void {
    for (const button of this.#form.querySelectorAll<HTMLButtonElement>("#train, #limited")) {
      button.ariaDisabled = String(running);
    }
  }

  /** A value of an unknown field's control is a mistake of ours. */
  #control(field: Field): Control {
    return this.#form.elements.namedItem(field) as Control;
  }

  #select(field: Field): HTMLSelectElement {
    return this.#control(field) as HTMLSelectElement;
  }

  #changed({ name }: Control): void {
    const { settings } = this;
    if (name === "network") {
      // Another network has other depths, and other shapes that suit the device.
      const { depth, batch, side, width } = defaultSettings(this.#speed, settings.network);
      this.#write({ ...settings, depth, batch, side, width });
    } else if (name === "backend") this.#changeBackend(settings);
    else this.#write(settings, true, name === "side" || name === "width" || name === "steps" || name === "seed");
  }

  /** Shapes that were the old device's defaults become the new one's; what was chosen stays. */
  #changeBackend(settings: Settings): void {
    const old = defaultSettings(this.#speed, settings.network);
    this.#speed = speedOf(settings.backend, this.#devices);
    const isDefault = trainingKey({ ...old, seed: settings.seed }) === trainingKey(settings);
    if (!isDefault) return this.#write(settings);
    const { depth, batch, side, width, steps, budget } = defaultSettings(this.#speed, settings.network);
    this.#write({ ...settings, depth, batch, side, width, steps, budget });
  }

  /** @param typing leave what is being typed as it is */
  #write(settings: Settings, toAddress = true, typing = false): void {
    if (!typing) this.#apply(settings);
    if (toAddress) history.replaceState(null, "", toHash(this.settings));
    this.#onChange();
  }

  #apply(settings: Settings): void {
    const { network, depth, batch } = settings;
    const { depths, about, sideLabel, widthLabel } = NETWORKS[network];
    const depthSelect = this.#select("depth");
    const choices = depths.length === 0 ? [0] : [...new Set([...depths, depth])].sort((a, b) => a - b);
    fill(
      depthSelect,
      choices.map((each) => [String(each), each === 0 ? "as it is" : String(each)]),
    );
    depthSelect.disabled = depths.length === 0;
    fill(
      this.#select("batch"),
      [...new Set([...BATCHES, batch])].sort((a, b) => a - b).map((each) => [String(each), String(each)]),
    );
    setText(find("#about-network", HTMLElement, this.#form), about);
    setText(find("#side-label", HTMLElement, this.#form), sideLabel);
    setText(find("#width-label", HTMLElement, this.#form), widthLabel);
    setText(find("#about-policy", HTMLElement, this.#form), POLICIES[settings.policy]);
    for (const [field, value] of Object.entries(settings)) {
      const control = this.#control(field as Field);
      if (control.value !== String(value)) control.value = String(value);
    }
    for (const chip of this.#form.querySelectorAll<HTMLButtonElement>("[data-budget]")) {
      chip.ariaPressed = String(chip.dataset["budget"] === settings.budget);
    }
  }
}

function fill(select: HTMLSelectElement, options: readonly (readonly [string, string])[]): void {
  const isSame =
    select.options.length === options.length && options.every(([value], i) => select.options[i]?.value === value);
  if (isSame) return;
  select.replaceChildren(
    ...options.map(([value, text]) => {
      const option = make("option", { text });
      option.value = value;
      return option;
    }),
  );
}

/** Of what stock needs; null for a size, and for what cannot be read, which is told when it is used. */
function shareOf(budget: string): number | null {
  try {
    const parsed = parseBudget(budget);
    return parsed.kind === "share" ? parsed.share : null;
  } catch {
    return null;
  }
}
