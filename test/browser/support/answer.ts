/** What a realm answers to a call: a result, or what was thrown. */
export interface Answer {
  readonly result?: unknown;
  readonly error?: { readonly message: string; readonly code?: string; readonly stack?: string };
}

/** @throws Error what the scenario threw, code and all */
export function resultOf({ result, error }: Answer): unknown {
  if (error !== undefined) throw Object.assign(new Error(error.message), error);
  return result;
}
