/** Weighted linear least squares of a few unknowns by the normal equations, and how well it predicts what it has not seen. */

export interface Observation {
  /** One value per unknown. */
  readonly features: readonly number[];
  /** Not zero: errors are relative to it. */
  readonly value: number;
}

/** Coefficients that minimise the sum of squared relative errors. */
export function fitRelative(observations: readonly Observation[]): number[] {
  const unknowns = observations[0]?.features.length ?? 0;
  // Each row of the normal equations with its right side behind it.
  const rows = Array.from({ length: unknowns }, (_, i) =>
    Array.from({ length: unknowns + 1 }, (__, j) =>
      observations.reduce((sum, { features, value }) => {
        const right = j === unknowns ? value : (features[j] ?? 0);
        return sum + ((features[i] ?? 0) * right) / value ** 2;
      }, 0),
    ),
  );
  return solve(rows);
}

/** Gauss-Jordan with partial pivoting. */
function solve(rows: number[][]): number[] {
  for (let column = 0; column < rows.length; column++) {
    let pivot = column;
    for (let i = column + 1; i < rows.length; i++) {
      if (Math.abs(at(rows, i, column)) > Math.abs(at(rows, pivot, column))) pivot = i;
    }
    [rows[column], rows[pivot]] = [rows[pivot] ?? [], rows[column] ?? []];
    for (let i = 0; i < rows.length; i++) {
      if (i === column) continue;
      const factor = at(rows, i, column) / at(rows, column, column);
      rows[i] = (rows[i] ?? []).map((value, j) => value - factor * at(rows, column, j));
    }
  }
  return rows.map((row, i) => (row[rows.length] ?? 0) / (row[i] ?? 1));
}

function at(rows: readonly (readonly number[])[], i: number, j: number): number {
  return rows[i]?.[j] ?? 0;
}

export function predict(coefficients: readonly number[], features: readonly number[]): number {
  return coefficients.reduce((sum, coefficient, i) => sum + coefficient * (features[i] ?? 0), 0);
}

/** Relative error of each observation under the fit of all the others. */
export function leaveOneOut(observations: readonly Observation[]): number[] {
  return observations.map(({ features, value }, left) => {
    const coefficients = fitRelative(observations.filter((_, i) => i !== left));
    return predict(coefficients, features) / value - 1;
  });
}
