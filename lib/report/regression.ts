/** Loss and metrics of a model that gives each row a number, in double, folded row by row (Welford's way, so that no digits are lost). */
import type { RegressionMetrics } from '../train/events.js';

export class RegressionFold {
	#rows = 0;
	#squared = 0;
	#absolute = 0;
	#mean = { actual: 0, predicted: 0 };
	/** Sums of squared distances from the means, and of their products. */
	#spread = { actual: 0, predicted: 0, both: 0 };

	/** Rows of one batch: float32[rows], and their values. */
	add(logits: Float32Array, values: ArrayLike<number>): void {
		for (const [row, predicted] of logits.entries()) this.#add(values[row] as number, predicted);
	}

	#add(actual: number, predicted: number): void {
		this.#rows += 1;
		this.#squared += (predicted - actual) ** 2;
		this.#absolute += Math.abs(predicted - actual);
		const before = { actual: actual - this.#mean.actual, predicted: predicted - this.#mean.predicted };
		this.#mean.actual += before.actual / this.#rows;
		this.#mean.predicted += before.predicted / this.#rows;
		const after = { actual: actual - this.#mean.actual, predicted: predicted - this.#mean.predicted };
		this.#spread.actual += before.actual * after.actual;
		this.#spread.predicted += before.predicted * after.predicted;
		this.#spread.both += before.actual * after.predicted;
	}

	get rows(): number {
		return this.#rows;
	}

	metrics(): RegressionMetrics {
		const { actual, predicted, both } = this.#spread;
		const mse = this.#squared / this.#rows;
		return {
			loss: mse,
			mse,
			mae: this.#absolute / this.#rows,
			r2: this.#r2(),
			pearson: actual * predicted === 0 ? 0 : both / Math.sqrt(actual) / Math.sqrt(predicted),
		};
	}

	/** As scikit-learn's r2_score. */
	#r2(): number {
		if (this.#spread.actual > 0) return 1 - this.#squared / this.#spread.actual;
		return this.#squared === 0 ? 1 : 0;
	}
}
