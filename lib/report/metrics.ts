/** Loss and metrics of a classifier, in double, folded row by row so that memory does not grow with the rows. */

import type { LabelMetrics, Metrics } from '../train/events.js';

/** Index of the largest logit, the first on ties. */
export function argmax(logits: ArrayLike<number>): number {
	let best = 0;
	for (let index = 1; index < logits.length; index++) {
		if ((logits[index] ?? 0) > (logits[best] ?? 0)) best = index;
	}
	return best;
}

/** -log softmax(logits)[actual], without overflow; `smoothing` of it gives way to the mean over all classes, as in training. */
export function crossEntropy(logits: ArrayLike<number>, actual: number, smoothing = 0): number {
	const largest = logits[argmax(logits)] ?? 0;
	let sum = 0;
	let below = 0;
	for (let index = 0; index < logits.length; index++) {
		sum += Math.exp((logits[index] ?? 0) - largest);
		below += largest - (logits[index] ?? 0);
	}
	const own = largest - (logits[actual] ?? 0);
	return Math.log(sum) + (smoothing === 0 ? own : (1 - smoothing) * own + (smoothing * below) / logits.length);
}

/** Counts rows into a confusion matrix and a sum of losses. */
export class Tally {
	readonly #labels: readonly string[];
	readonly #smoothing: number;
	/** [actual * labels + predicted] */
	readonly #confusion: Float64Array;
	#loss = 0;
	#rows = 0;

	/** `smoothing`: share of each row's loss that is spread over all labels, where logits are given. */
	constructor(labels: readonly string[], smoothing = 0) {
		this.#labels = labels;
		this.#smoothing = smoothing;
		this.#confusion = new Float64Array(labels.length ** 2);
	}

	add(actual: number, predicted: number, loss: number): void {
		const cell = actual * this.#labels.length + predicted;
		this.#confusion[cell] = (this.#confusion[cell] ?? 0) + 1;
		this.#loss += loss;
		this.#rows += 1;
	}

	/** Adds the rows of one batch: float32[rows * labels], and a class index a row. */
	addLogits(logits: Float32Array, classes: Int32Array): void {
		const width = this.#labels.length;
		for (const [row, actual] of classes.entries()) {
			const own = logits.subarray(row * width, (row + 1) * width);
			this.add(actual, argmax(own), crossEntropy(own, actual, this.#smoothing));
		}
	}

	get rows(): number {
		return this.#rows;
	}

	byLabel(): Record<string, LabelMetrics> {
		return Object.fromEntries(this.#labels.map((label, index) => [label, this.#ofLabel(index)]));
	}

	metrics(): Metrics {
		const each = this.#labels.map((_, index) => this.#ofLabel(index));
		const mean = (name: 'precision' | 'recall' | 'f1') => each.reduce((sum, label) => sum + label[name], 0) / each.length;
		const right = this.#labels.reduce((sum, _, index) => sum + this.#cell(index, index), 0);
		return { loss: this.#loss / this.#rows, accuracy: right / this.#rows, precision: mean('precision'), recall: mean('recall'), f1: mean('f1') };
	}

	#cell(actual: number, predicted: number): number {
		return this.#confusion[actual * this.#labels.length + predicted] ?? 0;
	}

	#ofLabel(index: number): LabelMetrics {
		const right = this.#cell(index, index);
		const predicted = this.#labels.reduce((sum, _, actual) => sum + this.#cell(actual, index), 0);
		const support = this.#labels.reduce((sum, _, guess) => sum + this.#cell(index, guess), 0);
		const ratio = (part: number, whole: number) => (whole === 0 ? 0 : part / whole);
		return { precision: ratio(right, predicted), recall: ratio(right, support), f1: ratio(2 * right, predicted + support), support };
	}
}
