/** Loss and metrics of a classifier that gives each row any number of labels, in double, folded row by row. */
import type { Averages, MultiLabelMetrics } from '../train/events.js';
import { averagesOf, meanAverages } from './confusion.js';

/** Counts of one label over the rows. */
interface Count {
	/** Rows that have it and were given it. */
	right: number;
	given: number;
	support: number;
}

/** Binary cross entropy of a logit and its target, without overflow: max(x, 0) - x * z + log(1 + exp(-|x|)). */
export function binaryCrossEntropy(logit: number, target: number): number {
	return Math.max(logit, 0) - logit * target + Math.log1p(Math.exp(-Math.abs(logit)));
}

export class MultiLabelFold {
	readonly #labels: readonly string[];
	readonly #counts: readonly Count[];
	#loss = 0;
	#rows = 0;
	#exact = 0;

	constructor(labels: readonly string[]) {
		this.#labels = labels;
		this.#counts = labels.map(() => ({ right: 0, given: 0, support: 0 }));
	}

	/** Rows of one batch: float32[rows * labels], and marks of 0 and 1 alike. A row is given each label of a probability above one half. */
	add(logits: Float32Array, marks: ArrayLike<number>): void {
		const width = this.#labels.length;
		for (let first = 0; first < logits.length; first += width) {
			let wrong = 0;
			for (const [label, count] of this.#counts.entries()) {
				const logit = logits[first + label] as number;
				const mark = marks[first + label] as number;
				const given = Number(logit > 0);
				count.right += given * mark;
				count.given += given;
				count.support += mark;
				wrong += Number(given !== mark);
				this.#loss += binaryCrossEntropy(logit, mark);
			}
			this.#exact += Number(wrong === 0);
			this.#rows += 1;
		}
	}

	get rows(): number {
		return this.#rows;
	}

	metrics(): MultiLabelMetrics {
		const each = this.#counts.map(ofCount);
		const sum = (name: keyof Count) => this.#counts.reduce((total, count) => total + count[name], 0);
		return {
			loss: this.#loss / (this.#rows * this.#labels.length),
			accuracy: this.#exact / this.#rows,
			...meanAverages(
				each,
				each.map(() => 1),
			),
			micro: ofCount({ right: sum('right'), given: sum('given'), support: sum('support') }),
			weighted: meanAverages(
				each,
				this.#counts.map(({ support }) => support),
			),
			perLabel: Object.fromEntries(
				this.#labels.map((name, label) => [name, { ...(each[label] as Averages), support: (this.#counts[label] as Count).support }]),
			),
		};
	}
}

const ofCount = ({ right, given, support }: Count): Averages => averagesOf(right, given, support);
