/** Rows drawn by weight instead of each once. */
import { ConfigError } from '../errors.js';
import type { Generator } from '../runtime/native.js';
import { type ClassWeights, settledWeights } from './class-weights.js';
import type { Targets } from './targets.js';

/** Each row once an epoch; or as many rows drawn with replacement, 'balanced' all labels alike, else each by the weight of its label (one that is not named has 1). */
export type Sampling = 'shuffle' | ClassWeights;

/** How likely each row is drawn, up to a factor. Throws ConfigError OPTIONS_INVALID where weights and labels do not fit, or no row is left. */
export function rowWeights(sampling: ClassWeights, labels: readonly string[], classes: Targets): Float64Array {
	const weights = settledWeights(sampling, labels, classes, 'sampling');
	const each = Float64Array.from(classes, (label) => weights[label] as number);
	if (each.some((weight) => weight > 0)) return each;
	throw new ConfigError('OPTIONS_INVALID', 'Expected `sampling` to give a label that rows have more than 0');
}

/**
 * As many rows as there are weights, drawn with replacement: torch's WeightedRandomSampler, which draws doubles in [0, 1) from the low 53
 * bits of the generator's and looks each up among the sums of the weights (aten/src/ATen/native/cpu/MultinomialKernel.cpp).
 */
export function drawnRows(weights: Float64Array, generator: Generator): Int32Array {
	const sums = new Float64Array(weights.length);
	let sum = 0;
	for (const [row, weight] of weights.entries()) {
		sum += weight;
		sums[row] = sum;
	}
	for (let row = 0; row < sums.length; row++) sums[row] = (sums[row] as number) / sum;
	sums[sums.length - 1] = 1;
	return Int32Array.from(weights, () => firstFrom(sums, Number(BigInt.asUintN(53, generator.int64())) * 2 ** -53));
}

/** Place of the first of rising values that is not below `value`. */
function firstFrom(rising: Float64Array, value: number): number {
	let [low, high] = [0, rising.length];
	while (low < high) {
		const middle = (low + high) >>> 1;
		if ((rising[middle] as number) < value) low = middle + 1;
		else high = middle;
	}
	return low;
}
